import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { deal } from '../../src/rows/deal.js';

const sum = (dealt: ReadonlyMap<number, number>): number => [...dealt.values()].reduce((a, b) => a + b, 0);

describe('places', () => {
  it('are dealt in proportion to those who wait', () => {
    const waiting = new Map([
      [0, 30],
      [1, 10],
      [2, 0],
    ]);
    expect([...deal(20, waiting)]).toEqual([
      [0, 15],
      [1, 5],
    ]);
    expect([...deal(100, waiting)]).toEqual([
      [0, 30],
      [1, 10],
    ]);
    expect(deal(0, waiting).size + deal(-5, waiting).size).toBe(0);
  });

  it('are all dealt while anybody waits, and nobody gets more than there is use for', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 500 }),
        fc.array(fc.integer({ min: -5, max: 300 }), { maxLength: 16 }),
        (places, counts) => {
          const waiting = new Map(counts.map((count, slice) => [slice, count]));
          const dealt = deal(places, waiting);
          const wanted = counts.reduce((total, count) => total + Math.max(0, count), 0);
          expect(sum(dealt)).toBe(Math.min(places, wanted));
          for (const [slice, some] of dealt) {
            expect(some).toBeGreaterThan(0);
            expect(some).toBeLessThanOrEqual(waiting.get(slice)!);
          }
        },
      ),
    );
  });
});
