import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { PollcastError } from '../../src/errors.js';
import { bindParams, type ParamFault } from '../../src/topics/params.js';
import type { ParamSpec, ParamType, Topic } from '../../src/topics/topic.js';
import { MAX_ARRAY_LENGTH, MAX_TEXT_LENGTH } from '../../src/topics/values.js';
import { topicWith } from './topic-with.js';

const topic = topicWith([
  { name: 'region', type: 'text', default: 'all', enum: ['all', 'EU', 'US'] },
  { name: 'minutes', type: 'int', default: 15, min: 1, max: 1440 },
  { name: 'since', type: 'timestamptz', default: null },
  { name: 'must', type: 'bool' },
]);
const guarded = topicWith([
  { name: 'tenant', type: 'int', claim: 'tenant_id' },
  { name: 'teams', type: 'text[]', claim: 'teams' },
]);

/** The error that binding throws. */
function refusal(bind: () => unknown): PollcastError {
  try {
    bind();
  } catch (error) {
    if (error instanceof PollcastError) return error;
    throw error;
  }
  throw new Error('expected a refusal, got values');
}
const faultsOf = (of: Topic, given: unknown, lenient = false): ParamFault[] => {
  const error = refusal(() => bindParams(of, given, {}, { lenient }));
  expect(error.code).toBe('INVALID_PARAMS');
  return error.details as ParamFault[];
};
const one = (type: ParamType, given: unknown, spec: Partial<ParamSpec> = {}, lenient = false): unknown =>
  bindParams(topicWith([{ name: 'a', type, ...spec }]), { a: given }, {}, { lenient }).a;

describe('parameters', () => {
  test('that are left out have their defaults', () => {
    expect(bindParams(topic, { must: true })).toEqual({ region: 'all', minutes: 15, since: null, must: true });
    expect(bindParams(topicWith([]), undefined)).toEqual({});
    expect(bindParams(topicWith([]), null)).toEqual({});
  });

  test('have all their faults told at once, each with what was expected and got', () => {
    expect(faultsOf(topic, { regoin: 'EU', region: 'XX', minutes: 0, since: 'yesterday' })).toEqual([
      {
        param: 'regoin',
        expected: 'one of region, minutes, since, must',
        got: '"regoin"',
        message: 'unknown parameter "regoin": did you mean `region`?',
      },
      {
        param: 'region',
        expected: 'text, one of all, EU, US',
        got: '"XX"',
        message: '`region`: expected text, one of all, EU, US, got "XX": "XX" is not in the list',
      },
      {
        param: 'minutes',
        expected: 'int from 1 to 1440',
        got: '0',
        message: '`minutes`: expected int from 1 to 1440, got 0: 0 is below the minimum',
      },
      expect.objectContaining({ param: 'since', expected: 'timestamptz (ISO 8601 with a zone)', got: '"yesterday"' }),
      { param: 'must', expected: 'bool', got: 'nothing', message: '`must`: expected bool, got nothing' },
    ]);
  });

  test('may be null only where the default is', () => {
    expect(bindParams(topic, { must: true, since: null })).toMatchObject({ since: null });
    expect(faultsOf(topic, { must: null })).toEqual([expect.objectContaining({ param: 'must', got: 'null' })]);
  });

  test.each([[[]], ['x'], [5], [true]])('must be an object, not %j', (given) => {
    expect(faultsOf(topic, given)).toHaveLength(1);
  });

  test('are not found on prototypes', () => {
    const own = topicWith([{ name: 'constructor', type: 'text', default: 'x' }]);
    expect(bindParams(own, {}).constructor).toBe('x');
    expect(faultsOf(own, JSON.parse('{"__proto__": {"a": 1}}'))).toHaveLength(1);
    expect(faultsOf(own, { toString: 'x' })).toHaveLength(1);
  });

  test('do not make an error as large as what was sent', () => {
    const many = Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`p${i}`, 'x'.repeat(1_000)]));
    expect(JSON.stringify(faultsOf(topic, many)).length).toBeLessThan(10_000);
    expect(JSON.stringify(faultsOf(topic, { must: true, region: 'x'.repeat(1_000_000) })).length).toBeLessThan(1_000);
    expect(JSON.stringify(faultsOf(topic, { must: true, ['k'.repeat(1_000_000)]: 1 })).length).toBeLessThan(1_000);
    const nested: unknown = JSON.parse('['.repeat(50_000) + ']'.repeat(50_000));
    expect(faultsOf(topic, { must: true, region: nested })).toMatchObject([{ param: 'region', got: '[an array]' }]);
  });
});

