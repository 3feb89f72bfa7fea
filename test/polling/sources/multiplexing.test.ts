import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import pg from 'pg';

import { canMultiplex } from '../../../src/polling/sources/multiplex.js';
import type { PostgresSource } from '../../../src/polling/sources/postgres.js';
import type { Topic } from '../../../src/topics/topic.js';
import { startPostgres, type TestPostgres } from '../../support/postgres.js';
import { asksOf, range, sourceOf, topicOf, whenever, type LogLine, type Values } from './support.js';
import { anyParameters, anySelect, HEADER } from './selects.js';

let postgres: TestPostgres;
let pool: pg.Pool;
let source: PostgresSource;
let single: PostgresSource;
let log: LogLine[];

beforeAll(async () => {
  postgres = await startPostgres();
  const { url } = await postgres.createDatabase();
  pool = new pg.Pool({ connectionString: url, max: 2 });
  pool.on('error', () => undefined);
  await pool.query(`
    create table item (id int primary key, region text, k int, v numeric, at timestamptz, note text, tags text[]);
    insert into item
      select i, (array['EU','US','APAC'])[1 + i % 3], i % 7, i / 8.0, timestamptz '2026-01-01' + i * interval '1 hour',
             case when i % 5 = 0 then null else 'note ' || i || ' "quoted" \\ é' end, array['t' || i % 2, null]
        from generate_series(1, 60) i;
    create index on item (k);
    analyze item;
  `);
  ({ source, log } = sourceOf(url, { maxConnections: 3 }));
  ({ source: single } = sourceOf(url, { maxConnections: 3, maxBatch: 1 }));
});

afterAll(async () => {
  await Promise.all([source?.close(), single?.close()]);
  await pool?.end();
  await postgres?.stop();
});

/** What the SELECT itself gives, row by row, with nothing of the source's statements around it. */
async function reference({ select }: Topic, values: Values): Promise<string> {
  const text = `select row_to_json(whole.*)::text from (${select.text}\n) whole`;
  const query = {
    text,
    values: select.params.map((name) => values[name]),
    rowMode: 'array',
    queryMode: 'extended',
  } as const;
  const { rows } = await pool.query<[string]>(query);
  return `[${rows.map(([row]) => row).join(',')}]`;
}

async function expectBothForms(topic: Topic, sets: readonly Values[]): Promise<void> {
  const expected = await Promise.all(sets.map((values) => reference(topic, values)));
  const many = await source.ask(topic, asksOf(sets), whenever());
  const one = await single.ask(topic, asksOf(sets), whenever());
  expect(many.map((answer) => (answer.kind === 'rows' ? answer.rows : answer))).toEqual(expected);
  expect(one).toEqual(many);
}

const RUNS = 200;

/** That nothing fell back to one query per channel, which would hold the forms equal too. */
function expectShared(): void {
  expect(log).toEqual([]);
}

const SETS: Values[] = range(12).map((i) => ({
  n: i - 3,
  r: ['EU', 'US', 'all', ':n'][i % 4] as string,
  b: i % 2 === 0,
  ids: range(i % 5),
}));
const PARAMS = `params:
  n: { type: int }
  r: { type: text }
  b: { type: bool }
  ids: { type: 'int[]' }`;

/** Declares those of PARAMS that the text uses: the catalogue warns of others. */
function small(sql: string): Topic {
  const lines = PARAMS.split('\n').filter((line, i) => i === 0 || sql.includes(`:${line.trim().split(':')[0]}`));
  return topicOf(sql, lines.length > 1 ? lines.join('\n') : '');
}

