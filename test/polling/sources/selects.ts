import fc, { type Arbitrary } from 'fast-check';

import type { Values } from './support.js';

/** Parameters that every SELECT of the grammar may use. */
export const HEADER = `params:
  n: { type: int }
  f: { type: float }
  r: { type: text }
  b: { type: bool }
  d: { type: date }
  ts: { type: timestamptz }
  u: { type: uuid }
  big: { type: bigint }
  ids: { type: 'int[]' }
  texts: { type: 'text[]' }`;

const INT = fc.oneof(fc.integer({ min: -3, max: 9 }), fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }));
const AWKWARD = fc.constantFrom(
  '',
  'NULL',
  'null',
  '{}',
  '{a,b}',
  '"',
  '\\',
  "'",
  '$1',
  ':n',
  ' a ',
  'a,b',
  'é✓𝄞',
  '\n\t',
  '-',
  '(1,2)',
);
const TEXT = fc.oneof(
  fc.constantFrom('EU', 'US', 'all'),
  AWKWARD,
  fc.string({ unit: 'grapheme', maxLength: 12 }).map((text) => text.replaceAll('\0', '')),
);
const SMALL = fc.integer({ min: -3, max: 9 });
const DAY = fc.date({ min: new Date('1970-01-01'), max: new Date('2199-12-31'), noInvalidDate: true });

export const anyParameters: Arbitrary<Values> = fc.record({
  n: fc.oneof({ weight: 5, arbitrary: SMALL }, { weight: 1, arbitrary: fc.constant(null) }),
  f: fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.constantFrom(0, -0, 1e21, 5e-324, 0.1)),
  r: TEXT,
  b: fc.oneof(fc.boolean(), fc.constant(null)),
  d: DAY.map((day) => day.toISOString().slice(0, 10)),
  ts: DAY.map((day) => day.toISOString()),
  u: fc.uuid(),
  big: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  ids: fc.oneof(fc.array(fc.oneof(SMALL, INT, fc.constant(null)), { maxLength: 5 }), fc.constant(null)),
  texts: fc.array(fc.oneof(TEXT, fc.constant(null)), { maxLength: 4 }),
});

/** Expressions over a row of `item` (as `i`) and the parameters, by type. */
const expressions = fc.letrec<{ int: string; text: string; bool: string }>((tie) => ({
  int: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(
      'i.k',
      'i.id',
      ':n',
      '3',
      'length(:r)',
      'cardinality(:ids)',
      '(:ids)[1]',
      '(:d - current_date)',
      '(select max(x.k) from item x where x.region = :r)',
    ),
    fc.tuple(tie('int'), fc.constantFrom('+', '-'), tie('int')).map(([a, op, b]) => `((${a})::bigint ${op} (${b}))`),
    tie('int').map((a) => `coalesce(${a}, :n, 0)`),
    fc.tuple(tie('bool'), tie('int'), tie('int')).map(([c, a, b]) => `case when ${c} then ${a} else ${b} end`),
    tie('bool').map((c) => `(select count(*) from item x where x.k = i.k and ${c})`),
    tie('int').map(
      (a) => `(select sum(y) from (select x.k as y from item x where x.id < ${a} order by x.id desc limit 3) z)`,
    ),
  ),
  text: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(
      'i.region',
      'i.note',
      ':r',
      `':r'`,
      `$$:n $1$$`,
      `E'\\':b'`,
      ':u::text',
      ':big::text',
      ':ts::text',
      'to_json(:texts)::text',
      `:r /* :n */`,
    ),
    fc.tuple(tie('text'), tie('text')).map(([a, b]) => `concat(${a}, '/', ${b})`),
    tie('int').map((a) => `(${a})::text`),
    tie('text').map((a) => `upper(${a})`),
  ),
  bool: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(
      'true',
      ':b',
      'i.region = :r',
      `(:r = 'all' or i.region = :r)`,
      'i.k = any(:ids)',
      'i.at > :ts',
      'i.v < :f',
      'i.note is null',
    ),
    fc
      .tuple(tie('int'), fc.constantFrom('<', '>=', '=', 'is distinct from'), tie('int'))
      .map(([a, op, b]) => `((${a}) ${op} (${b}))`),
    fc.tuple(tie('bool'), fc.constantFrom('and', 'or'), tie('bool')).map(([a, op, b]) => `(${a} ${op} ${b})`),
    tie('bool').map((a) => `not (${a})`),
    tie('bool').map((a) => `exists (select 1 from item x where x.id = i.id + 1 and ${a})`),
  ),
}));

