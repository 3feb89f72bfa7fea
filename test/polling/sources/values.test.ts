import { describe, expect, test } from '@jest/globals';

import { arrayLiteral, bindMany, bindOne, type Item } from '../../../src/polling/sources/values.js';

describe('arrayLiteral', () => {
  test.each([
    [[], '{}'],
    [['1', null, '-2.5e+21'], '{1,NULL,-2.5e+21}'],
    [['NULL', 'null', 'nulls'], '{"NULL","null",nulls}'],
    [['', ' a', 'a,b', '{}', '"', '\\'], '{""," a","a,b","{}","\\"","\\\\"}'],
    [['2026-01-01T00:00:00.000Z'], '{2026-01-01T00:00:00.000Z}'],
  ])('%j', (elements, literal) => {
    expect(arrayLiteral(elements)).toBe(literal);
  });
});

describe('binding', () => {
  const params = [
    { name: 'n', type: 'int' },
    { name: 'tags', type: 'text[]' },
  ] as const;
  const items: Item[] = [
    { values: { n: 1, tags: ['a', 'b,c'] }, seen: null },
    { values: { n: null, tags: null }, seen: '-7' },
    { values: {}, seen: '8' },
  ];

  test('for many channels gives one array per parameter, an array parameter as texts, and what was seen', () => {
    expect(bindMany(params, items)).toEqual(['{1,NULL,NULL}', '{"{a,\\"b,c\\"}",NULL,NULL}', '{NULL,-7,8}']);
  });

  test('for one channel gives its values', () => {
    expect(items.map((item) => bindOne(params, item))).toEqual([
      ['1', '{a,"b,c"}', null],
      [null, null, '-7'],
      [null, null, '8'],
    ]);
  });
});
