import { describe, expect, it } from '@jest/globals';
import { NOTHING_YET, rates, sum, TopicFigures } from '../../../src/ops/console/topic-figures.js';

describe('figures of topics', () => {
  it('add up over nodes, with the last error of all', () => {
    const [a, b] = [new TopicFigures(), new TopicFigures()];
    a.add('t', { polls: 3, changed: 1, asks: 1, askSeconds: 0.1 });
    a.note('t', { error: 'QUERY_TIMEOUT', errorAt: 20 });
    b.add('t', { polls: 2, frames: 1, bytes: 100 });
    b.note('t', { stretch: 2, error: 'QUERY_FAILED', errorAt: 10 });
    expect(sum([a.samples['t'] ?? NOTHING_YET, b.samples['t'] ?? NOTHING_YET])).toEqual({
      polls: 5,
      changed: 1,
      asks: 1,
      askSeconds: 0.1,
      frames: 1,
      bytes: 100,
      stretch: 2,
      error: 'QUERY_TIMEOUT',
      errorAt: 20,
    });
  });

  it('are rates between two samples', () => {
    const before = { ...NOTHING_YET, polls: 10, changed: 2, asks: 5, askSeconds: 1, frames: 2, bytes: 200 };
    const now = { ...before, polls: 20, changed: 4, asks: 7, askSeconds: 1.1, frames: 4, bytes: 1_200 };
    expect(rates(before, now, 2)).toEqual({
      queryMs: expect.closeTo(50),
      pollsPerSecond: 5,
      changesPerSecond: 1,
      frameBytes: 500,
      stretch: 1,
      error: null,
    });
  });

  it('say nothing that cannot be known: no sample before, or one that fell when a node left', () => {
    const now = { ...NOTHING_YET, polls: 4, asks: 2, askSeconds: 0.2 };
    const unknown = { pollsPerSecond: null, changesPerSecond: null, frameBytes: null };
    expect(rates(undefined, now, 2)).toMatchObject({ ...unknown, queryMs: expect.closeTo(100) });
    expect(rates({ ...now, polls: 9 }, now, 2)).toMatchObject(unknown);
    expect(rates(undefined, NOTHING_YET, 2)).toMatchObject({ ...unknown, queryMs: null });
  });
});
