import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import { expectNoLeaks } from './leaks.js';
import { startPostgres, type TestPostgres } from './postgres.js';

let server: TestPostgres;

beforeAll(async () => {
  server = await startPostgres({ settings: { log_statement: 'all' } });
});
afterAll(() => server.stop());

test('gives each caller a database of its own', async () => {
  const [a, b] = [await server.createDatabase(), await server.createDatabase()];
  await server.query('create table here (id int)', [], a.name);
  const inB = await server.query<{ t: string | null }>(`select to_regclass('here')::text as t`, [], b.name);
  expect(a.url).toContain(a.name);
  expect(inB).toEqual([{ t: null }]);
});

test('makes a database from a template', async () => {
  const template = await server.createDatabase();
  await server.query('create table seeded as select 7 as n', [], template.name);
  const copy = await server.createDatabase(template.name);
  expect(await server.query('select n from seeded', [], copy.name)).toEqual([{ n: 7 }]);
});

test('counts how often a statement has run, per database', async () => {
  const [a, b] = [await server.createDatabase(), await server.createDatabase()];
  for (let i = 0; i < 3; i++) await server.query('select $1::int as counted_here', [i], a.name);
  await server.query('select $1::int as counted_here', [9], b.name);
  expect(await server.queryCount('counted_here', a.name)).toBe(3);
  expect(await server.queryCount('counted_here')).toBe(4);
  expect(await server.queryCount('never_run_at_all')).toBe(0);
});

test('passes settings on and keeps the log', async () => {
  await server.query('select 1 as seen_in_the_log');
  expect(server.log.some((line) => line.includes('seen_in_the_log'))).toBe(true);
});

test('comes back on its port with its data', async () => {
  const database = await server.createDatabase();
  await server.query('create table kept as select 42 as n', [], database.name);
  const before = server.pid;
  await server.restart();
  expect(server.pid).not.toBe(before);
  expect(await server.query('select n from kept', [], database.name)).toEqual([{ n: 42 }]);
});

test('a connection that was left open is reported as a leak', async () => {
  const database = await server.createDatabase();
  const client = new pg.Client({ connectionString: database.url, application_name: 'forgotten' });
  await client.connect();
  const check = expectNoLeaks({ postgres: server, database: database.name, patienceMs: 300 });
  await expect(check).rejects.toThrow(/forgotten/);
  await client.end();
  await expect(expectNoLeaks({ postgres: server, database: database.name })).resolves.toBeUndefined();
});
