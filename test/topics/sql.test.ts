import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { replaceNumbered } from '../../src/topics/placeholders.js';
import { positionAt } from '../../src/topics/position.js';
import { pgType, prepareSql } from '../../src/topics/sql.js';
import { SCALAR_TYPES, type ParamSpec } from '../../src/topics/topic.js';

const declared: ParamSpec[] = [
  { name: 'a', type: 'int' },
  { name: 'b', type: 'text' },
  { name: 'ids', type: 'int[]' },
  { name: 'n', type: 'int' },
  { name: 'tz', type: 'text' },
  { name: 'user', type: 'text' },
];

const rewritten = (sql: string) => {
  const { prepared, problems } = prepareSql(sql, declared);
  return prepared ? [prepared.statement.text, prepared.statement.params] : problems.map(({ message }) => message);
};

describe('placeholders', () => {
  test.each<[string, string, string[]]>([
    ['SELECT :a AS x', 'SELECT ($1::int4) AS x', ['a']],
    ['SELECT :a, :b, :a', 'SELECT ($1::int4), ($2::text), ($1::int4)', ['a', 'b']],
    ["SELECT ':a', :b", "SELECT ':a', ($1::text)", ['b']],
    ["SELECT 'it''s :a', E'\\':a', :b", "SELECT 'it''s :a', E'\\':a', ($1::text)", ['b']],
    ['SELECT $$ :a $$, $x$ :b $x$, :b', 'SELECT $$ :a $$, $x$ :b $x$, ($1::text)', ['b']],
    ['SELECT ":a" FROM t', 'SELECT ":a" FROM t', []],
    ['SELECT 1 -- :a\n, :b /* :a /* :n */ */', 'SELECT 1 -- :a\n, ($1::text)', ['b']],
    ["SELECT now()::date, '1'::int, :a::text", "SELECT now()::date, '1'::int, ($1::int4)::text", ['a']],
    ['SELECT f(x := :a)', 'SELECT f(x := ($1::int4))', ['a']],
    ['SELECT f(x => :a)', 'SELECT f(x => ($1::int4))', ['a']],
    ['SELECT arr[1:n] FROM t', 'SELECT arr[1:n] FROM t', []],
    ['SELECT arr[lo:hi], arr[f(x):n] FROM t', 'SELECT arr[lo:hi], arr[f(x):n] FROM t', []],
    ['SELECT arr[case when x then 1 end:n] FROM t', 'SELECT arr[case when x then 1 end:n] FROM t', []],
    ['SELECT arr[1: :n] FROM t', 'SELECT arr[1: ($1::int4)] FROM t', ['n']],
    ['SELECT arr[:a : :n] FROM t', 'SELECT arr[($1::int4) : ($2::int4)] FROM t', ['a', 'n']],
    ['SELECT arr[:n] FROM t', 'SELECT arr[($1::int4)] FROM t', ['n']],
    ['SELECT array[:a, :n]', 'SELECT array[($1::int4), ($2::int4)]', ['a', 'n']],
    ['SELECT :ids[1]', 'SELECT ($1::int4[])[1]', ['ids']],
    ["SELECT json_object('k':v, 'l': :b) FROM t", "SELECT json_object('k':v, 'l': ($1::text)) FROM t", ['b']],
    ['SELECT now() AT TIME ZONE :tz', 'SELECT now() AT TIME ZONE ($1::text)', ['tz']],
    ['SELECT now() AT TIME ZONE:tz', 'SELECT now() AT TIME ZONE ($1::text)', ['tz']],
    ['SELECT :user', 'SELECT ($1::text)', ['user']],
    ['SELECT -:a, +:a, @ :a, 1-:a', 'SELECT -($1::int4), +($1::int4), @ ($1::int4), 1-($1::int4)', ['a']],
    ['SELECT 1 FROM t LIMIT :a OFFSET :n', 'SELECT 1 FROM t LIMIT ($1::int4) OFFSET ($2::int4)', ['a', 'n']],
    ['SELECT 1 FROM t FETCH FIRST :a ROWS ONLY', 'SELECT 1 FROM t FETCH FIRST ($1::int4) ROWS ONLY', ['a']],
    [
      'SELECT sum(x) OVER (ORDER BY y ROWS :a PRECEDING) FROM t',
      'SELECT sum(x) OVER (ORDER BY y ROWS ($1::int4) PRECEDING) FROM t',
      ['a'],
    ],
    [
      'SELECT 1 FROM t WHERE x BETWEEN :a AND :n',
      'SELECT 1 FROM t WHERE x BETWEEN ($1::int4) AND ($2::int4)',
      ['a', 'n'],
    ],
    ['SELECT 1 FROM t WHERE x = ANY(:ids)', 'SELECT 1 FROM t WHERE x = ANY(($1::int4[]))', ['ids']],
    ['SELECT 1 FROM t WHERE x IN (:a, :n)', 'SELECT 1 FROM t WHERE x IN (($1::int4), ($2::int4))', ['a', 'n']],
    [
      'SELECT substring(:b FROM :a FOR :n), position(:b IN x) FROM t',
      'SELECT substring(($1::text) FROM ($2::int4) FOR ($3::int4)), position(($1::text) IN x) FROM t',
      ['b', 'a', 'n'],
    ],
    [
      'SELECT x LIKE :b ESCAPE \'!\' COLLATE "C" FROM t',
      'SELECT x LIKE ($1::text) ESCAPE \'!\' COLLATE "C" FROM t',
      ['b'],
    ],
    ['SELECT é, :b FROM "😀" WHERE x = :a', 'SELECT é, ($1::text) FROM "😀" WHERE x = ($2::int4)', ['b', 'a']],
    ['SELECT 1;', 'SELECT 1', []],
    ['SELECT 1 ; ; -- end', 'SELECT 1', []],
    ['VALUES (:a), (2)', 'VALUES (($1::int4)), (2)', ['a']],
    ['TABLE t', 'TABLE t', []],
    ['(SELECT :a) UNION ALL (SELECT 2)', '(SELECT ($1::int4)) UNION ALL (SELECT 2)', ['a']],
    [
      'WITH RECURSIVE r AS (SELECT :a AS i UNION ALL SELECT i + 1 FROM r WHERE i < :n) SELECT * FROM r',
      'WITH RECURSIVE r AS (SELECT ($1::int4) AS i UNION ALL SELECT i + 1 FROM r WHERE i < ($2::int4)) SELECT * FROM r',
      ['a', 'n'],
    ],
  ])('%s', (sql, text, names) => {
    expect(rewritten(sql)).toEqual([text, names]);
  });

  test.each([
    ['SELECT :unknown', 'parameter `:unknown` is not declared under params'],
    ['SELECT :usr', 'parameter `:usr` is not declared under params: did you mean `user`?'],
    ['SELECT :A', 'parameter `:A` is not declared under params'],
    ['SELECT $1', 'expected a parameter by name, got one by number: declare it and write `:name`'],
    [
      'SELECT x FROM t WHERE x IN :ids',
      'expected a list after IN, got `:ids`: declare an array and write `= ANY (:ids)`',
    ],
    ['SELECT * FROM t WHERE x in   :a', 'expected a list after IN, got `:a`: declare an array and write `= ANY (:a)`'],
    ["SELECT :'b'", "psql's quoted form of a parameter is not supported: write `:name` without quotes"],
    ['SELECT :"b" FROM t', "psql's quoted form of a parameter is not supported: write `:name` without quotes"],
    ['SELECT x :a', 'syntax error at or near ":"'],
    ['SELECT interval :b', 'syntax error at or near ":b"'],
    ['SELECT :a :b', 'syntax error at or near ":"'],
    ['VALUES :a', 'syntax error at or near ":a"'],
    ['SELECT 1 FROM :b', 'syntax error at or near ":b"'],
    ["SELECT 'open", 'unterminated quoted string at or near "\'open"'],
    ['SELECT :a, $x$ open', 'unterminated dollar-quoted string at or near "$x$ open"'],
    ['SELECT 12ab', 'trailing junk after numeric literal at or near "12ab"'],
    ['', 'expected one SELECT, got no SQL'],
    ['-- nothing\n;', 'expected one SELECT, got no SQL'],
    ['SELECT', 'expected a SELECT with columns, got one without'],
    ['SELECT FROM t', 'expected a SELECT with columns, got one without'],
  ])('%s is refused', (sql, message) => {
    expect(rewritten(sql).at(-1)).toEqual(message);
    expect(rewritten(sql)).toHaveLength(1);
  });

  test('have every type as their cast', () => {
    expect(SCALAR_TYPES.map((type) => pgType(type))).toEqual([
      'text',
      'int4',
      'int8',
      'float8',
      'bool',
      'date',
      'timestamptz',
      'uuid',
    ]);
    expect(pgType('uuid[]')).toBe('uuid[]');
  });

  test('are found wherever they stand between strings, comments and quotes', () => {
    const decoys = [
      "':a'",
      '$$:b$$',
      '/* :n */ 1',
      "E'\\\\:a'",
      '":b"',
      '1::int4',
      "'é😀 :a'",
      'x[1:n]',
      "'--' || ':a'",
      '1 -- :n\n',
    ];
    const pieces = fc.array(fc.oneof(fc.constantFrom(...decoys), fc.constantFrom(':a', ':b', ':n')), {
      minLength: 1,
      maxLength: 12,
    });
    fc.assert(
      fc.property(pieces, (list) => {
        const { prepared } = prepareSql(`SELECT ${list.join(', ')} FROM t`, declared);
        const names = [...new Set(list.filter((piece) => piece.startsWith(':')).map((piece) => piece.slice(1)))];
        const types: Record<string, string> = { a: 'int4', b: 'text', n: 'int4' };
        const expected = list.map((piece) =>
          piece.startsWith(':') ? `($${names.indexOf(piece.slice(1)) + 1}::${types[piece.slice(1)]})` : piece,
        );
        expect(prepared?.statement).toEqual({ text: `SELECT ${expected.join(', ')} FROM t`, params: names });
      }),
    );
  });
});