describe('values', () => {
  test.each<[ParamType, unknown, unknown]>([
    ['text', '', ''],
    ['text', 'é😀', 'é😀'],
    ['int', -0, 0],
    ['int', 2_147_483_647, 2_147_483_647],
    ['bigint', 42, '42'],
    ['bigint', '-0042', '-42'],
    ['bigint', '9223372036854775807', '9223372036854775807'],
    ['float', 1.5, 1.5],
    ['float', -0, 0],
    ['bool', false, false],
    ['date', '2024-02-29', '2024-02-29'],
    ['timestamptz', '2025-03-01T09:30:00Z', '2025-03-01T09:30:00Z'],
    ['timestamptz', '2025-03-01T09:30Z', '2025-03-01T09:30:00Z'],
    ['timestamptz', '2025-03-01 00:30:00.120000+02:00', '2025-02-28T22:30:00.12Z'],
    ['timestamptz', '2024-02-28T23:59:59.999999-0100', '2024-02-29T00:59:59.999999Z'],
    ['timestamptz', '0099-01-01t00:00:00z', '0099-01-01T00:00:00Z'],
    ['uuid', '6F9619FF-8B86-D011-B42D-00CF4FC964FF', '6f9619ff-8b86-d011-b42d-00cf4fc964ff'],
    ['text[]', [], []],
    ['text[]', ['a', '', 'a,b'], ['a', '', 'a,b']],
    ['bigint[]', [1, '02'], ['1', '2']],
  ])('%s %j → %j', (type, given, value) => {
    expect(one(type, given)).toEqual(value);
  });

  test.each<[ParamType, unknown]>([
    ['text', 5],
    ['text', 'a\0b'],
    ['text', '\ud83d'],
    ['text', 'x'.repeat(MAX_TEXT_LENGTH + 1)],
    ['int', '5'],
    ['int', 1.5],
    ['int', 2_147_483_648],
    ['int', NaN],
    ['int', true],
    ['bigint', 2 ** 53],
    ['bigint', '9223372036854775808'],
    ['bigint', '1.0'],
    ['bigint', ''],
    ['float', '1.5'],
    ['float', Infinity],
    ['bool', 'true'],
    ['bool', 1],
    ['date', '2025-02-29'],
    ['date', '2025-1-1'],
    ['date', '0000-01-01'],
    ['date', 20250101],
    ['timestamptz', '2025-03-01T09:30:00'],
    ['timestamptz', '2025-03-01T24:00:00Z'],
    ['timestamptz', '2025-03-01T09:30:60Z'],
    ['timestamptz', '2025-13-01T09:30:00Z'],
    ['timestamptz', '2025-03-01T09:30:00+24:00'],
    ['timestamptz', '0001-01-01T00:00:00+01:00'],
    ['timestamptz', 1_700_000_000],
    ['uuid', '6f9619ff8b86d011b42d00cf4fc964ff'],
    ['text[]', 'a'],
    ['text[]', ['a', 5]],
    ['text[]', ['a', null]],
    ['text[]', [['a']]],
    ['int[]', { 0: 1 }],
    ['int[]', Array.from({ length: MAX_ARRAY_LENGTH + 1 }, () => 1)],
  ])('%s refuses %j', (type, given) => {
    expect(() => one(type, given)).toThrow(PollcastError);
  });

  test('are held to enum, min and max, element by element', () => {
    expect(one('int[]', [1, 2], { min: 1, max: 2 })).toEqual([1, 2]);
    expect(() => one('int[]', [1, 3], { min: 1, max: 2 })).toThrow('3 is above the maximum');
    expect(one('text[]', ['a', 'a'], { enum: ['a'] })).toEqual(['a', 'a']);
    expect(() => one('text[]', ['a', 'b'], { enum: ['a'] })).toThrow('"b" is not in the list');
    expect(one('bigint', '9007199254740993', { min: 5 })).toBe('9007199254740993');
    expect(() => one('bigint', '4', { min: 5 })).toThrow('"4" is below the minimum');
    expect(() => one('float', 0.5, { max: 0.25 })).toThrow('0.5 is above the maximum');
  });

  test('of a query string may be strings', () => {
    expect(one('int', '-5', {}, true)).toBe(-5);
    expect(one('float', '1e3', {}, true)).toBe(1000);
    expect(one('bool', 'false', {}, true)).toBe(false);
    expect(one('int[]', '1,2', {}, true)).toEqual([1, 2]);
    expect(one('int[]', ['1', '2'], {}, true)).toEqual([1, 2]);
    expect(one('text[]', '', {}, true)).toEqual([]);
    expect(one('text', '5', {}, true)).toBe('5');
    for (const [type, given] of [
      ['int', '5x'],
      ['int', ''],
      ['int', ' 5'],
      ['int', '0x10'],
      ['float', ''],
      ['float', 'Infinity'],
      ['bool', '1'],
    ] as const) {
      expect(() => one(type, given, {}, true)).toThrow(PollcastError);
    }
  });

  test('once canonical stay as they are', () => {
    const canonical: [ParamType, fc.Arbitrary<unknown>][] = [
      ['text', fc.string({ unit: 'grapheme', maxLength: 50 }).filter((text) => !text.includes('\0'))],
      ['int', fc.integer()],
      ['bigint', fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String)],
      ['float', fc.double({ noNaN: true, noDefaultInfinity: true })],
      ['bool', fc.boolean()],
      ['uuid', fc.uuid()],
      [
        'timestamptz',
        fc
          .date({ min: new Date('0002-01-01'), max: new Date('9998-12-31'), noInvalidDate: true })
          .map((date) => date.toISOString()),
      ],
    ];
    for (const [type, values] of canonical) {
      fc.assert(
        fc.property(values, (given) => {
          const first = one(type, given);
          expect(one(type, first)).toEqual(first);
          if (type === 'timestamptz')
            expect(new Date(first as string).getTime()).toBe(new Date(given as string).getTime());
        }),
      );
    }
  });

  test('whatever a client sends is a value or a coded refusal', () => {
    const anything = topicWith(
      (['text', 'int', 'bigint', 'float', 'bool', 'date', 'timestamptz', 'uuid', 'text[]'] as const).map((type, i) => ({
        name: `p${i}`,
        type,
      })),
    );
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom('p0', 'p1', 'p2', 'p3', 'p4', 'p5', 'p6', 'p7', 'p8', 'x'), fc.jsonValue()),
        fc.boolean(),
        (given, lenient) => {
          try {
            expect(Object.keys(bindParams(anything, given, {}, { lenient }))).toHaveLength(9);
          } catch (error) {
            expect(error).toMatchObject({ code: 'INVALID_PARAMS' });
          }
        },
      ),
    );
  });
});

