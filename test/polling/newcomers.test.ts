import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Watched } from '../../src/polling/poller-parts.js';
import { PollerBench } from './poller-bench.js';

let bench: PollerBench;
beforeEach(() => {
  bench = new PollerBench();
});

describe('newcomers to a poller', () => {
  /** Watches one, and while that is asked for three more, one after the other. */
  const come = async (watch: (key: string) => Promise<Watched>): Promise<Promise<Watched>[]> => {
    bench.source.hold();
    const watched = [watch('t?n=1')];
    await bench.time.advance(1);
    for (const key of ['t?n=2', 't?n=3', 't?n=4']) {
      watched.push(watch(key));
      await bench.time.advance(2);
    }
    expect(bench.source.asked).toEqual([['t?n=1']]);
    return watched;
  };

  it('are gathered while one is asked for, and asked for together as soon as it is through', async () => {
    const { watch, stop } = await bench.start();
    const watched = await come(watch);
    bench.source.release();
    await bench.time.advance(1);
    expect(bench.source.asked).toEqual([['t?n=1'], ['t?n=2', 't?n=3', 't?n=4']]);
    expect((await bench.within(Promise.all(watched))).map(({ seq }) => seq)).toEqual([1, 1, 1, 1]);
    await stop('retired');
  });

  it('do not wait for one that is slow', async () => {
    const { watch, stop } = await bench.start();
    const watched = await come(watch);
    await bench.time.advance(30);
    expect(bench.source.asked).toEqual([['t?n=1'], ['t?n=2', 't?n=3', 't?n=4']]);
    bench.source.release();
    expect((await bench.within(Promise.all(watched))).map(({ seq }) => seq)).toEqual([1, 1, 1, 1]);
    await stop('retired');
  });

  it('wait for each other in a rush, and for nobody after it', async () => {
    const { watch, stop } = await bench.start();
    await bench.within(Promise.all([1, 2, 3, 4].map((n) => watch(`t?n=${n}`))));
    const late = watch('t?n=5');
    await bench.time.advance(10);
    const later = watch('t?n=6');
    await bench.time.advance(19);
    expect(bench.source.asked.at(-1)).toEqual(['t?n=1', 't?n=2', 't?n=3', 't?n=4']);
    await bench.time.advance(2);
    expect(bench.source.asked.at(-1)).toEqual(['t?n=5', 't?n=6']);
    await bench.within(Promise.all([late, later]));
    const alone = watch('t?n=7');
    await bench.time.advance(1);
    expect(bench.source.asked.at(-1)).toEqual(['t?n=7']);
    await bench.within(alone);
    await stop('retired');
  });
});
