import { beforeEach, describe, expect, it } from '@jest/globals';
import { Later } from '../../src/kernel/kind.js';
import type { Poller } from '../../src/polling/poller.js';
import type { Watched } from '../../src/polling/poller-parts.js';
import { PollerBench } from './poller-bench.js';
import { rows } from './scripted-source.js';

const KEY = 't?n=1';
let bench: PollerBench;
beforeEach(() => {
  bench = new PollerBench();
});

/** A node that has polled for itself is back, and says where it stands. */
async function back(poller: Poller, epoch: number): Promise<Watched> {
  const answer = poller.handle({ do: 'watch', channel: KEY, above: { epoch, seq: 11 }, alone: true });
  return answer instanceof Later ? answer.answer : answer;
}

/** What the store has, which is what the node takes. */
async function stored(): Promise<{ epoch: number; rows: string }> {
  const frame = await bench.frames.newest('poller:t', KEY);
  if (!frame) throw new Error('no frame');
  return { epoch: frame.epoch, rows: frame.rows };
}

describe('a node that has polled for itself comes back', () => {
  // Seen in chaos, seed 1125: the cluster had begun its epoch 70 ms after the node had begun one, and polled no more.
  it.each([-70, 70])(
    'its epoch began %i ms from ours: it gets an epoch above both, and the result of now',
    async (ms) => {
      const { poller, watch, stop } = await bench.start();
      bench.source.results.set(KEY, rows('["old"]'));
      const first = await bench.within(watch(KEY));
      bench.source.results.set(KEY, rows('["new"]'));
      const watched = await bench.within(back(poller, first.epoch + ms));
      expect(watched.epoch).toBeGreaterThan(Math.max(first.epoch, first.epoch + ms));
      expect(await stored()).toEqual({ epoch: watched.epoch, rows: '["new"]' });
      await stop('retired');
    },
  );

  it('a round that is under way may be too old for it: the next one answers', async () => {
    const { poller, watch, stop } = await bench.start();
    const first = await bench.within(watch(KEY));
    bench.source.hold();
    const before = bench.source.rounds.length;
    await bench.time.until(() => bench.source.rounds.length > before, 'a round to begin');
    const coming = back(poller, first.epoch - 70);
    bench.source.release();
    const watched = await bench.within(coming);
    expect(bench.source.rounds.length).toBe(before + 2);
    expect((await stored()).epoch).toBe(watched.epoch);
    expect(watched.epoch).toBeGreaterThan(first.epoch);
    await stop('retired');
  });

  it('others that ask meanwhile get that frame too, and afterwards the channel goes on in its epoch', async () => {
    const { poller, watch, stop } = await bench.start();
    const first = await bench.within(watch(KEY));
    const [one, two] = await bench.within(Promise.all([back(poller, first.epoch - 70), watch(KEY)]));
    expect([two.epoch, two.seq]).toEqual([one.epoch, one.seq]);
    bench.source.results.set(KEY, rows('["later"]'));
    await bench.time.advance(2_000);
    const after = await bench.within(watch(KEY));
    expect([after.epoch, after.seq]).toEqual([one.epoch, one.seq + 1]);
    await stop('retired');
  });
});
