import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { rows } from '../polling/scripted-source.js';
import { HubBench, TestViewer, type HubNode } from './hub-bench.js';

const KEY = 't?n=1';
let bench: HubBench;
let nodes: HubNode[];
let a: HubNode;
let b: HubNode;
let c: HubNode;
beforeEach(async () => {
  bench = new HubBench();
  nodes = [await bench.node('a', 'local'), await bench.node('b', 'local'), await bench.node('c', 'local')];
  [a, b, c] = nodes as [HubNode, HubNode, HubNode];
});
afterEach(async () => {
  for (const node of nodes) node.cut(false);
  await bench.time.advance(5_000);
  await bench.close();
});

const says = (n: number): void => void bench.source.results.set(KEY, rows(`[${n}]`));
const positions = ({ frames }: TestViewer) => frames.map(({ epoch, seq }) => ({ epoch, seq }));
const shown = ({ frames }: TestViewer) => frames.map((frame) => frame.rows);
const states = ({ statuses }: TestViewer) =>
  statuses.map(({ state, reason }) => (reason === undefined ? state : `${state} ${reason}`));

/** Nothing that a viewer was given is older than what it had. */
function neverBack(...viewers: TestViewer[]): void {
  for (const viewer of viewers) {
    const list = positions(viewer);
    list.forEach((now, i) => {
      const before = list[i - 1];
      if (!before) return;
      const next = now.epoch === before.epoch && now.seq === before.seq + 1;
      expect([before, now, next || (now.epoch > before.epoch && now.seq >= 1)]).toEqual([before, now, true]);
    });
  }
}

async function watchers(): Promise<TestViewer[]> {
  const viewers = nodes.map((_, i) => new TestViewer(String(i)));
  for (const [i, node] of nodes.entries()) {
    const viewer = viewers[i] as TestViewer;
    viewer.frames.push((await bench.join(node, viewer, 1)).newest);
  }
  return viewers;
}