describe('positions', () => {
  const place = (sql: string) => {
    const [problem] = prepareSql(sql, declared).problems;
    return problem && `${positionAt(sql, problem.offset).line}:${positionAt(sql, problem.offset).column}`;
  };

  test.each([
    ['SELECT :a, :b\nFROM form WHERE WHERE', '2:17'],
    ["SELECT 'é😀é', :a, oops oops oops", '1:29'],
    ["SELECT 'é😀',\n  :nope", '2:3'],
    ["SELECT 'é', 'open", '1:13'],
    ["SELECT :a, :b, 'é', pg_notify(:b, 'x')", '1:21'],
    ['SELECT 1;\n\nSELECT 2', '3:1'],
    ["SELECT 'é'; SELECT 2", '1:13'],
    ['WITH x AS (\n  DELETE FROM t RETURNING *\n) SELECT * FROM x', '2:15'],
    ['SELECT 1 FROM', '1:14'],
    ['SELECT * FROM (SELECT 1 FROM t\n FOR SHARE) AS s', '2:2'],
  ])('of a problem in %j', (sql, expected) => {
    expect(place(sql)).toBe(expected);
  });

  test("of the server's errors lead back to what was written", () => {
    const sql = "SELECT 'é😀', :a,\n  :b, wrong FROM t WHERE :n = 1";
    const { prepared } = prepareSql(sql, declared);
    for (const word of ['wrong', 'FROM', 'SELECT', '= 1']) {
      const position = [...prepared!.statement.text.slice(0, prepared!.statement.text.indexOf(word))].length + 1;
      expect(prepared!.toSource(position)).toBe(sql.indexOf(word));
    }
    const inCast = [...prepared!.statement.text.slice(0, prepared!.statement.text.indexOf('::text'))].length + 1;
    expect(prepared!.toSource(inCast)).toBe(sql.indexOf(':b'));
  });
});

describe('replaceNumbered', () => {
  test('replaces parameters and nothing that looks like one', () => {
    const text = "SELECT ($1::int4), '$1', $$ $2 $$, ($12::text) -- $1";
    expect(replaceNumbered(text, (n) => `p.c${n}`)).toBe("SELECT (p.c1::int4), '$1', $$ $2 $$, (p.c12::text) -- $1");
  });
});
