import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { checkTopics } from '../../src/topics/check.js';
import { startPostgres, type TestDatabase, type TestPostgres } from '../support/postgres.js';

let postgres: TestPostgres;
let database: TestDatabase;
let pool: pg.Pool;
let dir: string;

beforeAll(async () => {
  postgres = await startPostgres();
  database = await postgres.createDatabase();
  await postgres.query(
    `CREATE TABLE orders (id bigint, region text, total numeric, price numeric(10, 2), placed_at timestamptz, tags text[]);
     CREATE ROLE reader LOGIN PASSWORD 'reader'; GRANT SELECT ON orders TO reader`,
    [],
    database.name,
  );
  const url = new URL(database.url);
  url.username = 'reader';
  url.password = 'reader';
  pool = new pg.Pool({ connectionString: url.href, max: 1 });
  ignoreErrors(pool);
});
afterAll(async () => {
  await pool?.end();
  await postgres?.stop();
});
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pollcast-check-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

/** `end` resolves before the server has closed its side, and the server may stop in between. */
function ignoreErrors(of: pg.Pool): void {
  of.on('error', () => undefined);
}

async function check(files: Record<string, string>, asked: pg.Pool | null = pool): Promise<string[]> {
  for (const [file, text] of Object.entries(files)) {
    await mkdir(dirname(join(dir, file)), { recursive: true });
    await writeFile(join(dir, file), text);
  }
  const faults = await checkTopics(dir, asked);
  return faults.map(
    ({ file, line, column, severity, message }) => `${file}:${line}:${column ?? ''} ${severity}: ${message}`,
  );
}

