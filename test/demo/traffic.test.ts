import { describe, expect, test } from '@jest/globals';
import { busyness, seededRandom, Traffic } from '../../src/demo/traffic.js';

const HOUR = 3_600_000;

describe('the demo’s traffic', () => {
  test('repeats with its seed', () => {
    const run = (seed: number) => {
      const traffic = new Traffic(seededRandom(seed));
      return Array.from({ length: 50 }, (_, i) => traffic.tick(i * 500, 500));
    };
    expect(run(1)).toEqual(run(1));
    expect(run(1)).not.toEqual(run(2));
  });

  test('follows the day: least at 4 h, most at 16 h', () => {
    const mean = (hour: number) => {
      const samples = Array.from({ length: 600 }, (_, i) => busyness(hour * HOUR + i * 6_000));
      return samples.reduce((sum, sample) => sum + sample, 0) / samples.length;
    };
    const hours = Array.from({ length: 24 }, (_, hour) => mean(hour));
    expect(hours.indexOf(Math.min(...hours))).toBeGreaterThanOrEqual(2);
    expect(hours.indexOf(Math.min(...hours))).toBeLessThanOrEqual(5);
    expect(hours.indexOf(Math.max(...hours))).toBeGreaterThanOrEqual(14);
    expect(hours.indexOf(Math.max(...hours))).toBeLessThanOrEqual(17);
    expect(Math.min(...hours)).toBeGreaterThan(0);
  });

  test('keeps its rates, whatever the length of a tick', () => {
    const views = (elapsedMs: number) => {
      const traffic = new Traffic(seededRandom(7));
      let sum = 0;
      for (let now = 0; now < 24 * HOUR; now += elapsedMs * 20) sum += traffic.tick(now, elapsedMs).views.length;
      return sum / ((24 * HOUR) / 20_000);
    };
    expect(views(500)).toBeGreaterThan(7.3);
    expect(views(500)).toBeLessThan(9.3);
    expect(Math.abs(views(500) - views(2_000))).toBeLessThan(0.7);
  });

  test('has nothing happen in no time', () => {
    const happened = new Traffic(seededRandom(1)).tick(0, 0);
    expect(Object.values(happened).flat()).toEqual([]);
  });

  test('has orders with at least one item, each product once', () => {
    const traffic = new Traffic(seededRandom(3));
    const orders = Array.from({ length: 500 }, (_, i) => traffic.tick(i * 500, 2_000).orders).flat();
    expect(orders.length).toBeGreaterThan(200);
    for (const { items } of orders) {
      expect(items.length).toBeGreaterThan(0);
      expect(new Set(items.map(({ product }) => product)).size).toBe(items.length);
    }
  });

  test('has incidents: spells in which one service fails far more than usual', () => {
    const traffic = new Traffic(seededRandom(5));
    const perMinute = Array.from({ length: 120 }, (_, minute) =>
      Array.from(
        { length: 60 },
        (_, second) => traffic.tick((minute * 60 + second) * 1_000, 1_000).errors.length,
      ).reduce((a, b) => a + b),
    );
    const sorted = [...perMinute].sort((a, b) => a - b);
    expect(sorted.at(-1)!).toBeGreaterThan(3 * sorted[60]!);
  });
});
