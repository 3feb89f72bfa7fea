import { describe, expect, test } from '@jest/globals';

import { BatchSize } from '../../../src/polling/sources/batch-size.js';

const make = (): BatchSize => new BatchSize({ targetMs: 40, max: 1000, targetBytes: 1_000_000 });

/** Statements of the size that it asks for, at so many ms each. */
function settled(msEach: number, bytesEach = 0): BatchSize {
  const size = make();
  for (let i = 0; i < 12; i++) size.record(size.limit, size.limit * msEach, size.limit * bytesEach);
  return size;
}

describe('BatchSize', () => {
  test('starts small, grows at most fourfold, stops at the maximum', () => {
    const size = make();
    const limits = [];
    for (let i = 0; i < 6; i++) {
      limits.push(size.limit);
      size.record(size.limit, size.limit * 0.001, 0);
    }
    expect(limits).toEqual([8, 32, 128, 512, 1000, 1000]);
  });

  test('settles where a statement takes its target', () => {
    expect(settled(0.1).limit).toBe(400);
    expect(settled(10).limit).toBe(4);
    expect(settled(500).limit).toBe(1);
    expect(settled(0.001, 10_000).limit).toBe(100);
  });

  test('counts what gets dearer at once and what gets cheaper with care', () => {
    const size = settled(0.1);
    size.record(400, 400, 0);
    expect(size.limit).toBe(40);
    size.record(40, 4, 0);
    expect(size.limit).toBeGreaterThan(40);
    expect(size.limit).toBeLessThan(100);
  });

  test('is halved by a time-out and grows back', () => {
    const size = settled(0.001);
    size.shrink(1000);
    expect(size.limit).toBe(500);
    size.record(500, 1, 0);
    expect(size.limit).toBe(1000);
    size.shrink(1);
    expect(size.limit).toBe(1);
    expect(size.expectedMs(100)).toBeLessThan(1);
  });

  test('spreads the remainder evenly', () => {
    const size = settled(0.001);
    expect(size.next(1001)).toBe(501);
    expect(size.next(1000)).toBe(1000);
    expect(size.next(2500)).toBe(834);
    expect(size.next(1)).toBe(1);
  });
});