const FROM = fc.constantFrom(
  'item i',
  '(select * from item order by id desc limit 20) i',
  "item i join (values (1, :r), (2, 'EU')) w(q, z) on w.z = i.region",
  'item i left join lateral (select 1 as one where i.k = :n) l on true',
  'item i cross join generate_series(1, 2) g',
  '(with c as (select * from item where k < 6) select * from c where c.region <> :r) i',
);
/** Names that are also the statement's own, or that JSON has to escape. */
const NAME = fc.constantFrom('a', 'n', 'seen', 'rows', 'count', 't', 'q', 'c', 'r', '"A b"', '"ü"""');
const TAIL = fc.constantFrom('', ' limit 5', ' limit 3 offset 1', ' limit abs(:n::bigint)', ' -- :n', ';');

const plain = fc
  .record({
    a: expressions.int,
    b: expressions.text,
    c: expressions.bool,
    from: FROM,
    x: NAME,
    y: NAME,
    distinct: fc.constantFrom('', 'distinct '),
  })
  .map(
    ({ a, b, c, from, x, y, distinct }) => `select ${distinct}${a} as ${x}, ${b} as ${y}, ${b} from ${from} where ${c}`,
  );
const grouped = fc
  .record({ a: expressions.int, c: expressions.bool, d: expressions.bool, from: FROM })
  .map(
    ({ a, c, d, from }) =>
      `select i.region, count(*), sum(i.v) filter (where i.id > 0 and ${d}), max(${a} + i.k) from ${from} where ${c} group by i.region`,
  );
const whole = fc
  .record({ a: expressions.int, c: expressions.bool, from: FROM })
  .map(
    ({ a, c, from }) =>
      `select count(*), avg(i.v + ${a}), json_agg(i.id order by i.id) #>> '{}' from ${from} where ${c}`,
  );
const windowed = fc
  .record({ a: expressions.int, c: expressions.bool, x: NAME })
  .map(
    ({ a, c, x }) =>
      `select i.id, row_number() over (order by i.id) as ${x}, sum(${a}) over (partition by i.region order by i.id) from item i where ${c}`,
  );
const series = expressions.int.map(
  (a) => `select generate_series(1, abs(coalesce(:n, 2))) as i1, ${a}, :r from item i where i.id = 1`,
);
const recursive = expressions.bool.map(
  (c) =>
    `with recursive w(id, d) as (select i.id, 0 from item i where i.id < 4 and ${c} union all select w.id, d + 1 from w where d < abs(coalesce(:n, 1))) select id, d, 1 from w`,
);
const fromCte = plain.map(
  (sql) => `with t as (${sql}), q as materialized (select count(*) as n from t) select t.*, q.n from t, q`,
);
const united = fc
  .tuple(
    fc.constantFrom('union', 'union all', 'except', 'intersect'),
    expressions.int,
    expressions.int,
    expressions.bool,
  )
  .map(
    ([op, a, b, c]) =>
      `select ${a}::bigint as a, 'x', 1 from item i where ${c} ${op} select ${b}::bigint, 'x', 1 from item i`,
  );

/** SELECTs in a total order, so that there is one right text of their rows. */
export const anySelect: Arbitrary<string> = fc
  .tuple(fc.oneof(plain, grouped, whole, windowed, series, recursive, fromCte, united), TAIL)
  .map(([sql, tail]) => `select * from (${sql}) s order by s::text${tail}`);
