import { afterAll, afterEach, beforeAll } from '@jest/globals';
import type { Source } from '../../../src/polling/source.js';
import { startPostgres, type TestDatabase, type TestPostgres } from '../../support/postgres.js';
import { sourceSuite } from './source.suite.js';
import { sourceOf, topicOf } from './support.js';

let postgres: TestPostgres;
let database: TestDatabase;
const opened: Source[] = [];
beforeAll(async () => {
  postgres = await startPostgres();
  database = await postgres.createDatabase();
  await postgres.query(
    `create table item (id int primary key, k int, v int);
     insert into item select i, i % 10, i from generate_series(0, 99) i`,
    [],
    database.name,
  );
});
afterEach(() => Promise.all(opened.splice(0).map((source) => source.close())));
afterAll(() => postgres?.stop());

const open = (url: string): Source => {
  const { source } = sourceOf(url);
  opened.push(source);
  return source;
};

sourceSuite(() => ({
  open: () => open(database.url),
  topic: topicOf,
  write: async (sql) => void (await postgres.query(sql, [], database.name)),
  slow: 'select pg_sleep(300)::text as x',
  away: () => open('postgres://127.0.0.1:1/nowhere'),
}));
