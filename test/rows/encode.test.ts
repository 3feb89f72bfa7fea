import { describe, expect, it } from '@jest/globals';
import { encode, textArray } from '../../src/rows/encode.js';

describe('a value as the text that Postgres reads', () => {
  it.each([
    [1.5, 'numeric(10,2)', '1.5'],
    [12n, 'bigint', '12'],
    [true, 'boolean', 'true'],
    ['it\'s "so"', 'text', 'it\'s "so"'],
    [null, 'text', null],
    [new Date(Date.UTC(2026, 0, 2, 3, 4, 5)), 'timestamp with time zone', '2026-01-02T03:04:05.000Z'],
    [Buffer.from([1, 255]), 'bytea', '\\x01ff'],
    [{ a: [1] }, 'jsonb', '{"a":[1]}'],
    ['text', 'json', '"text"'],
    [[1, 2], 'jsonb', '[1,2]'],
    [['a "b"', null, 'c\\'], 'text[]', '{"a \\"b\\"",NULL,"c\\\\"}'],
    [[[1], [2]], 'integer[]', '{{"1"},{"2"}}'],
  ])('%p for a column of type %s', (value, type, text) => {
    expect(encode(value, type)).toBe(text);
  });

  it('is refused for what no column can hold', () => {
    expect(() => encode(() => 1, 'integer')).toThrow('expected a value for a column of type integer, got a function');
  });
});

describe('many texts as one array', () => {
  it('are quoted where they would mean something else', () => {
    const texts = ['1', '-2.5', null, 'NULL', '', 'a,b', '{}', 'c"d\\', '2026-01-02T03:04:05Z', '1e5', ' 1', '9f8e-7a'];
    expect(textArray(texts)).toBe(
      '{1,-2.5,NULL,"NULL","","a,b","{}","c\\"d\\\\",2026-01-02T03:04:05Z,1e5," 1",9f8e-7a}',
    );
    expect(textArray([])).toBe('{}');
  });
});
