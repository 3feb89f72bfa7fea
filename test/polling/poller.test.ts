import { beforeEach, describe, expect, it } from '@jest/globals';
import { PollcastError } from '../../src/errors.js';
import { NAME, PollerBench, topicT } from './poller-bench.js';
import { rows } from './scripted-source.js';

let bench: PollerBench;
beforeEach(() => {
  bench = new PollerBench();
});

describe('when a poller polls', () => {
  it('asks for a cold channel at once, and for many of one moment in one ask', async () => {
    const { watch, stop } = await bench.start();
    const watched = await bench.within(Promise.all([watch('t?n=1'), watch('t?n=2'), watch('t?n=3')]));
    expect(watched.map(({ seq }) => seq)).toEqual([1, 1, 1]);
    expect(bench.source.asked).toEqual([['t?n=1', 't?n=2', 't?n=3']]);
    expect(bench.time.elapsed).toBeLessThan(50);
    await stop('retired');
  });

  it('polls on a grid of the wall clock, once each interval, without drift', async () => {
    const { watch, stop } = await bench.start();
    await bench.within(watch('t?n=1'));
    const times: number[] = [];
    for (let before = bench.source.rounds.length; times.length < 20;) {
      await bench.time.until(() => bench.source.rounds.length > before);
      before = bench.source.rounds.length;
      times.push(bench.clock.now());
    }
    expect(new Set(times.slice(1).map((time, i) => time - (times[i] ?? 0)))).toEqual(new Set([1_000]));
    await stop('retired');
  });

  it('leaves a late round out and does not queue it', async () => {
    const { watch, stop } = await bench.start();
    await bench.within(watch('t?n=1'));
    await bench.time.advance(1_000);
    const before = bench.source.rounds.length;
    bench.source.hold();
    await bench.time.advance(3_500);
    expect(bench.source.rounds.length - before).toBe(1);
    expect(bench.skipped.length).toBeGreaterThanOrEqual(2);
    bench.source.release();
    await bench.time.advance(10);
    expect(bench.source.rounds.length - before).toBe(1);
    await stop('retired');
  });

  it.each([-3_600_000, 3_600_000])(
    'goes on within an interval when the wall clock is stepped by %i ms',
    async (step) => {
      const { watch, stop } = await bench.start();
      await bench.within(watch('t?n=1'));
      await bench.time.advance(2_500);
      bench.clock.step(step);
      const before = bench.source.rounds.length;
      await bench.time.advance(3_100);
      expect(bench.source.rounds.length - before).toBeGreaterThanOrEqual(2);
      expect(bench.source.rounds.length - before).toBeLessThanOrEqual(4);
      await stop('retired');
    },
  );

  it('spreads many channels over the interval, each asked once in it', async () => {
    const { watch, stop } = await bench.start();
    const keys = Array.from({ length: 1_000 }, (_, i) => `t?n=${i}`);
    await bench.within(Promise.all(keys.map((key) => watch(key))));
    await bench.time.advance(2_000);
    const before = bench.source.rounds.length;
    await bench.time.advance(1_000);
    const rounds = bench.source.asked.slice(before);
    expect(rounds.length).toBe(4);
    expect(rounds.flat().sort()).toEqual([...keys].sort());
    await stop('retired');
  });

  it('stretches an interval that rounds do not fit in, says so, and comes back', async () => {
    const { watch, stop } = await bench.start();
    await bench.within(watch('t?n=1'));
    await bench.time.advance(1_000);
    bench.source.hold();
    const before = bench.source.rounds.length;
    await bench.time.until(() => bench.source.rounds.length > before);
    await bench.time.advance(2_500);
    bench.source.release();
    await bench.time.advance(10);
    expect(bench.factors).toEqual([3]);
    expect(bench.statuses.at(-1)).toBe('t?n=1 live slow');
    await bench.time.until(() => bench.factors.at(-1) === 1);
    await bench.time.advance(1_100);
    expect(bench.statuses.at(-1)).toBe('t?n=1 live');
    const recovered = bench.source.rounds.length;
    await bench.time.advance(5_000);
    expect(bench.source.rounds.length - recovered).toBe(5);
    await stop('retired');
  });

  it('goes on asking at the stretched pace at once, and so finds out that there is no need for it', async () => {
    bench.settings.perSlot = 1;
    const { watch, stop } = await bench.start();
    await bench.within(Promise.all(Array.from({ length: 20 }, (_, n) => watch(`t?n=${n}`))));
    await bench.time.advance(2_000);
    bench.source.hold();
    const before = bench.source.rounds.length;
    await bench.time.until(() => bench.source.rounds.length > before);
    await bench.time.advance(3_000);
    bench.source.release();
    await bench.time.advance(10);
    const [stretched = 1] = bench.factors;
    expect(stretched).toBeGreaterThan(5);
    // Each slot comes once in the stretched interval, whenever its channels were asked for before.
    const slotMs = (stretched * 1_000) / 20;
    const asked = bench.source.rounds.length;
    await bench.time.advance(3 * slotMs + 10);
    expect(bench.source.rounds.length - asked).toBeGreaterThanOrEqual(3);
    await stop('retired');
  });
});