describe('topics check', () => {
  test('finds nothing wrong with good files', async () => {
    expect(
      await check({
        'a.sql': 'SELECT region, count(*) AS orders, avg(price)::float8 AS average FROM orders GROUP BY region',
        'b.sql': `/*
params:
  ids: { type: bigint[] }
  at: { type: timestamptz }
  day: { type: date, default: null }
  u: { type: uuid }
  yes: { type: bool }
  f: { type: float, default: 0.5 }
  region: { type: text, enum: [EU, US] }
key: [region]
changed: select max(id) from orders where region = :region
*/
SELECT region, price FROM orders
WHERE id = ANY (:ids) AND placed_at > :at AND placed_at::date = :day AND :u IS NOT NULL AND :yes AND :f > 0 AND region = :region
ORDER BY id LIMIT 5 -- the end`,
      }),
    ).toEqual([]);
  });

  test.each([
    'SELECT region FROM orders ORDER BY id LIMIT :n OFFSET :n',
    'SELECT region FROM orders ORDER BY id FETCH FIRST :n ROWS ONLY',
    'SELECT max(price) OVER (ORDER BY id ROWS BETWEEN :n PRECEDING AND CURRENT ROW) AS x FROM orders',
    "SELECT :ids[1] AS x, :n * interval '1 minute' AS y, :n || ' minutes' AS z, (:n || ' minutes')::interval AS i",
    'SELECT region FROM orders WHERE id = ANY (:ids) OR id IN (:n, 5) OR id <> ALL (:ids) OR :n = ANY (:ids)',
    'SELECT region FROM orders WHERE price BETWEEN :n AND :n + 1 AND region LIKE :t || $$%$$ ESCAPE :t',
    'SELECT placed_at AT TIME ZONE :t AS x, placed_at > now() - make_interval(mins => :n) AS y FROM orders',
    'SELECT date_trunc(:t, placed_at) AS x, count(*) AS n FROM orders GROUP BY date_trunc(:t, placed_at)',
    'SELECT CASE :t WHEN $$a$$ THEN :n ELSE -:n END AS x, coalesce(:t, $$b$$) COLLATE "C" AS y, NULLIF(:n, 1) AS z',
    "SELECT '{}'::jsonb -> :t AS x, '{}'::jsonb #>> ARRAY[:t, :t] AS y, tags[:n] AS z, tags[1: :n] AS s FROM orders",
    'SELECT i FROM generate_series(1, :n) AS i UNION ALL SELECT i FROM unnest(:ids) AS i UNION VALUES (:n)',
    'WITH RECURSIVE r AS (SELECT :n AS i UNION ALL SELECT i + 1 FROM r WHERE i < :n) SELECT i FROM r',
    'SELECT substring(:t FROM :n FOR :n) AS x, position(:t IN :t) AS y, extract(day FROM :d) AS z, overlay(:t placing :t from :n) AS o',
    'SELECT :d - 7 AS x, :d + interval $$1 day$$ AS y, placed_at::date >= coalesce(:d, current_date) AS z FROM orders',
    'SELECT region FROM orders TABLESAMPLE bernoulli (:n) WHERE (id, region) > (:n, :t)',
    'SELECT EXISTS (SELECT 1 FROM orders WHERE id > :n) AS x, ARRAY(SELECT id::int FROM orders LIMIT :n) AS y, ROW(:n, :t)::text AS z',
  ])('plans a parameter wherever SQL takes one: %s', async (sql) => {
    const params = { n: 'int', t: 'text', ids: 'int[]', d: 'date' };
    const used = Object.entries(params).filter(([name]) => new RegExp(`:${name}\\b`).test(sql));
    const header = used.map(([name, type]) => `  ${name}: { type: ${type}, default: null }`).join('\n');
    const faults = await check({ 'a.sql': `/*\nparams:\n${header}\n*/\n${sql}` });
    expect(faults.filter((fault) => fault.includes(' error: '))).toEqual([]);
  });

  test('reports every fault of every file, with its place', async () => {
    const faults = await check({
      'a/parse.sql': '/*\ninterval: 1\n*/\nSELECT :b',
      'a/column.sql': "/*\ntitle: é\n*/\nSELECT 'é😀' AS x,\n  regoin\nFROM orders",
      'a/table.sql': 'SELECT 1 AS x\n  FROM ordes',
      'a/type.sql': '/*\nparams:\n  a: { type: text }\n*/\nSELECT 1 AS x FROM orders WHERE id\n  = :a',
      'a/changed.sql': '/*\nchanged: select max(idd) from orders\n*/\nSELECT 1 AS x',
      'a/plan.sql': 'SELECT 1 / 0 AS x',
      'a/group.sql': 'SELECT region, max(id)::text AS m FROM orders',
    });
    expect(faults).toEqual([
      'a/changed.sql:2:21 error: changed: column "idd" does not exist (Perhaps you meant to reference the column "orders.id".)',
      'a/column.sql:5:3 error: column "regoin" does not exist (Perhaps you meant to reference the column "orders.region".)',
      'a/group.sql:1:8 error: column "orders.region" must appear in the GROUP BY clause or be used in an aggregate function',
      'a/parse.sql:2:11 error: interval: expected a duration such as 250ms, 5s, 10m or 1h, from 50ms to 24h, got 1',
      'a/parse.sql:4:8 error: parameter `:b` is not declared under params',
      'a/plan.sql:1:1 error: division by zero',
      'a/table.sql:2:8 error: relation "ordes" does not exist',
      expect.stringMatching(/^a\/type.sql:6:3 error: operator does not exist: bigint = text/),
    ]);
  });

  test('checks the columns of the result', async () => {
    expect(
      await check({
        'dup.sql': 'SELECT region,\n  price AS region FROM orders',
        'key.sql': '/*\nkey: [regoin, nope]\n*/\nSELECT region FROM orders',
        'unnamed.sql': 'SELECT 1 + 1',
        'star.sql': 'SELECT *, price AS total FROM orders',
      }),
    ).toEqual([
      "dup.sql:2:3 error: two columns are named `region`, of which a row's JSON keeps one: rename one with AS",
      'key.sql:2:7 error: key: expected a column of the result, got `regoin`: did you mean `region`?',
      'key.sql:2:15 error: key: expected a column of the result, got `nope`: it has region',
      "star.sql:1:1 error: two columns are named `total`, of which a row's JSON keeps one: rename one with AS",
      expect.stringMatching(/^star.sql:1:1 warning: column `id` is bigint and can pass 2\^53/),
      expect.stringMatching(/^star.sql:1:1 warning: column `total` is numeric/),
      'unnamed.sql:1:8 error: column 1 has no name: add AS and a name',
    ]);
  });

  test.each([
    ['id', 'bigint'],
    ['sum(price)', 'numeric'],
    ['total', 'numeric'],
    ['array_agg(id)', 'bigint[]'],
    ['sum(1)', 'bigint'],
    ['total::numeric(20, 2)', 'numeric'],
  ])('warns that %s can pass 2^53', async (expression, type) => {
    expect(await check({ 'a.sql': `SELECT\n  ${expression} AS x FROM orders GROUP BY id, total` })).toEqual([
      `a.sql:2:3 warning: column \`x\` is ${type} and can pass 2^53, beyond which a JSON number is not exact: ` +
        'cast it to text, or to int or float8 where its values stay small',
    ]);
  });

  test.each([
    'id::text',
    'count(*)',
    'coalesce(count(*), 0)',
    'row_number() OVER ()',
    'price',
    'sum(total)::float8',
    'total::numeric(15, 2)',
    'id::int',
  ])('does not warn of %s', async (expression) => {
    expect(await check({ 'a.sql': `SELECT ${expression} AS x FROM orders GROUP BY id, total, price` })).toEqual([]);
  });

  test('warns of a role that can write', async () => {
    const writer = new pg.Pool({ connectionString: database.url, max: 1 });
    ignoreErrors(writer);
    expect(await check({}, writer)).toEqual([
      'DATABASE_URL:1: warning: the role `pollcast` that topics run under is a superuser: give them a role that can only SELECT',
    ]);
    await writer.end();
    await postgres.query('GRANT UPDATE ON orders TO reader', [], database.name);
    expect(await check({})).toEqual([
      'DATABASE_URL:1: warning: the role `reader` that topics run under can write, for example to orders: give them a role that can only SELECT',
    ]);
    await postgres.query('REVOKE UPDATE ON orders FROM reader', [], database.name);
  });

  test('runs nothing', async () => {
    await postgres.query(
      `CREATE SEQUENCE ran;
       CREATE FUNCTION run() RETURNS int STABLE SECURITY DEFINER LANGUAGE sql AS $$ SELECT nextval('ran')::int $$`,
      [],
      database.name,
    );
    expect(await check({ 'a.sql': '/*\nchanged: select run()\n*/\nSELECT run() AS x' })).toEqual([]);
    await postgres.query('ALTER FUNCTION run() VOLATILE', [], database.name);
    expect(await check({})).toEqual([
      expect.stringMatching(/^a.sql:2:17 warning: changed: the function `run` is VOLATILE and not looked into/),
      expect.stringMatching(/^a.sql:4:8 warning: the function `run` is VOLATILE and not looked into/),
    ]);
    const [state] = await postgres.query('SELECT is_called FROM ran', [], database.name);
    expect(state).toEqual({ is_called: false });
  });

  test('works on the files alone', async () => {
    expect(await check({ 'a.sql': 'SELECT nothing FROM nowhere', 'b.sql': 'SELECT' }, null)).toEqual([
      'b.sql:1:1 error: expected a SELECT with columns, got one without',
    ]);
  });

  test('says when the database cannot be asked, beside the faults of the files', async () => {
    const nobody = new pg.Pool({ connectionString: 'postgres://nobody@127.0.0.1:1/x', max: 1 });
    expect(await check({ 'b.sql': 'SELECT' }, nobody)).toEqual([
      expect.stringMatching(/^DATABASE_URL:1: error: the database cannot be asked/),
      'b.sql:1:1 error: expected a SELECT with columns, got one without',
    ]);
    await nobody.end();
  });

  test('needs its folder', async () => {
    await expect(checkTopics(join(dir, 'nowhere'), null)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