describe('claims', () => {
  test('fill their parameters, and a client can neither set nor be shown them', () => {
    const claims = { tenant_id: 7, teams: ['a', 'b'] };
    expect(bindParams(guarded, {}, claims)).toEqual({ tenant: 7, teams: ['a', 'b'] });
    const refused = refusal(() => bindParams(guarded, { tenant: 8 }, claims));
    expect(refused.code).toBe('INVALID_PARAMS');
    expect(refused.message).toContain('is taken from the token and cannot be given');
    const guess = refusal(() => bindParams(guarded, { tenan: 8 }, claims));
    expect(guess.details).toEqual([expect.objectContaining({ expected: 'no parameters' })]);
  });

  test('may be strings, and one value for a list', () => {
    expect(bindParams(guarded, {}, { tenant_id: '7', teams: 'a,b' })).toEqual({ tenant: 7, teams: ['a,b'] });
  });

  test.each([
    {},
    { tenant_id: null, teams: [] },
    { tenant_id: 'x', teams: [] },
    { tenant_id: {}, teams: [] },
    Object.create({ tenant_id: 1, teams: [] }),
  ])('that are missing or wrong are FORBIDDEN: %j', (claims: Record<string, unknown>) => {
    expect(refusal(() => bindParams(guarded, {}, claims)).code).toBe('FORBIDDEN');
  });

  test('are only asked for once the given parameters are right', () => {
    expect(refusal(() => bindParams(guarded, { x: 1 }, {})).code).toBe('INVALID_PARAMS');
  });
});
