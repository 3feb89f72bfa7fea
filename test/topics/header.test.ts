import { describe, expect, test } from '@jest/globals';
import { parseTopic } from '../../src/topics/topic-file.js';

/** The faults of a file with this header, as `line:column message`. */
function faultsOf(header: string, sql = 'SELECT 1 AS one'): string[] {
  const { faults } = parseTopic('a/b.sql', `/*\n${header}\n*/\n${sql}\n`);
  return faults.map(
    ({ line, column, severity, message }) => `${line}:${column} ${severity === 'warning' ? 'warning: ' : ''}${message}`,
  );
}

const params = (text: string) => faultsOf(`params:\n  a: ${text}`, 'SELECT :a AS a');

describe('a header', () => {
  test('of the contract is read in full', () => {
    const { topic, faults } = parseTopic(
      'sales/by_region.sql',
      `/*
title: Revenue by region
interval: 2s            # the fastest refresh
params:
  region: { type: text, default: all, enum: [all, EU, US] }
  minutes: { type: int, default: 15, min: 1, max: 1440 }
  tags: { type: text[], default: [] }
  tenant: { type: int, claim: tenant_id }
key: [region]
roles: [analyst]
changed: select max(id) from orders where tenant = :tenant
timeout: 4s
max_rows: 500
partitions: 2
retain: 5m
presence: true
*/
SELECT region, :minutes AS m FROM orders WHERE region = :region AND tenant = :tenant AND tag = ANY (:tags);
-- the end`,
    );
    expect(faults).toEqual([]);
    expect(topic).toMatchObject({
      name: 'sales.by_region',
      title: 'Revenue by region',
      file: 'sales/by_region.sql',
      intervalMs: 2_000,
      params: [
        { name: 'region', type: 'text', default: 'all', enum: ['all', 'EU', 'US'] },
        { name: 'minutes', type: 'int', default: 15, min: 1, max: 1440 },
        { name: 'tags', type: 'text[]', default: [] },
        { name: 'tenant', type: 'int', claim: 'tenant_id' },
      ],
      key: ['region'],
      roles: ['analyst'],
      timeoutMs: 4_000,
      maxRows: 500,
      partitions: 2,
      retainMs: 300_000,
      presence: true,
      changed: { text: 'select max(id) from orders where tenant = ($1::int4)', params: ['tenant'] },
    });
    expect(topic?.select).toEqual({
      text: 'SELECT region, ($1::int4) AS m FROM orders WHERE region = ($2::text) AND tenant = ($3::int4) AND tag = ANY (($4::text[]))',
      params: ['minutes', 'region', 'tenant', 'tags'],
    });
    expect(topic?.sql).toMatch(/^SELECT region, :minutes[^]*-- the end$/);
  });

  test.each([
    'SELECT 1 AS one',
    '/* */ SELECT 1 AS one',
    '-- a note\n/*\n# nothing\n*/\nSELECT 1 AS one',
    '\uFEFFSELECT 1 AS one',
  ])('that is empty or absent means the defaults: %j', (text) => {
    const { topic, faults } = parseTopic('plain.sql', text);
    expect(faults).toEqual([]);
    expect(topic).toMatchObject({
      name: 'plain',
      title: 'plain',
      intervalMs: 1_000,
      params: [],
      key: [],
      roles: [],
      timeoutMs: 5_000,
      maxRows: 5_000,
      partitions: 1,
      retainMs: 0,
      presence: false,
    });
    expect(topic?.changed).toBeUndefined();
    expect(topic?.select.text).toBe('SELECT 1 AS one');
  });

  test('may contain comments of its own, and Windows line ends', () => {
    const { topic, faults } = parseTopic(
      'a.sql',
      '/*\r\ntitle: A /* nested */ title\r\nretain: 0\r\n*/\r\nSELECT 1 AS one\r\n',
    );
    expect(faults).toEqual([]);
    expect(topic).toMatchObject({ title: 'A /* nested */ title', retainMs: 0 });
  });

  test('has another version as soon as the file differs', () => {
    const version = (text: string) => parseTopic('a.sql', text).topic?.version;
    expect(version('SELECT 1 AS one')).toBe(version('SELECT 1 AS one'));
    expect(version('SELECT 1 AS one')).not.toBe(version('SELECT 1 AS one '));
  });

  test.each<[string, string[]]>([
    ['intervall: 1s', ['2:1 unknown field `intervall`: did you mean `interval`?']],
    [
      'colour: red',
      [expect.stringContaining('2:1 unknown field `colour`: expected one of title, interval,') as unknown as string],
    ],
    ['title: ""', ['2:8 title: expected text, got ""']],
    ['title: [a]', ['2:8 title: expected text, got a list']],
    ['interval: 1', ['2:11 interval: expected a duration such as 250ms, 5s, 10m or 1h, from 50ms to 24h, got 1']],
    ['interval: soon', ['2:11 interval: expected a duration such as 250ms, 5s, 10m or 1h, from 50ms to 24h, got soon']],
    ['interval: 10ms', ['2:11 interval: expected at least 50ms, got 10ms']],
    ['interval: 25h', ['2:11 interval: expected at most 24h, got 25h']],
    ['timeout: 0s', ['2:10 timeout: expected at least 10ms, got 0s']],
    ['retain: 25h', ['2:9 retain: expected at most 24h, got 25h']],
    ['max_rows: 0', ['2:11 max_rows: expected a whole number from 1 to 1000000, got 0']],
    ['max_rows: 1.5', ['2:11 max_rows: expected a whole number from 1 to 1000000, got 1.5']],
    ['partitions: many', ['2:13 partitions: expected a whole number from 1 to 256, got many']],
    ['partitions: 4', ['2:13 warning: partitions: a topic without parameters has one channel, which cannot be split']],
    ['presence: yes', ['2:11 presence: expected true or false, got yes']],
    ['key: region', ['2:6 key: expected a list such as [a, b], got region']],
    ['key: []', ['2:6 key: expected at least one column, got none: leave the field out']],
    ['key: [a, "", a]', ['2:10 key: expected a name, got ""', '2:14 key: `a` is listed twice']],
    ['roles: []', ['2:8 roles: expected at least one role, got none: leave the field out to let anyone in']],
    ['roles: [1]', ['2:9 roles: expected a name, got 1']],
    ['changed: 5', ['2:10 changed: expected text, got 5']],
    ['changed: delete from orders', ['2:10 changed: expected one SELECT, got DELETE']],
    [
      'changed: select max(id form orders',
      [expect.stringMatching(/^2:24 changed: syntax error at or near "form"/) as unknown as string],
    ],
    ['params: [a]', ['2:9 params: expected a map such as `minutes: { type: int, default: 15 }`, got a list']],
    ['just prose', ['2:1 the leading comment must hold `field: value` lines (YAML): put other comments behind it']],
    ['title: a\ntitle: b', [expect.stringContaining('3:1 the header is not YAML') as unknown as string]],
    ['title: a: b', [expect.stringContaining('the header is not YAML') as unknown as string]],
    ['title: *nowhere', ['2:8 title: expected text, got an alias']],
  ])('%j is a fault with its place', (header, expected) => {
    expect(faultsOf(header)).toEqual(expected);
  });

  test.each<[string, string[]]>([
    ['text', ['3:6 params.a: expected a map such as { type: int, default: 15 }, got text']],
    [
      '{ default: 1 }',
      [
        '3:3 params.a: expected a type, got none: one of text, int, bigint, float, bool, date, timestamptz, uuid, or an array such as text[]',
      ],
    ],
    ['{ type: integer }', ['3:14 params.a.type: expected a type, got integer: did you mean `int`?']],
    [
      '{ type: string[] }',
      [expect.stringContaining('3:14 params.a.type: expected a type, got string[]') as unknown as string],
    ],
    ['{ type: boool }', ['3:14 params.a.type: expected a type, got boool: did you mean `bool`?']],
    ['{ typ: int }', ['3:3 params.a: expected a type', '3:8 unknown field `typ` of params.a: did you mean `type`?']],
    ['{ type: int, default: x }', ['3:28 params.a.default: expected int, got x: it is not a whole number']],
    [
      '{ type: text, default: 5 }',
      ['3:29 params.a.default: expected text, got 5: it is not a string (put it in quotes: "5")'],
    ],
    ['{ type: int, default: 0, min: 1 }', ['3:28 params.a.default: 0 is below the minimum (min and max)']],
    ['{ type: text, default: z, enum: [x, y] }', ['3:29 params.a.default: "z" is not in the list (enum)']],
    ['{ type: text[], default: [x, z], enum: [x, y] }', ['3:31 params.a.default: "z" is not in the list (enum)']],
    ['{ type: text, enum: [] }', ['3:26 params.a.enum: expected a list of values such as [a, b], got an empty list']],
    [
      '{ type: int, enum: [1, b, 1] }',
      ['3:29 params.a.enum: expected int, got b: it is not a whole number', '3:32 params.a.enum: 1 is listed twice'],
    ],
    ['{ type: int, min: 5, max: 1 }', ['3:24 params.a: expected min to be at most max, got 5 and 1']],
    ['{ type: text, min: 5 }', ['3:25 params.a.min: expected only for int, bigint and float, got it for text']],
    ['{ type: int, min: 1.5 }', ['3:24 params.a.min: expected a whole number, got 1.5']],
    ['{ type: int, min: 1, enum: [1] }', ['3:33 params.a: expected either enum or min and max, got both']],
    [
      '{ type: int, claim: t, default: 1 }',
      ['3:38 params.a: expected no default beside claim: the value comes from the token or the viewer is refused'],
    ],
    [
      '{ type: int, claim: t, enum: [1] }',
      ['3:35 params.a: expected no enum beside claim: the value comes from the token or the viewer is refused'],
    ],
    ['{ type: int, claim: 5 }', ['3:26 params.a.claim: expected text, got 5']],
    [
      '{ type: date, default: 2025-02-30 }',
      ['3:29 params.a.default: expected date, got 2025-02-30: there is no such day'],
    ],
    ['{ type: int[], default: 5 }', ['3:30 params.a.default: expected int[], got 5: it is not an array']],
  ])('of a parameter %s is a fault with its place', (text, expected) => {
    const faults = params(text);
    expect(faults).toHaveLength(expected.length);
    for (const [index, fault] of faults.entries()) {
      if (typeof expected[index] === 'string') expect(fault).toContain(expected[index]);
      else expect(fault).toEqual(expected[index]);
    }
  });

  test.each(['1a', '__proto__', 'a-b', 'é'])('a parameter cannot be called %s', (name) => {
    expect(faultsOf(`params:\n  "${name}": { type: int }`)).toEqual([
      `3:3 params: expected a name of letters, digits and _ that starts with a letter, got \`${name}\``,
    ]);
  });

  test('reports all its faults at once, in order, together with those of the SQL', () => {
    expect(
      faultsOf('titel: x\ninterval: 5\nparams:\n  a: { type: integer }\nmax_rows: 0', 'SELECT :b FROM t FOR UPDATE'),
    ).toEqual([
      '2:1 unknown field `titel`: did you mean `title`?',
      '3:11 interval: expected a duration such as 250ms, 5s, 10m or 1h, from 50ms to 24h, got 5',
      expect.stringContaining('5:14 params.a.type: expected a type, got integer'),
      '6:11 max_rows: expected a whole number from 1 to 1000000, got 0',
      '8:8 parameter `:b` is not declared under params',
      '8:18 a topic only reads: FOR UPDATE, FOR SHARE and the like lock rows',
    ]);
  });

  test('that is no YAML says so once, and the SQL is still checked', () => {
    const faults = faultsOf('params: { a: { type: int }', 'SELECT :a FROM t FOR UPDATE');
    expect(faults).toHaveLength(2);
    expect(faults[0]).toContain('the header is not YAML');
    expect(faults[1]).toContain('FOR UPDATE');
  });

  test('without an end is one fault', () => {
    const { faults, topic } = parseTopic('a.sql', '/*\ntitle: x\nSELECT 1');
    expect(faults).toEqual([
      {
        file: 'a.sql',
        line: 1,
        column: 3,
        severity: 'error',
        message: 'the leading comment has no end: expected `*/`',
      },
    ]);
    expect(topic).toBeUndefined();
  });

  test('keeps a bigint exact and canonical', () => {
    const { topic } = parseTopic(
      'a.sql',
      '/*\nparams:\n  a: { type: bigint, default: 9007199254740993 }\n*/\nSELECT :a AS a',
    );
    expect(topic?.params).toEqual([{ name: 'a', type: 'bigint', default: '9007199254740993' }]);
  });

  test('takes null for a default: the parameter may be left out', () => {
    const { topic } = parseTopic('a.sql', '/*\nparams:\n  a: { type: date, default: null }\n*/\nSELECT :a AS a');
    expect(topic?.params).toEqual([{ name: 'a', type: 'date', default: null }]);
  });
});

