import { describe, expect, it } from '@jest/globals';
import { PollcastError } from '../../client/index.js';
import { formatAge, formatChange, formatNumber, formatValue, labelOf, NOTHING } from '../../web/src/format.js';
import { troubleOf } from '../../web/src/trouble.js';

describe('values', () => {
  it('are written by their format', () => {
    expect(formatNumber(1234.5)).toBe('1,234.5');
    expect(formatNumber(12.3, 'money')).toBe('12.30');
    expect(formatNumber(184_200.4, 'money')).toBe('184,200');
    expect(formatNumber(1250, 'compact')).toBe('1.25K');
    expect(formatNumber(12_340, 'milliseconds')).toBe('12.34 s');
  });

  it('are a dash where there is nothing', () => {
    expect([null, undefined, ''].map((value) => formatValue(value, undefined, 0))).toEqual([NOTHING, NOTHING, NOTHING]);
  });

  it('that are moments carry their date when it is another day', () => {
    const now = new Date(2026, 4, 20, 12, 0, 0);
    const local = (day: number): string => new Date(2026, 4, day, 9, 8, 7).toISOString();
    expect(formatValue(local(20), undefined, now.getTime())).toBe('09:08:07');
    expect(formatValue(local(19), undefined, now.getTime())).toBe('19 May, 09:08');
    expect(formatValue(local(20), 'ago', now.getTime())).toBe('2 h');
    expect(formatValue('2026-05-19', undefined, now.getTime())).toBe('19 May');
  });

  it('that are objects or texts are shown as they are', () => {
    expect(formatValue({ a: [1] }, undefined, 0)).toBe('{"a":[1]}');
    expect(formatValue('v2.10.0', 'text', 0)).toBe('v2.10.0');
  });
});

describe('ages and changes', () => {
  it('use one unit', () => {
    expect([0, 999, 1000, 59_999, 60_000, 7_200_000, 200_000_000].map(formatAge)).toEqual([
      'now',
      'now',
      '1 s',
      '59 s',
      '1 min',
      '2 h',
      '2 d',
    ]);
  });

  it('carry their sign', () => {
    expect(formatChange(100, 103.24)).toBe('+3.2 %');
    expect(formatChange(100, 50)).toBe('−50 %');
    expect(formatChange(100, 100.01)).toBe('0 %');
    expect(formatChange(0, 5)).toBe('new');
  });

  it('make labels of column names', () => {
    expect(labelOf('average_order')).toBe('Average order');
  });
});

describe('trouble', () => {
  const live = { state: 'live', reason: undefined, error: undefined } as const;

  it('is none while a panel is live or loading', () => {
    expect(troubleOf(live, 'online')).toBeUndefined();
    expect(troubleOf({ ...live, state: 'loading' }, 'connecting')).toBeUndefined();
  });

  it('is the connection’s before the panel’s', () => {
    expect(troubleOf({ ...live, state: 'failed' }, 'offline')?.state).toBe('offline');
  });

  it('says a code in words, and keeps words that came with it', () => {
    const failed = (reason: string | undefined) => troubleOf({ ...live, state: 'failed', reason }, 'online');
    expect(failed('QUERY_TIMEOUT')).toMatchObject({
      code: 'QUERY_TIMEOUT',
      sentence: "The topic's query took longer than its timeout.",
    });
    expect(failed('QUERY_FAILED: division by zero')).toMatchObject({
      code: 'QUERY_FAILED',
      sentence: 'division by zero',
    });
    expect(failed('database')?.sentence).toContain('The database does not answer.');
    expect(failed('Redis is away')).toMatchObject({ code: undefined, sentence: 'Redis is away' });
    expect(failed(undefined)?.sentence).toBe('The topic cannot be shown now.');
  });

  it('names each fault of refused parameters', () => {
    const error = new PollcastError('INVALID_PARAMS', 'Wrong.', [
      { message: '`minutes` is 0.' },
      { message: 'No `x`.' },
    ]);
    expect(troubleOf({ ...live, state: 'failed', error }, 'online')).toMatchObject({
      code: 'INVALID_PARAMS',
      sentence: 'Wrong. `minutes` is 0. No `x`.',
    });
  });
});
