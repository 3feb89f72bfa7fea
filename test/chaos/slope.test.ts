import { expect, test } from '@jest/globals';
import { slopePerHour } from './slope.js';

const series = (value: (at: number) => number) =>
  Array.from({ length: 60 }, (_, i) => ({ at: i * 10, value: value(i * 10) }));

test('a leak shows as what it adds in an hour, whatever swings around it', () => {
  expect(slopePerHour(series((at) => 100 + at / 3_600))).toBeCloseTo(1, 6);
  expect(slopePerHour(series((at) => 50 - at / 360))).toBeCloseTo(-10, 6);
  expect(slopePerHour(series((at) => 100 + at / 60 + (at % 20 === 0 ? 3 : -3)))).toBeCloseTo(60, -1);
});

test('what stands still has none, and neither has a single sample', () => {
  expect(slopePerHour(series(() => 7))).toBe(0);
  expect(slopePerHour([{ at: 0, value: 1 }])).toBe(0);
});
