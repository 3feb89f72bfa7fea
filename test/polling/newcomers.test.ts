import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Watched } from '../../src/polling/poller-parts.js';
import { PollerBench } from './poller-bench.js';

let bench: PollerBench;
beforeEach(() => {
  bench = new PollerBench();
});

describe('while a cold channel is asked for', () => {
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

  it('gathers those who come, and asks for them in one ask as soon as the first is through', async () => {
    const { watch, stop } = await bench.start();
    const watched = await come(watch);
    bench.source.release();
    await bench.time.advance(1);
    expect(bench.source.asked).toEqual([['t?n=1'], ['t?n=2', 't?n=3', 't?n=4']]);
    expect((await bench.within(Promise.all(watched))).map(({ seq }) => seq)).toEqual([1, 1, 1, 1]);
    await stop('retired');
  });

  it('does not let them wait for one that is slow', async () => {
    const { watch, stop } = await bench.start();
    const watched = await come(watch);
    await bench.time.advance(30);
    expect(bench.source.asked).toEqual([['t?n=1'], ['t?n=2', 't?n=3', 't?n=4']]);
    bench.source.release();
    expect((await bench.within(Promise.all(watched))).map(({ seq }) => seq)).toEqual([1, 1, 1, 1]);
    await stop('retired');
  });
});
