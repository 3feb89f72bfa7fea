import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { resultTypes } from '../../src/topics/result-types.js';
import { prepareSql } from '../../src/topics/sql.js';
import { startPostgres, type TestPostgres } from '../support/postgres.js';

let postgres: TestPostgres;
let client: pg.Client;

beforeAll(async () => {
  postgres = await startPostgres();
  const database = await postgres.createDatabase();
  await postgres.query(
    `CREATE TYPE mood AS ENUM ('glad', 'so''so', 'sad');
     CREATE TYPE place AS (street text, "house number" int);
     CREATE DOMAIN amount AS numeric(10, 2) CHECK (value >= 0);
     CREATE TABLE people (
       id bigint PRIMARY KEY, name text NOT NULL, nick text, mood mood NOT NULL, home place, paid amount,
       tags text[] NOT NULL, extra jsonb, born date, active boolean NOT NULL, score float8, "times seen" int
     );
     CREATE TABLE pets (owner bigint NOT NULL, name text NOT NULL);
     CREATE VIEW named AS SELECT id, name FROM people;
     CREATE TABLE old (name text NOT NULL);
     CREATE TABLE older () INHERITS (old);
     CREATE TABLE parts (at date NOT NULL) PARTITION BY RANGE (at);
     CREATE TABLE part PARTITION OF parts FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');`,
    [],
    database.name,
  );
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
});
afterAll(async () => {
  await client?.end();
  await postgres?.stop();
});

/** `name: type`, as a person would write it. */
async function typesOf(sql: string): Promise<string[]> {
  const { prepared, problems } = prepareSql(sql, [{ name: 'n', type: 'int' }]);
  expect(problems).toEqual([]);
  const columns = await resultTypes(client, prepared!);
  return columns.map(({ name, type, nullable }) => `${name}: ${type}${nullable ? '?' : ''}`);
}

describe('types of a result', () => {
  test('are those of the JSON that Postgres makes of each column', async () => {
    expect(await typesOf('SELECT * FROM people')).toEqual([
      'id: number',
      'name: string',
      'nick: string?',
      "mood: 'glad' | 'so\\'so' | 'sad'",
      "home: { street: string | null; 'house number': number | null }?",
      'paid: number?',
      'tags: readonly (string | null)[]',
      'extra: JsonValue?',
      'born: string?',
      'active: boolean',
      'score: number?',
      'times seen: number?',
    ]);
    expect(
      await typesOf(
        "SELECT ROW(1, 2) AS a, '{}'::json AS b, ARRAY[ARRAY[1]] AS c, now() AS d, '1 day'::interval AS e, int4range(1, 2) AS f, '1 2'::int2vector AS g, :n AS h, array_agg(home) AS i FROM people",
      ),
    ).toEqual([
      'a: JsonValue?',
      'b: JsonValue?',
      'c: readonly (number | null)[]?',
      'd: string',
      'e: string?',
      'f: string?',
      'g: string?',
      'h: number?',
      "i: readonly ({ street: string | null; 'house number': number | null } | null)[]?",
    ]);
  });

  test.each<[string, string[]]>([
    // A column's own NOT NULL, also through joins, sub-selects and CTEs …
    ['SELECT name FROM people', ['name: string']],
    ['SELECT p.name, x.name AS pet FROM people p JOIN pets x ON x.owner = p.id', ['name: string', 'pet: string']],
    ['WITH a AS (SELECT name FROM people LIMIT 5) SELECT b.name FROM (SELECT * FROM a) b', ['name: string']],
    ['SELECT at FROM parts', ['at: string']],
    // … but not where something fills up with nulls, or a child may have dropped it, or nobody says so
    ['SELECT x.name FROM people p LEFT JOIN pets x ON x.owner = p.id', ['name: string?']],
    ['SELECT name FROM (SELECT x.name FROM people p FULL JOIN pets x ON x.owner = p.id) q', ['name: string?']],
    ['SELECT name FROM people UNION ALL SELECT nick FROM people', ['name: string?']],
    ['SELECT name, count(*) FROM people GROUP BY ROLLUP (name)', ['name: string?', 'count: number?']],
    ['SELECT name FROM old', ['name: string?']],
    ['SELECT name FROM named', ['name: string?']],
    ['SELECT (SELECT name FROM people WHERE false) AS name', ['name: string?']],
    ['SELECT max(name) AS name, sum(id)::float8 AS total FROM people', ['name: string?', 'total: number?']],
    // What is never null by what it is
    ['SELECT count(*)::int AS n, row_number() OVER () AS r FROM people GROUP BY nick', ['n: number', 'r: number']],
    [
      "SELECT 1 AS a, 'x' AS b, NULL AS c, coalesce(nick, '-') AS d FROM people",
      ['a: number', 'b: string', 'c: string?', 'd: string'],
    ],
    ['SELECT coalesce(sum(paid), 0)::float8 AS total FROM people', ['total: number']],
    ['SELECT coalesce(nick, NULL) AS a, nick::text AS b FROM people', ['a: string?', 'b: string?']],
    ["SELECT coalesce(extra, 'null')::int AS a FROM people", ['a: number?']],
    ['SELECT count(x.name) AS pets FROM people p LEFT JOIN pets x ON x.owner = p.id', ['pets: number']],
  ])('say honestly where there may be nulls: %s', async (sql, expected) => {
    expect(await typesOf(sql)).toEqual(expected);
  });
});
