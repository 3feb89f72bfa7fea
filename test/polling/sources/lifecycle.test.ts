import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';

import type { Answer } from '../../../src/polling/source.js';
import type { PostgresSource, PostgresSourceOptions } from '../../../src/polling/sources/postgres.js';
import { eventually } from '../../support/eventually.js';
import { expectNoLeaks } from '../../support/leaks.js';
import { startPostgres, type TestDatabase, type TestPostgres } from '../../support/postgres.js';
import { asksOf, kinds, N, numbers, range, rowsOf, sourceOf, topicOf, whenever, type LogLine } from './support.js';

let postgres: TestPostgres;
let database: TestDatabase;
let pool: pg.Pool;
const opened: PostgresSource[] = [];

beforeAll(async () => {
  postgres = await startPostgres();
  database = await postgres.createDatabase();
  pool = new pg.Pool({ connectionString: database.url, max: 2 });
  pool.on('error', () => undefined);
  await pool.query('create table noted (at timestamptz)');
});

afterEach(async () => {
  await Promise.all(opened.splice(0).map((source) => source.close()));
});

afterAll(async () => {
  await pool?.end();
  if (postgres) await expectNoLeaks({ postgres });
  await postgres?.stop();
});

function open(
  options: Partial<PostgresSourceOptions> = {},
  url = database.url,
): { source: PostgresSource; log: LogLine[] } {
  const made = sourceOf(url, options);
  opened.push(made.source);
  return made;
}

/** Backends of the source that run something, as Postgres sees them. */
async function busy(): Promise<number> {
  const { rows } = await pool.query(
    `select from pg_stat_activity where application_name = 'pollcast:test' and datname = current_database() and state = 'active'`,
  );
  return rows.length;
}

describe('being stopped', () => {
  test('answers at once and cancels the statement in the database', async () => {
    const { source } = open();
    const stop = new AbortController();
    const topic = topicOf('select pg_sleep(600)::text', 'timeout: 60s');
    const asked = source.ask(topic, asksOf([{}]), { ...whenever(), signal: stop.signal });
    await eventually(busy, { what: 'the statement to run' });
    stop.abort();
    expect(kinds(await asked)).toEqual({ outage: 1 });
    await eventually(async () => (await busy()) === 0, { what: 'the statement to be cancelled' });
  });

  test('close does the same, and leaves no connection', async () => {
    const { source } = open();
    const topic = topicOf('select pg_sleep(600)::text', 'timeout: 60s');
    const asked = source.ask(topic, asksOf([{}]), whenever());
    await eventually(busy, { what: 'the statement to run' });
    await Promise.all([source.close(), source.close()]);
    expect(kinds(await asked)).toEqual({ outage: 1 });
    expect(kinds(await source.ask(topic, asksOf([{}]), whenever()))).toEqual({ outage: 1 });
    await expectNoLeaksOfSource();
  });

  test('nothing is sent once the right to ask is lost', async () => {
    const { source, log } = open();
    const topic = topicOf('select right_to_ask as n from (values (1)) right_to_ask where :n is not null', N);
    let left = 1;
    const answers = await source.ask(topic, asksOf(numbers(100)), { ...whenever(), mayQuery: () => left-- > 0 });
    expect(kinds(answers)).toEqual({ rows: 8, outage: 92 });
    expect(await postgres.queryCount('right_to_ask', database.name)).toBe(1);
    expect(log).toEqual([]);
  });
});

async function expectNoLeaksOfSource(): Promise<void> {
  await eventually(
    async () => {
      const { rows } = await pool.query(`select from pg_stat_activity where application_name = 'pollcast:test'`);
      return rows.length === 0;
    },
    { what: 'the connections to be gone' },
  );
}