describe('a SELECT shared by many channels gives each what it gives alone', () => {
  test.each([
    ['a CTE', 'with x as (select * from item where k < :n) select id, k from x order by id'],
    [
      'a CTE without parameters',
      'with x as materialized (select k, sum(v) s from item group by k) select s from x where k = :n',
    ],
    [
      'a recursive CTE',
      'with recursive x(i) as (select :n union all select i + 1 from x where i < 12) select i from x order by i',
    ],
    ['ORDER BY and LIMIT', 'select id, v from item where region = :r order by v desc, id limit 5'],
    ['LIMIT and OFFSET by parameters', 'select id from item order by id desc limit abs(:n) offset abs(:n)'],
    ['FETCH FIRST by a parameter', 'select id from item order by id fetch first (abs(:n)) rows only'],
    ['an order that only the SELECT has', 'select note from item where note is not null order by id * 37 % 61'],
    [
      'window functions',
      'select id, sum(v) over (partition by region order by id rows between 2 preceding and current row) from item where k = :n order by id',
    ],
    [
      'a window frame by a parameter',
      'select id, count(*) over (order by id rows between abs(:n) preceding and current row) from item order by id limit 9',
    ],
    ['an aggregate without GROUP BY', 'select count(*), max(v), min(at) from item where region = :r'],
    ['an aggregate over nothing', 'select sum(v), count(*) from item where false and k = :n'],
    ['GROUP BY and HAVING', 'select region, count(*) from item group by region having count(*) > :n order by region'],
    [
      'grouping by an expression of a parameter',
      `select k % (abs(:n) + 1) as g, count(*) from item group by k % (abs(:n) + 1) order by 1`,
    ],
    [
      'GROUPING SETS',
      'select region, k, count(*) from item where k < :n group by grouping sets ((region), (k), ()) order by 1, 2',
    ],
    ['an empty result', 'select * from item where id = -1 and k = :n'],
    ['a set-returning function', 'select generate_series(1, :n) as i order by i'],
    [
      'a set-returning function in FROM',
      'select g, :r as r from generate_series(1, abs(:n)) with ordinality g(g, o) order by o',
    ],
    ['UNION, INTERSECT, EXCEPT', '(select k from item where region = :r union select :n) except select 2 order by 1'],
    [
      'UNION ALL with LIMITs of their own',
      '(select id from item order by id limit 1) union all (select id from item where k < :n order by id desc limit 2)',
    ],
    ['VALUES', 'select * from (values (1, :n), (2, 3)) as v(a, b) order by a'],
    ['DISTINCT ON', 'select distinct on (region) region, id from item where k > :n order by region, id desc'],
    [
      'a correlated subquery',
      'select id, (select count(*) from item x where x.k = item.k and x.id > :n) as later from item order by id limit 6',
    ],
    [
      'LATERAL of its own',
      'select i.id, l.m from item i cross join lateral (select max(k) as m from item j where j.region = i.region and j.k < :n) l order by i.id limit 6',
    ],
    [
      'a FULL JOIN',
      'select a.id, b.id as other from (select * from item where k = :n) a full join (select * from item where k = 3) b using (id) order by 1, 2',
    ],
    [
      'aggregates with FILTER and ORDER BY',
      `select string_agg(region, ',' order by id) filter (where k < :n) as s from item`,
    ],
    ['an ordered-set aggregate', 'select percentile_cont(0.5) within group (order by v) from item where region = :r'],
    [
      'its fraction by a parameter',
      'select percentile_cont((abs(:n) % 10) / 10.0) within group (order by v) from item',
    ],
    ['ANY of an array', 'select id from item where k = any(:ids) order by id'],
    [
      'an array that is subscripted, counted and given back',
      'select :ids as ids, :ids[1] as first, :ids[1:2] as two, cardinality(:ids) as size',
    ],
    ['unnest of an array', 'select u, o from unnest(:ids) with ordinality u(u, o) order by o'],
    [
      'a parameter used often',
      `select :n + :n as a, :r || :r as b from item where :n < id and (:r = 'all' or region = :r) and k <> :n order by id limit 3`,
    ],
    ['parameters that are not used', 'select count(*) from item'],
    [
      'casts',
      `select '7'::int + :n as a, :n::text as b, :n::bigint::numeric(8,2) as c, cast(:r as varchar(2)) as d, '{}'::jsonb -> :r as e`,
    ],
    [
      'strings that look like parameters',
      `select ':n' as a, ':r''s' as b, E'\\':n' as c, $$ :n $1 $$ as d, $x$ :r $x$ as e, U&':n' as f, :n as g`,
    ],
    ['comments that look like parameters', `select /* :r $1 /* nested :n */ */ :n as a -- :r\n, 1 as b -- the end :n`],
    [
      'columns without names',
      'select :n, :r, :n + 1, :b, coalesce(:n, 1), -:n, (select :n), case when :b then :n end, :ids',
    ],
    ['columns with the same name', 'select 1 as a, :n as a, :r as "A", 3 as a'],
    [
      'columns and tables named like those of the batch',
      `select t.n, t.seen, t.rows, t.count, t, q.p1, q.* from (select :n as n, 1 as seen, 2 as rows, 3 as count, 4 as t) t, (select 5 as p1, 6 as n) q`,
    ],
    [
      'a table named like the batch',
      `select pollcast_in.p1, pollcast_in.n, :n as x from (select 8 as p1, 9 as n) pollcast_in`,
    ],
    ['whole rows as columns', 'select item, row(:n, :r) as r from item order by id limit 2'],
    [
      'json inside',
      `select jsonb_build_object('k', :n, 'r', :r) as j, array_agg(id order by id) as ids, json_agg(at order by id) as at from item where k = :n`,
    ],
    ['odd column names', `select :n as "with space", 2 as "q""uote", 3 as "select", 4 as "ünï"`],
    [
      'every kind of value',
      `select 1.50::numeric, 1e300::float8, 'NaN'::numeric, true, null, date '2026-02-28', interval '1 day', '\\x00ff'::bytea, '{"a": 1}'::json, 'infinity'::timestamptz, :n as n`,
    ],
    [
      'TABLESAMPLE by a parameter',
      'select id from item tablesample bernoulli (abs(:n) * 5) repeatable (1) order by id',
    ],
    ['a boolean parameter as the whole condition', 'select id from item where :b order by id limit 2'],
    ['a row comparison', 'select id from item where (k, region) = (:n, :r) order by id'],
    ['an IN list', 'select id from item where k in (:n, :n + 1, 3) order by id'],
  ])('%s', async (_, sql) => {
    await expectBothForms(small(sql), SETS);
    expect(await canMultiplex(small(sql), pool)).toEqual({ multiplexed: true });
    expectShared();
  });

  test('whatever a grammar of SELECTs brings forth, with whatever values', async () => {
    const cases = fc.tuple(anySelect, fc.array(anyParameters, { minLength: 2, maxLength: 10 }));
    let alone = 0;
    const property = fc.asyncProperty(cases, async ([sql, sets]) => {
      const before = log.length;
      const topic = topicOf(sql, HEADER);
      await expectBothForms(topic, sets);
      const told = log.slice(before).map(({ message }) => message);
      expect(told).toEqual(topic.select.alone === undefined ? [] : [expect.stringContaining('one query each')]);
      alone += told.length;
    });
    // Other cases each time; a failure prints its seed and path, which `seed` and `path` here bring back.
    await fc.assert(property, { numRuns: RUNS });
    expect(alone).toBeLessThan(RUNS / 4);
  }, 120_000);

  test('whatever values, they arrive as they are', async () => {
    const topic = topicOf(
      'select :n as n, :f as f, :r as r, :b as b, :d as d, :ts as ts, :u as u, :big as big, :ids as ids, :texts as texts',
      HEADER,
    );
    const sets = fc.array(anyParameters, { minLength: 2, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(sets, (values) => expectBothForms(topic, values)),
      { numRuns: 50 },
    );
  }, 60_000);
});

describe('a SELECT that cannot be shared', () => {
  /** What the property test found first: the sort by the whole row went by the answers for the channel before. */
  const UNITED = `select * from (select k::bigint as a, 'x' as x from item where k < k
    union all select k + case when not exists (select from item x where x.id = i.id + 1 and :b) then k else 0 end, 'x' from item i) s`;

  test.each([
    ['a UNION ALL with a column from EXISTS, sorted by whole rows', `${UNITED} order by s::text`],
    ['a UNION ALL with a column from EXISTS, used twice', `select a, a as again from (${UNITED}) s order by 1`],
    [
      'a UNION ALL with a column from IN, by way of a CTE',
      `with c as (select id, id in (select x.id from item x where x.k = :n) as f from item)
       select id, f, f as g from (select id, f from c union all select 0, false) s where not f order by id`,
    ],
    ['an aggregate of nothing but a parameter', 'select sum(:n) as s, max(:n) as m from item'],
    ['a filter of nothing but a parameter', 'select count(*) filter (where :b) as c from item'],
    ['a FULL JOIN on nothing but a parameter', 'select count(*) from item a full join (select 1 as x) b on :b'],
  ])('%s is asked with one query per channel', async (_, sql) => {
    const before = log.length;
    const topic = small(sql);
    await expectBothForms(topic, SETS);
    await expectBothForms(topic, SETS);
    expect(log.slice(before).map(({ message }) => message)).toEqual([expect.stringContaining('one query each')]);
    expect(await canMultiplex(topic, pool)).toEqual({ multiplexed: false, reason: expect.any(String) });
  });

  test('one that is wrong in itself is not for canMultiplex to tell', async () => {
    expect(await canMultiplex(small('select nothing from nowhere where x = :n'), pool)).toEqual({ multiplexed: true });
  });
});
