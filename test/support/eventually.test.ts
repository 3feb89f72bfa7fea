import { expect, test } from '@jest/globals';
import { eventually } from './eventually.js';

test('returns the first truthy observation', async () => {
  let looks = 0;
  expect(await eventually(() => (++looks === 3 ? 'third' : undefined), { everyMs: 1 })).toBe('third');
});

test('forgives an observation that throws before it succeeds', async () => {
  let looks = 0;
  const observe = () => {
    if (++looks < 3) throw new Error('not yet');
    return looks;
  };
  expect(await eventually(observe, { everyMs: 1 })).toBe(3);
});

test('says what it waited for and what it saw last', async () => {
  const never = eventually(() => false, { what: 'the moon', deadlineMs: 5, everyMs: 1 });
  await expect(never).rejects.toThrow(/the moon; seen last: false/);
  const broken = eventually(() => Promise.reject(new Error('no answer')), { what: 'it', deadlineMs: 5, everyMs: 1 });
  await expect(broken).rejects.toThrow(/seen last: no answer/);
});