describe('a database that comes and goes', () => {
  test('is an outage while it is away, and is asked again as soon as it is back', async () => {
    const own = await startPostgres();
    const { source, log } = open({}, own.url);
    const topic = topicOf('select :n as n', N);
    expect(kinds(await source.ask(topic, asksOf(numbers(20)), whenever()))).toEqual({ rows: 20 });
    await own.down();
    expect(kinds(await source.ask(topic, asksOf(numbers(20)), whenever()))).toEqual({ outage: 20 });
    expect(kinds(await source.ask(topic, asksOf(numbers(20)), whenever()))).toEqual({ outage: 20 });
    await expect(source.ping(1_000)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await own.up();
    expect(kinds(await source.ask(topic, asksOf(numbers(20)), whenever()))).toEqual({ rows: 20 });
    await source.ping(5_000);
    const told = log.map(({ message }) => message).filter((message) => !message.startsWith('an idle'));
    expect(told).toEqual(['the database does not answer', 'the database answers again']);
    await source.close();
    await own.stop();
  });

  test('a connection that an administrator ends is replaced without anybody noticing', async () => {
    const { source } = open();
    const topic = topicOf(
      'select :n as n from pg_sleep(case when exists (select from noted) then 0 else 600 end)',
      `${N}\ntimeout: 60s`,
    );
    const asked = source.ask(topic, asksOf(numbers(5)), whenever());
    await eventually(busy, { what: 'the statement to run' });
    await pool.query('insert into noted values (now())');
    await pool.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pollcast:test' and state = 'active'`,
    );
    expect(kinds(await asked)).toEqual({ rows: 5 });
    await pool.query('truncate noted');
  });

  test('a connection on which nothing comes any more is cut and replaced', async () => {
    const { source } = open({ maxConnections: 1 });
    const topic = topicOf('select :n as n, pg_backend_pid() as pid', `${N}\ntimeout: 100ms`);
    const pids = (answers: readonly Answer[]): number[] =>
      answers.map((answer) => (rowsOf(answer) as [{ pid: number }])[0].pid);
    const [pid] = pids(await source.ask(topic, asksOf(numbers(1)), whenever()));
    process.kill(pid as number, 'SIGSTOP');
    try {
      const answers = await source.ask(topic, asksOf(numbers(5)), whenever());
      expect(kinds(answers)).toEqual({ rows: 5 });
      expect(pids(answers)).not.toContain(pid);
    } finally {
      process.kill(pid as number, 'SIGCONT');
    }
  });

  test('a wrong password is an outage, and its message is safe', async () => {
    const { source } = open({}, database.url.replace(/\/\/.*@/, '//nobody:wrong@'));
    const answers = await source.ask(topicOf('select 1 as one'), asksOf([{}]), whenever());
    expect(kinds(answers)).toEqual({ outage: 1 });
    expect(JSON.stringify(answers)).not.toMatch(/nobody|127\.0\.0\.1/);
  });
});

describe('many at once', () => {
  test('more asks than connections all get their answers, and a ping gets through between them', async () => {
    const { source } = open({ maxConnections: 2 });
    const topic = topicOf('select :n as n from pg_sleep(0.002)', N);
    const asked = Promise.all(range(30).map(() => source.ask(topic, asksOf(numbers(12)), whenever())));
    await source.ping(10_000);
    expect((await asked).map(kinds)).toEqual(Array(30).fill({ rows: 12 }));
  });

  test('more topics than statements are kept prepared', async () => {
    const { source } = open({ maxConnections: 1 });
    const topics = range(130).map((i) => topicOf(`select :n + ${i} as n`, N));
    for (let round = 0; round < 2; round++) {
      for (const [i, topic] of topics.entries()) {
        const answers = await source.ask(topic, asksOf(numbers(3)), whenever());
        expect(answers.map(rowsOf)).toEqual(range(3).map((n) => [{ n: n + i }]));
      }
    }
  });

  test('a batch grows to what a statement can take', async () => {
    const { source } = open();
    const topic = topicOf('select :n as n', N);
    expect(source.batchSize(topic)).toBe(8);
    await source.ask(topic, asksOf(numbers(3000)), whenever());
    expect(source.batchSize(topic)).toBeGreaterThan(8);
    expect(kinds(await source.ask(topic, [], whenever()))).toEqual({});
  });
});