describe('the whole cluster is away', () => {
  it('each node polls for its own viewers, once an interval, and says that what it shows is stale', async () => {
    const viewers = await watchers();
    for (const node of nodes) node.cut(true);
    await bench.time.advance(2_000);
    const since = bench.time.elapsed;
    for (let n = 1; n <= 10; n++) {
      says(n);
      await bench.time.advance(1_000);
    }
    for (const [i, node] of nodes.entries()) {
      const asked = node.asked.filter(({ at }) => at > since);
      expect([i, asked.length]).toEqual([i, 10]);
    }
    for (const viewer of viewers) {
      expect(states(viewer)).toEqual(['stale cluster']);
      expect(shown(viewer).slice(-3)).toEqual(['[8]', '[9]', '[10]']);
    }
    for (const node of nodes) node.cut(false);
    await bench.time.advance(3_000);
    says(77);
    await bench.time.advance(2_000);
    for (const viewer of viewers) {
      expect(states(viewer)).toEqual(['stale cluster', 'live']);
      expect(shown(viewer).at(-1)).toBe('[77]');
    }
    neverBack(...viewers);
    // One position again, for everybody.
    expect(new Set(viewers.map((viewer) => JSON.stringify(positions(viewer).at(-1)))).size).toBe(1);
    const settled = nodes.map(({ asked }) => asked.length);
    await bench.time.advance(5_000);
    const after = nodes.map(({ asked }, i) => asked.length - (settled[i] as number));
    expect(after.filter((count) => count > 0)).toHaveLength(1);
  });

  it('lets new viewers in, of channels that nobody has watched before, and without a word to the cluster', async () => {
    for (const node of nodes) node.cut(true);
    await bench.time.advance(1_500);
    const viewer = new TestViewer('1');
    const { newest, channel } = await bench.join(a, viewer, 1);
    expect([newest.rows, channel.status.state, channel.status.reason]).toEqual(['[{"n":0}]', 'stale', 'cluster']);
    viewer.frames.push(newest);
    says(5);
    await bench.time.advance(1_100);
    expect(shown(viewer).at(-1)).toBe('[5]');
    for (const node of nodes) node.cut(false);
    await bench.time.advance(3_000);
    expect(states(viewer).at(-1)).toBe('live');
    expect((await a.kernel.processes()).map(({ name }) => name)).toEqual(['poller:t']);
    neverBack(viewer);
  });

  it('lets in who comes in the very moment in which the line goes down', async () => {
    a.cut(true);
    const { newest } = await bench.join(a, new TestViewer('1'), 1);
    expect(newest.rows).toBe('[{"n":0}]');
  });

  it('asks once for viewers that come, go and come again within an interval, and goes on in its epoch', async () => {
    for (const node of nodes) node.cut(true);
    await bench.time.advance(1_500);
    const first = await bench.join(a, new TestViewer('0'), 1);
    const asked = a.asked.length;
    const since = { epoch: first.newest.epoch, seq: first.newest.seq };
    a.hub.leaveAll('0');
    for (let i = 1; i <= 5; i++) {
      await bench.time.advance(20);
      const { newest, resumed } = await bench.join(a, new TestViewer(String(i)), 1, { since });
      expect([newest.epoch, newest.seq, resumed]).toEqual([since.epoch, since.seq, true]);
      a.hub.leaveAll(String(i));
    }
    expect(a.asked.length).toBe(asked);
    // Nobody is there: it is not asked for, and after an interval nothing is known of it any more.
    says(9);
    await bench.time.advance(3_000);
    expect(a.asked.length).toBe(asked);
    const later = await bench.join(a, new TestViewer('9'), 1, { since });
    expect([later.newest.rows, later.newest.epoch > since.epoch]).toEqual(['[9]', true]);
  });

  it('two that begin in the same millisecond, and the cluster with them, have no position in common', async () => {
    a.cut(true);
    b.cut(true);
    await bench.time.advance(1_500);
    const joins = nodes.map((node, i) => bench.watch(node, new TestViewer(String(i)), 1));
    const seen = (await bench.cluster.within(Promise.all(joins))).map(({ newest }) => newest);
    expect(new Set(seen.map(({ epoch }) => epoch)).size).toBe(1);
    expect(new Set(seen.map(({ seq }) => seq)).size).toBe(3);
  });

  it('asks nothing for viewers that have left meanwhile', async () => {
    const viewers = await watchers();
    for (const node of nodes) node.cut(true);
    await bench.time.advance(3_000);
    nodes.forEach(({ hub }, i) => hub.leaveAll((viewers[i] as TestViewer).id));
    await bench.time.advance(100);
    const before = bench.source.rounds.length;
    await bench.time.advance(5_000);
    expect(bench.source.rounds.length).toBe(before);
    for (const node of nodes) node.cut(false);
    await bench.time.advance(10_000);
    expect(bench.source.rounds.length).toBe(before);
    expect(await a.kernel.processes()).toEqual([]);
  });

  it('a line that is back within the grace begins nothing of its own', async () => {
    const viewers = await watchers();
    const { epoch } = positions(viewers[0] as TestViewer)[0] as { epoch: number };
    for (const node of nodes) node.cut(true);
    await bench.time.advance(900);
    for (const node of nodes) node.cut(false);
    says(3);
    await bench.time.advance(3_000);
    for (const viewer of viewers) {
      expect(shown(viewer).at(-1)).toBe('[3]');
      expect(new Set(positions(viewer).map((position) => position.epoch))).toEqual(new Set([epoch]));
    }
  });

  it('the store comes back empty, its clock far behind: still nobody goes back', async () => {
    const viewers = await watchers();
    for (const node of nodes) node.cut(true);
    for (const { clock } of nodes) clock.step(40_000);
    says(4);
    await bench.time.advance(3_000);
    bench.stored.wipe();
    for (const node of nodes) node.cut(false);
    await bench.time.advance(5_000);
    says(5);
    await bench.time.advance(2_000);
    for (const viewer of viewers) expect([shown(viewer).at(-1), states(viewer).at(-1)]).toEqual(['[5]', 'live']);
    neverBack(...viewers);
  });
});

