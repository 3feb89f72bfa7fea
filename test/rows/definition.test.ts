import { describe, expect, it } from '@jest/globals';
import { defineWorker } from '../../src/rows/definition.js';

const good = { name: 'countdown', table: 'counters', match: 'value > 0', every: '1s' };
const steps = { step: () => ({}) };
const faults = (options: object, given: object = steps) =>
  defineWorker(options, given, 'Countdown').then(
    () => 'none',
    (error: Error) => error.message,
  );

describe('a row worker', () => {
  it('is read with its defaults', async () => {
    expect(await defineWorker(good, steps, 'Countdown')).toEqual({
      ...{ name: 'countdown', table: 'counters', key: 'id', match: 'value > 0', limit: 10_000, spread: false },
      ...{ everyMs: 1_000, lookMs: 2_000, timeoutMs: 10_000, steps },
    });
  });

  it('is refused with all that is wrong', async () => {
    const message = await faults({ ...good, name: 'Count down', table: 'a;b', every: '5', limt: 5 }, {});
    expect(message).toContain('The row worker Countdown is not right:');
    expect(message).toContain('name: expected a name such as countdown');
    expect(message).toContain('table: expected a table such as orders or shop.orders');
    expect(message).toContain('every: expected a duration such as 250ms, 5s, 10m or 1h, from 20ms to 24h, got "5"');
    expect(message).toContain('limt: there is no such option: did you mean `limit`?');
    expect(message).toContain('expected a method step(row)');
  });

  it.each([
    ['value >', 'expected an SQL condition'],
    ['', 'expected an SQL condition, got nothing'],
    ['true); drop table counters; select (true', 'expected one SQL condition'],
    ['true) order by (id', 'expected one SQL condition'],
    ['true) limit (1', 'expected one SQL condition'],
  ])('is refused with the condition %p', async (match, why) => {
    expect(await faults({ ...good, match })).toContain(why);
  });

  it.each([
    'value > 0 -- only these',
    "state = 'open' and ends_at < now()",
    'exists (select from other o where o.id = counters.id)',
  ])('takes the condition %p', async (match) => {
    expect(await faults({ ...good, match })).toBe('none');
  });
});