describe('a topic file', () => {
  test.each(['Sales/x.sql', 'a b.sql', 'a.b.sql', 'é.sql', 'a/-x.sql', `${'a/'.repeat(80)}b.sql`])(
    'cannot be called %s',
    (file) => {
      const { topic, faults } = parseTopic(file, 'SELECT 1 AS one');
      expect(topic).toBeUndefined();
      expect(faults.map(({ line, message }) => `${line} ${message}`)).toEqual([
        expect.stringMatching(/^1 expected a path of folders and a name/),
      ]);
    },
  );

  test('is refused when it is huge', () => {
    const { faults } = parseTopic('a.sql', `SELECT 1 AS one -- ${'x'.repeat(200_001)}`);
    expect(faults).toEqual([
      expect.objectContaining({ message: expect.stringContaining('expected at most 200000 characters') as unknown }),
    ]);
  });

  test('warns of a parameter that nothing uses, and names what is meant by it', () => {
    const { topic, faults } = parseTopic(
      'a.sql',
      '/*\nparams:\n  minutes: { type: int, default: 1 }\n*/\nSELECT 1 AS one',
    );
    expect(topic?.name).toBe('a');
    expect(faults).toEqual([
      {
        file: 'a.sql',
        line: 3,
        column: 3,
        severity: 'warning',
        message: 'parameter `minutes` is declared but never used',
      },
    ]);
  });

  test('may use a parameter in `changed` alone', () => {
    const { faults } = parseTopic(
      'a.sql',
      '/*\nparams:\n  n: { type: int, default: 1 }\nchanged: select :n\n*/\nSELECT 1 AS one',
    );
    expect(faults).toEqual([]);
  });

  test('points into `changed` over several lines', () => {
    const { faults } = parseTopic(
      'a.sql',
      '/*\nchanged: |\n  select max(id)\n  from orders\n  where a = :nope\n*/\nSELECT 1 AS one',
    );
    expect(faults).toEqual([
      expect.objectContaining({
        line: 5,
        column: 13,
        message: 'changed: parameter `:nope` is not declared under params',
      }),
    ]);
  });
});
