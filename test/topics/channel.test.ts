import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { channelFromKey, channelKey, channelOf, MAX_KEY_LENGTH, parseChannelKey } from '../../src/topics/channel.js';
import type { ParamSpec, ParamType, ParamValue } from '../../src/topics/topic.js';
import { topicWith } from './topic-with.js';

const text = fc.string({
  unit: fc.constantFrom('a', 'b', ',', '&', '=', '?', '%', '+', ' ', '/', '#', 'é', '😀', '0'),
  maxLength: 6,
});
const byType: [ParamType, fc.Arbitrary<ParamValue>][] = [
  ['text', text],
  ['text[]', fc.array(text, { maxLength: 4 })],
  ['int', fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })],
  ['int[]', fc.array(fc.integer({ min: -9, max: 9 }), { maxLength: 4 })],
  ['bigint', fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String)],
  ['float', fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => (n === 0 ? 0 : n))],
  ['bool', fc.boolean()],
  ['bool[]', fc.array(fc.boolean(), { maxLength: 3 })],
  ['date', fc.constantFrom('2025-01-01', '2025-12-31')],
  ['timestamptz', fc.constantFrom('2025-01-01T00:00:00Z', '2025-01-01T00:00:00.000001Z')],
  ['uuid', fc.uuid()],
];
/** A topic's parameters, and two sets of values for them; null is among the values. */
const twoChannels = fc.uniqueArray(fc.constantFrom(...byType.keys()), { maxLength: 5 }).chain((kinds) => {
  const specs: ParamSpec[] = kinds.map((kind) => ({ name: `p${kind}`, type: byType[kind]![0], default: null }));
  const values = () =>
    fc.record(Object.fromEntries(kinds.map((kind) => [`p${kind}`, fc.option(byType[kind]![1], { freq: 9 })])));
  return fc.tuple(fc.constant(specs), values(), values());
});

describe('a channel', () => {
  test.each<[Record<string, ParamValue>, string]>([
    [{}, 'a.b'],
    [{ region: 'all', minutes: 15 }, 'a.b?minutes=15&region=all'],
    [{ b: 1, B: 2, a: 3 }, 'a.b?B=2&a=3&b=1'],
    [{ t: 'a b&c=d?é%,+' }, 'a.b?t=a%20b%26c%3Dd%3F%C3%A9%25%2C%2B'],
    [{ n: null, s: '' }, 'a.b?n&s='],
    [{ l: [] }, 'a.b?l='],
    [{ l: [''] }, 'a.b?l=,'],
    [{ l: ['', ''] }, 'a.b?l=,,'],
    [{ l: ['x', ''] }, 'a.b?l=x,,'],
    [{ l: ['', 'x'] }, 'a.b?l=,x'],
    [{ l: ['a,b', 'c'] }, 'a.b?l=a%2Cb,c'],
    [{ x: true, y: 1.5e21, z: '-9223372036854775808' }, 'a.b?x=true&y=1.5e%2B21&z=-9223372036854775808'],
  ])('of %j is %s', (values, key) => {
    expect(channelKey('a.b', values)).toBe(key);
  });

  test('reads back from its key', () => {
    fc.assert(
      fc.property(twoChannels, ([specs, values]) => {
        const topic = topicWith(specs);
        const { key } = channelOf(topic, values);
        expect(channelFromKey(topic, key)).toEqual({ key, topic, values });
      }),
      { numRuns: 500 },
    );
  });

  test('shares its key with no other values', () => {
    fc.assert(
      fc.property(twoChannels, ([specs, a, b]) => {
        const topic = topicWith(specs);
        const same = JSON.stringify(a) === JSON.stringify(b);
        expect(channelOf(topic, a).key === channelOf(topic, b).key).toBe(same);
      }),
      { numRuns: 500 },
    );
  });

  test('is the same however the parameters are written', () => {
    const topic = topicWith([
      { name: 'region', type: 'text', default: 'all' },
      { name: 'id', type: 'bigint', default: '1' },
      { name: 'at', type: 'timestamptz', default: '2025-01-01T00:00:00Z' },
    ]);
    const key = 'sales.by_region?at=2025-01-01T00%3A00%3A00Z&id=1&region=all';
    for (const given of [
      {},
      { region: 'all' },
      { id: '01', region: 'all' },
      { at: '2025-01-01T01:00:00.000+01:00', id: 1 },
    ]) {
      expect(channelOf(topic, given).key).toBe(key);
    }
  });

  test('has the claims of its viewers in its key, so that tenants never share one', () => {
    const topic = topicWith([{ name: 'tenant', type: 'int', claim: 'tenant_id' }]);
    expect(channelOf(topic, {}, { tenant_id: 7 })).toMatchObject({
      key: 'sales.by_region?tenant=7',
      values: { tenant: 7 },
    });
    expect(channelFromKey(topic, 'sales.by_region?tenant=7').values).toEqual({ tenant: 7 });
  });

  test('is refused when its key would be too long', () => {
    const topic = topicWith([{ name: 'l', type: 'text[]' }]);
    expect(() => channelOf(topic, { l: Array.from({ length: 20 }, () => 'x'.repeat(500)) })).toThrow(
      expect.objectContaining({ code: 'INVALID_PARAMS' }),
    );
  });
});

describe('a channel key', () => {
  test('is taken apart without knowing the types', () => {
    expect(parseChannelKey('a.b')).toEqual({ topic: 'a.b', params: {} });
    expect(parseChannelKey('a.b?l=a%2Cb,c&n&s=&t=x%20y')).toEqual({
      topic: 'a.b',
      params: { l: ['a,b', 'c'], n: null, s: '', t: 'x y' },
    });
  });

  test.each([
    '',
    '?',
    'A.b',
    'a..b',
    'a b',
    'a?',
    'a?=1',
    'a?x=1&x=2',
    'a?x=%',
    'a?x=%ff',
    'a?__proto__=1',
    'a?x=1&',
    `a?x=${'1'.repeat(MAX_KEY_LENGTH)}`,
  ])('is not %j', (key) => {
    expect(() => parseChannelKey(key)).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
  });

  test('of a topic whose parameters have changed since is refused', () => {
    const topic = topicWith([{ name: 'a', type: 'int', default: 1 }]);
    expect(() => channelFromKey(topic, 'sales.by_region?gone=1')).toThrow(
      expect.objectContaining({ code: 'INVALID_PARAMS' }),
    );
    expect(() => channelFromKey(topic, 'sales.by_region?a=x')).toThrow(
      expect.objectContaining({ code: 'INVALID_PARAMS' }),
    );
    expect(() => channelFromKey(topic, 'other?a=1')).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
  });
});
