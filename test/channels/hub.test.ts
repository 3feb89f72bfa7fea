import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { PollcastError } from '../../src/errors.js';
import type { Joined } from '../../src/channels/hub.js';
import { HubBench, TestViewer, type HubNode } from './hub-bench.js';
import { rows } from '../polling/scripted-source.js';
import { topicT } from '../polling/poller-bench.js';

const KEY = 't?n=1';
let bench: HubBench;
let a: HubNode;
let b: HubNode;
beforeEach(async () => {
  bench = new HubBench();
  a = await bench.node('a');
  b = await bench.node('b');
});
afterEach(() => bench.close());

const says = (n: number): void => void bench.source.results.set(KEY, rows(`[${n}]`));
const seqs = (viewer: TestViewer): number[] => viewer.frames.map(({ seq }) => seq);

describe('watching', () => {
  it('gives viewers of all nodes the same frames by one poll', async () => {
    const [one, two] = [new TestViewer('1'), new TestViewer('2')];
    const joined = await bench.cluster.within(Promise.all([bench.watch(a, one, 1), bench.watch(b, two, 1)]));
    expect(joined.map(({ newest }) => newest.seq)).toEqual([1, 1]);
    says(7);
    const before = bench.source.rounds.length;
    await bench.time.advance(1_100);
    expect([seqs(one), seqs(two)]).toEqual([[2], [2]]);
    expect(bench.source.rounds.length - before).toBeLessThanOrEqual(2);
    expect(new Set(bench.cluster.nodes.flatMap(({ kernel }) => kernel.owned().map(({ name }) => name)))).toEqual(
      new Set(['poller:t']),
    );
  });

  it('opens a channel once for all who come while it opens', async () => {
    bench.source.hold();
    const viewers = Array.from({ length: 20 }, (_, i) => new TestViewer(`v${i}`));
    const joins = Promise.all(viewers.map((viewer) => bench.watch(a, viewer, 1)));
    await bench.time.advance(50);
    bench.source.release();
    await bench.cluster.within(joins);
    expect(bench.source.rounds.length).toBe(1);
    expect(a.hub.viewers).toBe(20);
  });

  it('leaves nothing when the first rows cannot be had', async () => {
    bench.source.results.set(KEY, { kind: 'failed', code: 'QUERY_TIMEOUT', message: 'slow' });
    const viewer = new TestViewer('1');
    await expect(bench.join(a, viewer, 1)).rejects.toMatchObject({ code: 'QUERY_TIMEOUT' });
    await bench.time.advance(10_000);
    expect([a.hub.viewers, a.hub.channelCount, a.hub.watching('1').size]).toEqual([0, 0, 0]);
    expect(await a.kernel.processes()).toEqual([]);
  });

  it('leaves nothing of a viewer that went while it was let in', async () => {
    bench.source.hold();
    const viewer = new TestViewer('1');
    const joining = bench.watch(a, viewer, 1);
    joining.catch(() => undefined);
    await bench.time.advance(20);
    viewer.gone = true;
    a.hub.leaveAll('1');
    bench.source.release();
    await expect(bench.cluster.within(joining)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await bench.time.advance(10_000);
    expect([a.hub.viewers, a.hub.channelCount]).toEqual([0, 0]);
    expect(await a.kernel.processes()).toEqual([]);
  });

  // A viewer whose first rows were seconds late, and gone by then, was asked for until they came (chaos, seed 1125).
  it('takes back at once what a viewer was being let in to when it went, though its first rows never come', async () => {
    bench.source.hold();
    const viewer = new TestViewer('1');
    const joining = bench.watch(a, viewer, 1);
    const refused = expect(joining).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await bench.time.until(() => bench.source.rounds.length > 0, 'its first rows to be asked for');
    expect(await a.kernel.holds('poller:t')).toHaveLength(1);
    viewer.gone = true;
    a.hub.leaveAll('1');
    await refused;
    await bench.time.advance(100);
    expect(await a.kernel.holds('poller:t')).toEqual([]);
    expect([a.hub.viewers, a.hub.channelCount]).toEqual([0, 0]);
    bench.source.release();
    await bench.time.advance(10_000);
    expect(bench.source.rounds.length).toBeLessThanOrEqual(3);
    expect(await a.kernel.processes()).toEqual([]);
  });

  it('who goes does not take along another one who is being let in', async () => {
    bench.source.hold();
    const joins = ['1', '2'].map((id) => bench.watch(a, new TestViewer(id), 1));
    const refused = expect(joins[0]).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await bench.time.until(() => bench.source.rounds.length > 0, 'the first rows to be asked for');
    a.hub.leaveAll('1');
    await refused;
    bench.source.release();
    expect((await bench.cluster.within(joins[1] as Promise<Joined>)).newest.seq).toBe(1);
    expect(a.hub.viewers).toBe(1);
  });

  it('begins nothing for a viewer that is gone already', async () => {
    const viewer = new TestViewer('1');
    viewer.gone = true;
    await expect(bench.join(a, viewer, 1)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await bench.time.advance(2_000);
    expect([a.hub.viewers, a.hub.channelCount, bench.source.rounds.length]).toEqual([0, 0, 0]);
    expect(await a.kernel.processes()).toEqual([]);
  });

  it('ends the poller after linger when the last viewer of all nodes is gone, and polls no more', async () => {
    await bench.join(a, new TestViewer('1'), 1);
    await bench.join(b, new TestViewer('2'), 1);
    a.hub.leaveAll('1');
    await bench.time.advance(5_000);
    expect(await a.kernel.processes()).toHaveLength(1);
    b.hub.unwatch('2', KEY);
    await bench.time.advance(3_500);
    const before = bench.source.rounds.length;
    await bench.time.advance(5_000);
    expect(bench.source.rounds.length).toBe(before);
    expect(await a.kernel.processes()).toEqual([]);
  });

  it("ends the poller of a killed node's viewers, too", async () => {
    await bench.join(a, new TestViewer('1'), 1);
    await bench.cluster.kill(a);
    await bench.time.advance(20_000);
    const before = bench.source.rounds.length;
    await bench.time.advance(5_000);
    expect(bench.source.rounds.length).toBe(before);
    expect(await b.kernel.processes()).toEqual([]);
  });

  it('goes on for the others when the polling node is killed, and no position goes back', async () => {
    await bench.join(a, new TestViewer('1'), 1);
    const viewer = new TestViewer('2');
    const { newest } = await bench.join(b, viewer, 1);
    await bench.cluster.kill(a);
    says(5);
    await bench.time.until(() => viewer.frames.length > 0);
    says(6);
    await bench.time.until(() => viewer.frames.length > 1);
    expect(viewer.frames.map(({ epoch, seq }) => [epoch, seq])).toEqual([
      [newest.epoch, 2],
      [newest.epoch, 3],
    ]);
  });

  it('throws NOT_SUBSCRIBED for what is not watched', () => {
    expect(() => a.hub.unwatch('1', KEY)).toThrow(PollcastError);
  });
});

describe('resuming', () => {
  let viewer: TestViewer;
  let at: { epoch: number; seq: number };
  beforeEach(async () => {
    viewer = new TestViewer('1');
    at = (await bench.join(a, viewer, 1)).newest;
  });
  const again = (seq: number, epoch = at.epoch) => bench.join(b, new TestViewer('2'), 1, { since: { epoch, seq } });

  it('needs nothing when nothing was missed', async () => {
    expect(await again(1)).toMatchObject({ resumed: true, missed: [] });
  });

  it('gives the frames that were missed, where they are kept', async () => {
    for (let n = 1; n <= 4; n++) {
      says(n);
      await bench.time.advance(1_000);
    }
    const { resumed, missed, newest } = await again(2);
    expect([resumed, missed.map(({ seq }) => seq), newest.seq]).toEqual([true, [3, 4, 5], 5]);
  });

  // Seen in chaos, seed 1125: what was stored while it was let in came with what it had missed, and once more with everybody else's.
  it('gives what is stored and not heard of here yet once, with everybody else', async () => {
    const here = new TestViewer('h');
    for (let n = 1; n <= 4; n++) {
      says(n);
      await bench.time.advance(1_000);
    }
    await bench.join(b, here, 1);
    a.frames.delay();
    b.frames.delay();
    says(9);
    await bench.time.until(
      async () => (await bench.stored.newest('poller:t', KEY))?.seq === 6,
      'another frame to be stored',
    );
    const back = new TestViewer('back');
    const { resumed, missed } = await bench.join(b, back, 1, { since: { epoch: at.epoch, seq: 2 } });
    expect([resumed, missed.map(({ seq }) => seq)]).toEqual([true, [3, 4, 5]]);
    a.frames.deliver();
    b.frames.deliver();
    expect([seqs(back), seqs(here)]).toEqual([[6], [6]]);
  });

  it('gives the rows when they are not kept, or the epoch is another one, or the position is made up', async () => {
    for (const [seq, epoch] of [
      [1, at.epoch - 1],
      [0, at.epoch],
      [99, at.epoch],
    ] as const) {
      const { resumed, missed } = await again(seq, epoch);
      // Seq 0 is the one before the first frame: that frame is all that was missed.
      expect([resumed, missed.length]).toEqual(seq === 0 ? [true, 1] : [false, 0]);
    }
    // The last one was ahead of the store, which may have lost frames: nobody may be taken back, so a new epoch began.
    expect(viewer.frames.at(-1)).toMatchObject({ seq: 1 });
    expect(viewer.frames.at(-1)?.epoch).toBeGreaterThan(at.epoch);
  });
});

describe('trouble on the way', () => {
  it('tells `stale` when the poller falls silent, once, and `live` when it is heard again', async () => {
    const viewer = new TestViewer('1');
    await bench.join(b, new TestViewer('0'), 1);
    await bench.join(a, viewer, 1);
    a.frames.up = false;
    await bench.time.advance(8_000);
    expect(viewer.statuses.map(({ state, reason }) => [state, reason])).toEqual([['stale', 'cluster']]);
    says(3);
    await bench.time.advance(1_500);
    expect(seqs(viewer)).toEqual([]);
    a.frames.up = true;
    await bench.time.advance(1_500);
    expect(viewer.statuses.map(({ state }) => state)).toEqual(['stale', 'live']);
    expect(seqs(viewer)).toEqual([2]);
  });

  it('brings a poller back that was stopped while somebody watches', async () => {
    const viewer = new TestViewer('1');
    await bench.join(a, viewer, 1);
    await bench.cluster.within(a.kernel.stop('poller:t'));
    expect(await a.kernel.processes()).toEqual([]);
    says(5);
    await bench.time.advance(10_000);
    expect((await a.kernel.processes()).map(({ name }) => name)).toEqual(['poller:t']);
    expect(viewer.frames.at(-1)?.rows).toBe('[5]');
    expect(viewer.statuses.at(-1)?.state).toBe('live');
  });

  it('catches up as soon as the link is back', async () => {
    const viewer = new TestViewer('1');
    await bench.join(a, viewer, 1);
    a.frames.cut(true);
    expect(viewer.statuses.map(({ state }) => state)).toEqual(['stale']);
    says(3);
    await bench.time.advance(1_200);
    a.frames.cut(false);
    await bench.time.advance(10);
    expect(seqs(viewer)).toEqual([2]);
    expect(viewer.statuses.map(({ state }) => state)).toEqual(['stale', 'live']);
  });

  it('tells a failure once, and gives it to who joins later', async () => {
    const viewer = new TestViewer('1');
    await bench.join(a, viewer, 1);
    bench.source.results.set(KEY, { kind: 'failed', code: 'QUERY_FAILED', message: 'no' });
    await bench.time.advance(6_000);
    expect(viewer.statuses.map(({ state, reason }) => [state, reason])).toEqual([['failed', 'QUERY_FAILED']]);
    const { channel } = await bench.join(b, new TestViewer('2'), 1);
    expect(channel.status).toMatchObject({ state: 'failed', reason: 'QUERY_FAILED' });
  });
});

describe('delivery', () => {
  it("thins one viewer's frames, and the newest always comes", async () => {
    const [slow, fast] = [new TestViewer('1'), new TestViewer('2')];
    await bench.join(a, slow, 1, { everyMs: 5_000 });
    await bench.join(a, fast, 1);
    for (let n = 1; n <= 12; n++) {
      says(n);
      await bench.time.advance(1_000);
    }
    await bench.time.advance(5_000);
    expect(fast.frames.length).toBe(12);
    expect(slow.frames.length).toBeLessThanOrEqual(4);
    expect(slow.frames.at(-1)?.seq).toBe(fast.frames.at(-1)?.seq);
  });

  it('works out a delta only where somebody wants it, and only for a topic with a key', async () => {
    bench.topic = topicT({ key: ['id'] });
    const table = (v: number): void =>
      void bench.source.results.set(
        KEY,
        rows(JSON.stringify(Array.from({ length: 9 }, (_, id) => ({ id, v: id ? 0 : v })))),
      );
    table(0);
    const plain = new TestViewer('1');
    await bench.join(a, plain, 1);
    table(1);
    await bench.time.advance(1_100);
    expect(plain.frames.at(-1)?.formFor({ epoch: plain.frames[0]?.epoch ?? 0, seq: 1 })).toBe('rows');
    const joined = await bench.join(a, new TestViewer('2'), 1, { delta: true });
    expect(joined.delta).toBe(true);
    table(2);
    await bench.time.advance(1_100);
    expect(plain.frames.at(-1)?.formFor(joined.newest)).toBe('delta');
    expect(plain.frames.at(-1)?.packet('delta')).toContain('"base":2,"upsert":[{"id":0,"v":2}],"remove":[]}');
  });

  it('gives the frames of one round to leave together, and sends them when all are given', async () => {
    const [both, one] = [new TestViewer('1'), new TestViewer('2')];
    const told: string[] = [];
    const keep = (viewer: TestViewer): void => {
      viewer.frame = (frame, writes) => {
        told.push(`${viewer.id}: ${frame.channel}`);
        writes?.add({ send: () => told.push(`${viewer.id}: sent`) });
      };
    };
    await bench.join(a, both, 1);
    await bench.join(a, both, 2);
    await bench.join(a, one, 1);
    for (const viewer of [both, one]) keep(viewer);
    bench.source.otherwise = rows('[9]');
    await bench.time.advance(1_100);
    expect(told.slice(0, 3).sort()).toEqual(['1: t?n=1', '1: t?n=2', '2: t?n=1']);
    expect(told.slice(3).sort()).toEqual(['1: sent', '1: sent', '2: sent']);
  });
});

describe('presence', () => {
  it("counts viewers and users over nodes, and tells who comes and goes, a killed node's too", async () => {
    bench.topic = topicT({ presence: true });
    const watcher = new TestViewer('1', 'ann');
    await bench.join(a, watcher, 1, { presence: true });
    await bench.join(b, new TestViewer('2', 'bob'), 1);
    await bench.join(b, new TestViewer('3', 'bob'), 1);
    await bench.time.advance(1_000);
    const { count, viewers } = await a.hub.present('1', KEY);
    expect([count, viewers.map(({ user, count: n }) => [user, n])]).toEqual([
      3,
      [
        ['ann', 1],
        ['bob', 2],
      ],
    ]);
    expect(watcher.news.at(-1)?.count).toBe(3);
    expect(watcher.news.flatMap(({ joins }) => joins)).toContain('bob');
    await bench.cluster.kill(b);
    await bench.time.advance(20_000);
    expect(watcher.news.at(-1)).toMatchObject({ channel: KEY, count: 1, leaves: ['bob'] });
  });
});