describe('one node is cut off alone', () => {
  /** One that does not own the poller, and one of the others. */
  function apart(): [HubNode, HubNode] {
    const alone = nodes.find(({ kernel }) => kernel.owned().length === 0) as HubNode;
    return [alone, nodes.find((node) => node !== alone && node.kernel.owned().length === 0) as HubNode];
  }

  it('its viewers come back without a jump, and the others see the poller go on all the while', async () => {
    const viewers = await watchers();
    const [alone] = apart();
    alone.cut(true);
    for (let n = 1; n <= 8; n++) {
      says(n);
      await bench.time.advance(1_000);
      if (n < 3) continue;
      for (const viewer of viewers)
        expect(Number(JSON.parse(shown(viewer).at(-1) as string))).toBeGreaterThanOrEqual(n - 1);
    }
    nodes.forEach((node, i) =>
      expect(states(viewers[i] as TestViewer)).toEqual(node === alone ? ['stale cluster'] : []),
    );
    alone.cut(false);
    await bench.time.advance(2_000);
    says(9);
    await bench.time.advance(2_000);
    neverBack(...viewers);
    for (const viewer of viewers) expect(shown(viewer).at(-1)).toBe('[9]');
    expect(new Set(viewers.map((viewer) => JSON.stringify(positions(viewer).at(-1)))).size).toBe(1);
  });

  it('a viewer who moves from it to another node, while it is cut off, is not taken back', async () => {
    await watchers();
    const [alone, other] = apart();
    alone.cut(true);
    says(1);
    await bench.time.advance(3_000);
    const moving = new TestViewer('m');
    const { newest } = await bench.join(alone, moving, 1);
    says(2);
    const { epoch, seq } = newest;
    const moved = await bench.join(other, moving, 1, { since: { epoch, seq } });
    expect([moved.resumed, moved.newest.epoch > epoch]).toEqual([false, true]);
    // Made up again and again, it does not make the channel begin anew for everybody each time.
    const made = { epoch: moved.newest.epoch + 1, seq: 1 };
    await expect(bench.join(other, new TestViewer('x'), 1, { since: made })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
  });

  it('goes on from a frame of its own: what was missed of them, on the same node', async () => {
    await watchers();
    const [alone] = apart();
    alone.cut(true);
    await bench.time.advance(2_000);
    const { newest } = await bench.join(alone, new TestViewer('m'), 1);
    for (let n = 1; n <= 3; n++) {
      says(n);
      await bench.time.advance(1_000);
    }
    const since = { epoch: newest.epoch, seq: newest.seq };
    const { resumed, missed } = await bench.join(alone, new TestViewer('m2'), 1, { since });
    expect([resumed, missed.map(({ rows: text }) => text)]).toEqual([true, ['[1]', '[2]', '[3]']]);
  });
});

it('who is a frame ahead of this node, which has not heard of it yet, goes on from there', async () => {
  const viewer = new TestViewer('1');
  await bench.join(a, viewer, 1);
  const { newest } = await bench.join(b, new TestViewer('2'), 1);
  b.frames.up = false;
  says(1);
  await bench.time.advance(1_100);
  b.frames.up = true;
  const ahead = { epoch: newest.epoch, seq: 2 };
  expect(viewer.frames.at(-1)).toMatchObject(ahead);
  const moved = await bench.join(b, new TestViewer('3'), 1, { since: ahead });
  expect([moved.resumed, moved.newest.seq, moved.newest.epoch]).toEqual([true, 2, newest.epoch]);
});

it('a position that no clock could have made is made up: the rows, and no new epoch', async () => {
  const { newest } = await bench.join(c, new TestViewer('1'), 1);
  const since = { epoch: newest.epoch + 3_600_000, seq: 1 };
  const { resumed, newest: given } = await bench.join(c, new TestViewer('2'), 1, { since });
  expect([resumed, given.epoch, given.seq]).toEqual([false, newest.epoch, 1]);
});
