import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { pollerSpec } from '../../src/polling/names.js';
import { rows } from '../polling/scripted-source.js';
import { HubBench, TestViewer, type HubNode } from './hub-bench.js';

const KEYS = [0, 1, 2, 3, 4, 5].map((n) => `t?n=${n}`);
let bench: HubBench;
let nodes: HubNode[];
beforeEach(async () => {
  bench = new HubBench();
  nodes = [];
  for (const name of ['a', 'b', 'c']) nodes.push(await bench.node(name, 'local'));
});
afterEach(async () => {
  for (const node of nodes) node.cut(false);
  await bench.time.advance(5_000);
  await bench.close();
});

const says = (value: number): void => KEYS.forEach((key) => bench.source.results.set(key, rows(`[${value}]`)));
const valuesOf = (viewer: TestViewer): number[] =>
  viewer.frames.map((frame) => (JSON.parse(frame.rows) as [number])[0]);
const pollers = async (): Promise<string[]> =>
  (await (nodes[0] as HubNode).kernel.processes()).map(({ name }) => name).sort();
const homes = (): string[] => [...new Set(KEYS.map((key) => pollerSpec(bench.topic, key).name))].sort();

/** A viewer of each channel on each node. */
async function everywhere(): Promise<TestViewer[]> {
  const viewers: TestViewer[] = [];
  for (const [i, node] of nodes.entries())
    for (const n of KEYS.keys()) {
      const viewer = new TestViewer(`${i}-${n}`);
      viewer.frames.push((await bench.join(node, viewer, n)).newest);
      viewers.push(viewer);
    }
  return viewers;
}

/** Positions and results only ever went forward. */
function neverBack(viewers: readonly TestViewer[]): void {
  for (const { id, frames } of viewers)
    frames.forEach((now, i) => {
      const before = frames[i - 1];
      if (!before) return;
      const forward = now.epoch > before.epoch || (now.epoch === before.epoch && now.seq === before.seq + 1);
      const [is, was] = [now, before].map((frame) => (JSON.parse(frame.rows) as [number])[0]) as [number, number];
      expect([id, i, forward, is >= was]).toEqual([id, i, true, true]);
    });
}

it.each([
  [1, 3],
  [3, 1],
  [2, 5],
])(
  'partitions: %i becomes %i under its viewers: they go to the new pollers, and none is taken back',
  async (from, to) => {
    bench.changeTopic({ partitions: from });
    says(0);
    const viewers = await everywhere();
    expect(await pollers()).toEqual(homes());
    for (let n = 1; n <= 12; n++) {
      if (n === 4) bench.changeTopic({ partitions: to });
      says(n);
      await bench.time.advance(400);
    }
    await bench.time.advance(2_000);
    for (const viewer of viewers) {
      expect([viewer.id, valuesOf(viewer).at(-1)]).toEqual([viewer.id, 12]);
      // Nothing was told them of it, and nobody waited: a result came about once an interval all the while.
      expect(viewer.statuses).toEqual([]);
      expect(valuesOf(viewer).length).toBeGreaterThanOrEqual(5);
    }
    neverBack(viewers);
    // One poller for each channel again, whoever joins, and nothing of the former ones.
    await bench.time.advance(10_000);
    expect(await pollers()).toEqual(homes());
    for (const n of KEYS.keys()) {
      const late = await bench.join(nodes[n % 3] as HubNode, new TestViewer(`late${n}`), n);
      const seen = viewers.filter(({ id }) => id.endsWith(`-${n}`)).map(({ frames }) => frames.at(-1));
      for (const frame of seen) expect([frame?.epoch, frame?.seq]).toEqual([late.newest.epoch, late.newest.seq]);
    }
    const asked = bench.source.rounds.length;
    await bench.time.advance(10_000);
    const perInterval = (bench.source.rounds.length - asked) / 10;
    expect(perInterval).toBeLessThanOrEqual(homes().length);
    // The last viewer's leave is told to the poller that has them now.
    for (const node of nodes) for (const { id } of viewers) node.hub.leaveAll(id);
    for (const n of KEYS.keys()) nodes[n % 3]?.hub.leaveAll(`late${n}`);
    await bench.time.advance(10_000);
    expect(await pollers()).toEqual([]);
  },
);

it('a node that is cut off while the partitions change brings its viewers to the new pollers when it is back', async () => {
  says(0);
  const viewers = await everywhere();
  const cut = nodes[2] as HubNode;
  cut.cut(true);
  await bench.time.advance(2_500);
  bench.changeTopic({ partitions: 3 });
  for (let n = 1; n <= 6; n++) {
    says(n);
    await bench.time.advance(700);
  }
  cut.cut(false);
  await bench.time.advance(15_000);
  says(7);
  await bench.time.advance(3_000);
  for (const viewer of viewers) expect([viewer.id, valuesOf(viewer).at(-1)]).toEqual([viewer.id, 7]);
  neverBack(viewers);
  expect(await pollers()).toEqual(homes());
});

it('who is let in while the partitions change gets rows of the new poller', async () => {
  says(1);
  bench.source.hold();
  const joining = bench.watch(nodes[0] as HubNode, new TestViewer('1'), 1);
  await bench.time.until(() => bench.source.rounds.length > 0, 'its first rows to be asked for');
  bench.changeTopic({ partitions: 3 });
  bench.source.release();
  const { newest, channel } = await bench.cluster.within(joining);
  expect([newest.rows, channel.link.process.name]).toEqual(['[1]', pollerSpec(bench.topic, 't?n=1').name]);
  await bench.time.advance(10_000);
  expect(await pollers()).toEqual([pollerSpec(bench.topic, 't?n=1').name]);
});
