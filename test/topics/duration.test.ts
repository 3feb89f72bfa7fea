import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { formatDuration, parseDuration, tryDuration } from '../../src/topics/duration.js';

describe('durations', () => {
  test.each([
    ['250ms', 250],
    ['5s', 5_000],
    ['10m', 600_000],
    ['1h', 3_600_000],
    ['0s', 0],
    [' 24h ', 86_400_000],
  ])('%s is %d ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.each(['', '5', 's', '1.5s', '-1s', '5 s', '1d', '1h30m', '5S', '9999999999999h', 5, null, undefined, {}])(
    'refuses %p',
    (given) => {
      expect(tryDuration(given)).toBeUndefined();
      expect(() => parseDuration(given, 'every')).toThrow(
        /^every: expected a duration such as 250ms, 5s, 10m or 1h, got/,
      );
    },
  );

  test('refuses what is outside the bounds, and names them', () => {
    const bounds = { min: 50, max: 86_400_000 };
    expect(() => parseDuration('10ms', 'interval', bounds)).toThrow('from 50ms to 24h, got "10ms"');
    expect(() => parseDuration('25h', 'interval', bounds)).toThrow('got "25h"');
    expect(parseDuration('50ms', 'interval', bounds)).toBe(50);
    expect(() => parseDuration('1s', 'ttl', { min: 5_000 })).toThrow('at least 5s');
    expect(() => parseDuration('6s', 'ttl', { max: 5_000 })).toThrow('at most 5s');
  });

  test('says that a bare number lacks its unit', () => {
    expect(() => parseDuration(5)).toThrow('got 5 (the unit is missing)');
  });

  test('writes any whole number of milliseconds so that it reads back', () => {
    fc.assert(
      fc.property(fc.nat({ max: 1_000_000_000 }), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBe(ms);
      }),
    );
    expect(formatDuration(90_000)).toBe('90s');
    expect(formatDuration(7_200_000)).toBe('2h');
    expect(() => formatDuration(-1)).toThrow(RangeError);
  });
});