describe('what a poller publishes', () => {
  it('publishes only what changed, seq by seq', async () => {
    const { watch, stop } = await bench.start();
    await bench.within(watch('t?n=1'));
    await bench.time.advance(3_000);
    bench.source.results.set('t?n=1', rows('[2]'));
    await bench.time.advance(3_000);
    bench.source.results.set('t?n=1', rows('[3]'));
    await bench.time.advance(3_000);
    expect(bench.told).toEqual(['t?n=1@1', 't?n=1@2', 't?n=1@3']);
    await stop('retired');
  });

  it('serves a late joiner without a query', async () => {
    const { watch, stop } = await bench.start();
    const first = await bench.within(watch('t?n=1'));
    const asked = bench.source.rounds.length;
    expect(await watch('t?n=1')).toEqual(first);
    expect(bench.source.rounds.length).toBe(asked);
    await stop('retired');
  });

  it('keeps the mark of a `changed:` query, in its frame too', async () => {
    const { watch, stop } = await bench.start();
    bench.source.results.set('t?n=1', rows('[1]', 'm1'));
    await bench.within(watch('t?n=1'));
    await bench.time.advance(1_100);
    expect(bench.source.rounds.at(-1)?.asks[0]?.mark).toBe('m1');
    expect((await bench.frames.newest(NAME, 't?n=1'))?.mark).toBe('m1');
    // The mark moved, the rows did not.
    bench.source.results.set('t?n=1', rows('[1]', 'm2'));
    await bench.time.advance(2_100);
    expect(bench.source.rounds.at(-1)?.asks[0]?.mark).toBe('m2');
    expect(bench.told).toEqual(['t?n=1@1']);
    await stop('retired');
  });

  it('shows a sign of life at each beat, with the time of the last poll, not of the beat', async () => {
    bench.topic = topicT({ intervalMs: 600_000 });
    const { watch, stop } = await bench.start();
    await bench.within(watch('t?n=1'));
    const polledAt = bench.rounds.at(-1)?.polledAt;
    const before = bench.rounds.length;
    await bench.time.advance(3_500);
    expect(bench.rounds.length - before).toBe(3);
    expect(bench.rounds.at(-1)?.polledAt).toBe(polledAt);
    await stop('retired');
  });

  it.each(['before', 'after'] as const)(
    'never loses a change, nor doubles it, when the store fails %s it has stored',
    async (when) => {
      const { watch, stop } = await bench.start();
      bench.source.results.set('t?n=1', rows('["A"]'));
      await bench.within(watch('t?n=1'));
      bench.frames.failing = when;
      bench.source.results.set('t?n=1', rows('["B"]'));
      await bench.time.advance(1_000);
      expect(bench.frames.failures).toBeGreaterThan(0);
      // It is what it was before; who has been told B must hear of A again.
      bench.source.results.set('t?n=1', rows('["A"]'));
      bench.frames.failing = null;
      await bench.time.advance(2_000);
      expect(await bench.frames.newest(NAME, 't?n=1')).toMatchObject({ rows: '["A"]', seq: when === 'before' ? 1 : 3 });
      await stop('retired');
    },
  );

  it('does not spin while the store fails', async () => {
    const { watch, stop } = await bench.start();
    bench.frames.failing = 'before';
    await expect(bench.within(watch('t?n=1'))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await bench.time.advance(5_000);
    expect(bench.source.rounds.length).toBeLessThanOrEqual(7);
    bench.frames.failing = null;
    await bench.time.advance(1_100);
    expect(bench.told).toContain('t?n=1@1');
    await stop('retired');
  });

  it('publishes everything anew when the store has lost its data', async () => {
    const { watch, stop } = await bench.start();
    const first = await bench.within(watch('t?n=1'));
    bench.frames.wipe();
    await bench.time.advance(2_100);
    const again = await bench.frames.newest(NAME, 't?n=1');
    expect(again?.rows).toBe('[{"n":0}]');
    expect(again?.epoch).toBeGreaterThan(first.epoch);
    await stop('retired');
  });
});

describe('a poller that changes hands', () => {
  it('goes on with seq and epoch after a takeover, at once, and publishes only what changed', async () => {
    const first = await bench.start();
    const before = await bench.within(first.watch('t?n=1'));
    await bench.within(first.watch('t?n=2'));
    first.owning.owns = false;
    bench.source.results.set('t?n=2', rows('[7]'));
    const second = await bench.start('takeover');
    await bench.time.advance(5);
    expect(bench.told).toEqual(['t?n=1@1', 't?n=2@1', 't?n=2@2']);
    expect(await second.watch('t?n=1')).toMatchObject({ epoch: before.epoch, seq: 1 });
    await Promise.all([first.stop('lease-lost'), second.stop('retired')]);
  });

  it('forgets frames of channels that nobody holds any more', async () => {
    const first = await bench.start();
    await bench.within(Promise.all([first.watch('t?n=1'), first.watch('t?n=2')]));
    await first.stop('lease-lost');
    bench.held.delete('t?n=1');
    const second = await bench.start('takeover');
    expect((await bench.frames.all(NAME)).map(({ channel }) => channel)).toEqual(['t?n=2']);
    await second.stop('retired');
  });

  it('misses no due time at a handover, and doubles none', async () => {
    const first = await bench.start();
    await bench.within(first.watch('t?n=1'));
    await bench.time.advance(2_000);
    const due: number[] = [];
    let seen = bench.source.rounds.length;
    const note = (): boolean => {
      for (; seen < bench.source.rounds.length; seen++) due.push(bench.clock.now());
      return false;
    };
    await bench.time.until(() => note() || due.length === 2);
    await first.stop('handover');
    const second = await bench.start('handover');
    await bench.time.until(() => note() || due.length === 5);
    expect(new Set(due.slice(1).map((time, i) => time - (due[i] ?? 0)))).toEqual(new Set([1_000]));
    await second.stop('retired');
  });

  it('makes up for the round that the handover cut short', async () => {
    const first = await bench.start();
    await bench.within(first.watch('t?n=1'));
    await bench.time.advance(1_500);
    bench.source.hold();
    const before = bench.source.rounds.length;
    await bench.time.until(() => bench.source.rounds.length > before);
    bench.source.results.set('t?n=1', rows('["new"]'));
    const stopped = first.stop('handover');
    bench.source.release();
    await bench.within(stopped);
    expect(bench.told).toEqual(['t?n=1@1']);
    const second = await bench.start('handover');
    await bench.time.advance(5);
    expect(bench.told).toEqual(['t?n=1@1', 't?n=1@2']);
    await second.stop('retired');
  });

  it('publishes nothing when the lease is lost in the middle of a round, and does not ask on', async () => {
    const { watch, owning, stop } = await bench.start();
    bench.source.hold();
    const answer = watch('t?n=1');
    answer.catch(() => undefined);
    await bench.time.advance(5);
    owning.owns = false;
    bench.source.release();
    await bench.time.advance(20_000);
    expect(bench.source.rounds.map(({ mayQuery }) => mayQuery())).toEqual([false]);
    expect(bench.told).toEqual([]);
    await stop('lease-lost');
    await expect(answer).rejects.toMatchObject({ details: { 'not-here': true } });
  });

  it('is silent from the moment that another has opened the frames', async () => {
    const first = await bench.start();
    await bench.within(first.watch('t?n=1'));
    const second = await bench.start('takeover');
    await bench.time.advance(100);
    const before = bench.rounds.length;
    bench.source.results.set('t?n=1', rows('["late"]'));
    await second.stop('lease-lost');
    await bench.time.advance(3_000);
    expect(bench.rounds.length).toBe(before);
    await first.stop('lease-lost');
  });
});

describe('channels that fail', () => {
  const failure = { kind: 'failed', code: 'QUERY_FAILED', message: 'no' } as const;

  it('refuses a watch whose first rows cannot be had, with the code', async () => {
    const { watch, stop } = await bench.start();
    bench.source.results.set('t?n=1', failure);
    await expect(bench.within(watch('t?n=1'))).rejects.toMatchObject({ code: 'QUERY_FAILED' });
    const asked = bench.source.rounds.length;
    await expect(bench.within(watch('t?n=1'))).rejects.toMatchObject({ code: 'QUERY_FAILED' });
    expect(bench.source.rounds.length).toBe(asked);
    await expect(watch('t?n=x')).rejects.toBeInstanceOf(PollcastError);
    await stop('retired');
  });

  it('backs off alone, and tells failed, then live', async () => {
    const { watch, stop } = await bench.start();
    await bench.within(Promise.all([watch('t?n=1'), watch('t?n=2')]));
    bench.source.results.set('t?n=1', failure);
    const before = bench.source.asked.length;
    await bench.time.advance(20_000);
    const rounds = bench.source.asked.slice(before);
    expect(rounds.filter((keys) => keys.includes('t?n=2')).length).toBe(20);
    expect(rounds.filter((keys) => keys.includes('t?n=1')).length).toBeLessThan(7);
    expect(bench.statuses.at(-1)).toBe('t?n=1 failed QUERY_FAILED');
    // Who joins now has the last rows, and knows that they are old.
    expect(await watch('t?n=1')).toMatchObject({ seq: 1, state: 'failed', reason: 'QUERY_FAILED' });
    bench.source.results.delete('t?n=1');
    await bench.time.advance(31_000);
    expect(bench.statuses.at(-1)).toBe('t?n=1 live');
    expect(bench.statuses.filter((status) => status.includes('failed')).length).toBe(1);
    await stop('retired');
  });

  it('tells of an outage, counts it against nobody, and polls all at once when it is over', async () => {
    const { watch, stop } = await bench.start();
    await bench.within(Promise.all([watch('t?n=1'), watch('t?n=2')]));
    bench.source.down = true;
    await bench.time.advance(10_000);
    expect(bench.statuses.slice(-2).sort()).toEqual(['t?n=1 stale database', 't?n=2 stale database']);
    await expect(bench.within(watch('t?n=3'))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const pings = bench.source.pings;
    bench.source.down = false;
    const before = bench.source.rounds.length;
    await bench.time.until(() => bench.source.rounds.length > before);
    expect(bench.source.pings).toBe(pings + 1);
    expect(bench.source.asked.at(-1)?.sort()).toEqual(['t?n=1', 't?n=2', 't?n=3']);
    await bench.time.advance(5);
    expect(bench.statuses.filter((status) => status.endsWith('live')).length).toBeGreaterThanOrEqual(2);
    await stop('retired');
  });
});

describe('a topic that changes under its poller', () => {
  it("asks the new statement at once, and drops the old one's answers", async () => {
    const { watch, stop } = await bench.start();
    await bench.within(watch('t?n=1'));
    bench.source.hold();
    const before = bench.source.rounds.length;
    await bench.time.until(() => bench.source.rounds.length > before);
    bench.change(topicT({ version: '2', intervalMs: 5_000 }));
    bench.source.results.set('t?n=1', rows('["new"]'));
    bench.source.release();
    await bench.time.advance(5);
    expect(bench.source.rounds.at(-1)).toMatchObject({ topic: { version: '2' }, asks: [{ hash: undefined }] });
    expect(bench.told).toEqual(['t?n=1@1', 't?n=1@2']);
    const rounds = bench.source.rounds.length;
    await bench.time.advance(10_000);
    expect(bench.source.rounds.length - rounds).toBe(2);
    await stop('retired');
  });

  it('fails its channels while it is gone, asks nothing, and goes on when it is back', async () => {
    const { watch, stop } = await bench.start();
    await bench.within(watch('t?n=1'));
    bench.source.hold();
    const before = bench.source.rounds.length;
    await bench.time.until(() => bench.source.rounds.length > before);
    bench.change(new PollcastError('UNKNOWN_TOPIC', 'gone'));
    bench.source.release();
    await bench.time.advance(20_000);
    expect(bench.statuses.at(-1)).toBe('t?n=1 failed UNKNOWN_TOPIC');
    expect(bench.source.rounds.length).toBe(before + 1);
    await expect(watch('t?n=2')).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC' });
    bench.change(topicT());
    await bench.time.advance(5);
    expect(bench.statuses.at(-1)).toContain('live');
    await stop('retired');
  });

  it('fails a channel that the new version does not have, and no other', async () => {
    const { watch, stop } = await bench.start();
    await bench.within(Promise.all([watch('t?n=1'), watch('t?n=200')]));
    bench.change(topicT({ version: '2', params: [{ name: 'n', type: 'int', default: 0, max: 100 }] }));
    await bench.time.advance(3_000);
    expect(bench.statuses.at(-1)).toBe('t?n=200 failed INVALID_PARAMS');
    expect(bench.statuses).not.toContain('t?n=1 failed INVALID_PARAMS');
    expect(bench.source.asked.slice(-2).flat()).toEqual(['t?n=1', 't?n=1']);
    await stop('retired');
  });
});
