import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { channelOf } from '../../src/topics/channel.js';
import { parseTopic } from '../../src/topics/topic-file.js';
import { prepareSql } from '../../src/topics/sql.js';
import { startPostgres, type TestPostgres } from '../support/postgres.js';
import { ALLOWED, REFUSED } from './hostile-statements.js';

describe('hostile SQL', () => {
  test.each(REFUSED)('%s', (sql) => {
    const { prepared, problems } = prepareSql(sql, []);
    expect(prepared).toBeUndefined();
    expect(problems.length).toBeGreaterThan(0);
    expect(problems[0]?.message).toMatch(/^(a topic only reads|expected one SELECT)/);
  });

  test.each(ALLOWED)('is not %s', (sql) => {
    expect(prepareSql(sql, []).problems).toEqual([]);
  });

  test('nested too deeply is a fault like any other', () => {
    const deep = (n: number) => `SELECT ${'('.repeat(n)}1${')'.repeat(n)}`;
    for (const sql of [deep(50_000), `SELECT ${'1+'.repeat(50_000)}1`]) {
      expect(prepareSql(sql, []).problems).toHaveLength(1);
    }
    expect(prepareSql('SELECT 1', []).problems).toEqual([]);
  });
});

describe('hostile values', () => {
  let postgres: TestPostgres;
  let client: pg.Client;

  beforeAll(async () => {
    postgres = await startPostgres();
    client = new pg.Client({ connectionString: postgres.url });
    await client.connect();
    await client.query('CREATE TABLE kept AS SELECT 1 AS a');
  });
  afterAll(async () => {
    await client?.end();
    await postgres?.stop();
  });

  const topic = parseTopic(
    'a.sql',
    '/*\nparams:\n  b: { type: text }\n  list: { type: text[], default: [] }\n*/\nSELECT :b AS b, :list AS list',
  ).topic!;

  test.each([
    "'; DROP TABLE kept; --",
    "' OR 1 = 1 --",
    '$1',
    ':b',
    '\\',
    "\\'; DROP TABLE kept; --",
    '{a,b}","c',
    '%s%n',
    "E'\\x00'",
    '"}',
    'NULL',
    '😀 é \u202e',
  ])('%j comes back as it was given', async (value) => {
    const { values } = channelOf(topic, { b: value, list: [value, '', value] });
    const { rows } = await client.query({
      text: topic.select.text,
      values: topic.select.params.map((name) => values[name]),
    });
    expect(rows).toEqual([{ b: value, list: [value, '', value] }]);
    expect((await client.query('SELECT a FROM kept')).rows).toEqual([{ a: 1 }]);
  });
});
