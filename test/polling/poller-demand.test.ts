import { beforeEach, describe, expect, it } from '@jest/globals';
import { settle } from '../support/virtual-clock.js';
import { NAME, PollerBench, topicT } from './poller-bench.js';

let bench: PollerBench;
beforeEach(() => {
  bench = new PollerBench();
});

describe('the demand of a poller', () => {
  it('asks nothing after linger, and ends', async () => {
    const { watch, poller } = await bench.start();
    await bench.within(watch('t?n=1'));
    bench.held.clear();
    poller.holdsChanged();
    await bench.time.advance(5_200);
    const before = bench.source.rounds.length;
    await bench.time.advance(10_000);
    expect(bench.source.rounds.length).toBe(before);
    expect(bench.retired).toBe(true);
    expect(await bench.frames.all(NAME)).toEqual([]);
    expect(bench.time.pending).toBe(0);
  });

  it('forgets one channel after linger, and goes on with the others', async () => {
    const { watch, poller, stop } = await bench.start();
    await bench.within(Promise.all([watch('t?n=1'), watch('t?n=2')]));
    bench.held.delete('t?n=1');
    poller.holdsChanged();
    await bench.time.advance(7_000);
    expect((await bench.frames.all(NAME)).map(({ channel }) => channel)).toEqual(['t?n=2']);
    expect(bench.source.asked.at(-1)).toEqual(['t?n=2']);
    await stop('retired');
  });

  it('finds a leave at the next beat though nobody told it', async () => {
    const { watch } = await bench.start();
    await bench.within(watch('t?n=1'));
    bench.held.clear();
    await bench.time.advance(8_100);
    expect(bench.retired).toBe(true);
  });

  // Seen in chaos, seed 1125: a reading that had waited 0.4 s for a broken line put the next one off for 13 s, for which SQL went on.
  it('finds a leave in time though the reading before it took long', async () => {
    const { watch, poller } = await bench.start();
    await bench.within(watch('t?n=1'));
    bench.duringHolds = () => {
      bench.duringHolds = null;
      return new Promise((resume) => void bench.clock.after(430, resume));
    };
    await bench.time.until(() => bench.duringHolds === null, 'the demand to be read');
    await bench.time.advance(500);
    bench.held.clear();
    poller.holdsChanged();
    await bench.time.advance(5_200);
    const before = bench.source.rounds.length;
    await bench.time.advance(10_000);
    expect(bench.source.rounds.length).toBe(before);
    expect(bench.retired).toBe(true);
  });

  it('restarts nothing for a join within linger', async () => {
    const { watch, poller, stop } = await bench.start();
    const first = await bench.within(watch('t?n=1'));
    bench.held.clear();
    poller.holdsChanged();
    await bench.time.advance(4_000);
    const before = bench.source.rounds.length;
    expect(await watch('t?n=1')).toEqual(first);
    expect(bench.source.rounds.length).toBe(before);
    await bench.time.advance(10_000);
    expect(bench.retired).toBe(false);
    expect(bench.source.rounds.length - before).toBe(10);
    await stop('retired');
  });

  it('polls a channel that it only learns of by its hold', async () => {
    bench.held.add('t?n=4');
    const { poller, stop } = await bench.start();
    await bench.time.advance(5);
    expect(bench.told).toEqual(['t?n=4@1']);
    bench.held.add('t?n=5');
    poller.holdsChanged();
    await bench.time.advance(150);
    expect(bench.told).toEqual(['t?n=4@1', 't?n=5@1']);
    await stop('retired');
  });

  it('reads the demand a few times, not ten thousand, when ten thousand join', async () => {
    bench.settings.perSlot = 2_500;
    const { watch, stop } = await bench.start();
    const before = bench.holdsRead;
    const joins = Array.from({ length: 10_000 }, (_, i) => watch(`t?n=${i}`));
    await bench.within(Promise.all(joins));
    await bench.time.advance(500);
    expect(bench.holdsRead - before).toBeLessThan(10);
    expect(bench.source.asked[0]?.length).toBe(10_000);
    await stop('retired');
  });

  it('does not take a hold on nonsense for a channel', async () => {
    bench.held.add('other?n=1').add('t?n=%%').add('t?n=1');
    const { stop } = await bench.start();
    await bench.time.advance(1_200);
    expect(new Set(bench.source.asked.flat())).toEqual(new Set(['t?n=1']));
    await stop('retired');
  });

  it('keeps a channel whose join is younger than what was read of the demand', async () => {
    bench.settings.lingerMs = 0;
    bench.topic = topicT({ intervalMs: 60_000 });
    const { watch, poller, stop } = await bench.start();
    await bench.within(Promise.all([watch('t?n=1'), watch('t?n=2')]));
    bench.held.delete('t?n=1');
    poller.holdsChanged();
    await bench.time.advance(200);
    // Joined while the sweep's reading, which does not have its hold, is on its way back.
    let joined: Promise<unknown> | null = null;
    bench.duringHolds = () => {
      bench.duringHolds = null;
      joined = watch('t?n=1');
    };
    await bench.time.until(() => joined !== null);
    await bench.within(joined as unknown as Promise<unknown>);
    await bench.time.advance(5);
    expect(await bench.frames.newest(NAME, 't?n=1')).not.toBeNull();
    await stop('retired');
  });

  it('survives 200 races of the last leave with a join: nobody without frames, nothing left over', async () => {
    bench.settings.lingerMs = 0;
    bench.topic = topicT({ intervalMs: 60_000 });
    let { poller, stop } = await bench.start();
    for (let round = 0; round < 200; round++) {
      await bench.within(bench.watch(poller, 't?n=1'));
      bench.held.clear();
      poller.holdsChanged();
      // Each time a little later on the way from the last leave to the end.
      await bench.time.advance(900 + (round % 20) * 10);
      for (let turn = 0; turn < round % 7; turn++) await settle(1);
      bench.held.add('t?n=1');
      if (bench.retired) {
        // The hold came after the end: it makes a new poller.
        await bench.time.advance(0);
        bench.retired = false;
        ({ poller, stop } = await bench.start('first'));
      }
      const watched = await bench.within(bench.watch(poller, 't?n=1'));
      await bench.time.advance(5);
      expect(await bench.frames.newest(NAME, 't?n=1')).toMatchObject({ epoch: watched.epoch, seq: watched.seq });
    }
    await stop('retired');
    expect(await bench.frames.all(NAME)).toEqual([]);
    expect(bench.time.pending).toBe(0);
  });
});
