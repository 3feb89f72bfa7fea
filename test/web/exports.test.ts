import { expect, test } from '@jest/globals';
import { paced, timeLeftMs, timeLeftText, type Pace } from '../../web/src/exports/time-left.js';
import { formatBytes, paramsText, stateText } from '../../web/src/exports/words.js';

function paceOf(samples: readonly (readonly [at: number, progress: number])[], id = 'one'): Pace {
  return samples.reduce<Pace | undefined>((pace, [at, progress]) => paced(pace, id, progress, at), undefined) as Pace;
}

test('the time that is left follows from how it went', () => {
  expect(timeLeftMs(paceOf([[0, 0.2]]))).toBeUndefined();
  expect(
    timeLeftMs(
      paceOf([
        [0, 0.2],
        [1_000, 0.4],
      ]),
    ),
  ).toBeUndefined();
  expect(
    timeLeftMs(
      paceOf([
        [0, 0.2],
        [4_000, 0.4],
      ]),
    ),
  ).toBeCloseTo(12_000);
  // Nothing moves: who knows.
  expect(
    timeLeftMs(
      paceOf([
        [0, 0.2],
        [4_000, 0.2],
      ]),
    ),
  ).toBeUndefined();
  // What is long past does not count.
  const slowThenFast = paceOf([
    [0, 0],
    [100_000, 0.1],
    [105_000, 0.5],
    [110_000, 0.9],
  ]);
  expect(timeLeftMs(slowThenFast)).toBeCloseTo(1_250);
});

test('another export begins anew', () => {
  const pace = paced(
    paceOf([
      [0, 0],
      [9_000, 0.9],
    ]),
    'two',
    0,
    10_000,
  );
  expect(pace).toEqual({ id: 'two', samples: [{ at: 10_000, progress: 0 }] });
});

test('words', () => {
  expect([200, 7_400, 33_000, 58_000, 150_000, 7_300_000].map(timeLeftText)).toEqual([
    'about 1 s left',
    'about 7 s left',
    'about 35 s left',
    'about 1 min left',
    'about 3 min left',
    'about 2 h left',
  ]);
  expect([0, 999, 4_200, 123_456_789].map(formatBytes)).toEqual(['0 bytes', '999 bytes', '4.2 KB', '123 MB']);
  expect(paramsText({ region: 'EU', from: null, none: [], tags: ['a', 'b'] })).toBe('Region EU · Tags a, b');
  const known = {
    id: '',
    topic: '',
    title: '',
    params: {},
    format: 'csv',
    progress: 0,
    rows: 0,
    requestedAt: 0,
  } as const;
  expect(stateText({ ...known, state: 'processing' })).toBe('Under way');
  expect(stateText({ ...known, state: 'processing', restarted: true })).toBe('Began again on another node');
});
