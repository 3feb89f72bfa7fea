import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';

import type { Answer } from '../../../src/polling/source.js';
import type { PostgresSource, PostgresSourceOptions } from '../../../src/polling/sources/postgres.js';
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
  await pool.query(`
    create table item (id int primary key, k int, v int);
    insert into item select i, i % 100, i from generate_series(1, 1000) i;
    create index on item (k);
    create table noted (at timestamptz);
    create function note() returns int language plpgsql as 'begin insert into noted values (now()); return 1; end';
    create function refuse(n int) returns int language plpgsql as
      'begin if n = 3 then raise exception using errcode = ''42883'', message = ''secret sauce''; end if; return n; end';
  `);
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

describe('what is asked again', () => {
  test('brings rows only for channels whose result moved', async () => {
    const { source } = open();
    const topic = topicOf('select id, v from item where k = :n order by id', N);
    const first = await source.ask(topic, asksOf(numbers(100)), whenever());
    expect(kinds(first)).toEqual({ rows: 100 });
    const again = asksOf(numbers(100)).map((ask, i) => ({ ...ask, ...hashOf(first[i]) }));
    expect(kinds(await source.ask(topic, again, whenever()))).toEqual({ unchanged: 100 });

    await pool.query('update item set v = v + 1 where id = 142');
    const moved = await source.ask(topic, again, whenever());
    expect(kinds(moved)).toEqual({ unchanged: 99, rows: 1 });
    expect(rowsOf(moved[42])).toContainEqual({ id: 142, v: 143 });
    expect(moved[42]).toMatchObject({ count: 10 });
  });

  test('has the same hash from whichever form, so that a batch of one changes nothing', async () => {
    const topic = topicOf('select id from item where k = :n order by id', N);
    const [many, one] = [open().source, open({ maxBatch: 1 }).source];
    const answers = await many.ask(topic, asksOf(numbers(20)), whenever());
    const again = asksOf(numbers(20)).map((ask, i) => ({ ...ask, ...hashOf(answers[i]) }));
    expect(kinds(await one.ask(topic, again, whenever()))).toEqual({ unchanged: 20 });
  });

  test("gets rows when the hash is not this source's", async () => {
    const { source } = open();
    const topic = topicOf('select 1 as one', '');
    const answers = await source.ask(topic, [{ channel: 'c', values: {}, hash: 'sha1:beef' }], whenever());
    expect(rowsOf(answers[0])).toEqual([{ one: 1 }]);
  });

  test('sees a column that was added to the table since, on a connection that has the statement prepared', async () => {
    const { source } = open({ maxConnections: 1 });
    await pool.query('create table grows (a int); insert into grows values (1)');
    const topic = topicOf('select * from grows where a <= :n', N);
    await source.ask(topic, asksOf(numbers(3)), whenever());
    await pool.query('alter table grows add column b int default 7');
    const answers = await source.ask(topic, asksOf(numbers(3)), whenever());
    expect(answers.map(rowsOf)).toEqual([[], [{ a: 1, b: 7 }], [{ a: 1, b: 7 }]]);
  });
});

function hashOf(answer: Answer | undefined): { hash?: string; mark?: string } {
  return answer?.kind === 'rows' ? { hash: answer.hash, mark: answer.mark } : {};
}

describe('changed:', () => {
  test('leaves the main query out for channels whose mark still holds', async () => {
    const { source } = open();
    await pool.query(
      'create table event (id int, n int); insert into event select i, i % 50 from generate_series(1, 500) i',
    );
    const topic = topicOf(
      'select count(*) as main_of_changed from event where n = :n',
      `${N}\nchanged: select max(id) from event where n = :n`,
    );
    const first = await source.ask(topic, asksOf(numbers(50)), whenever());
    expect(kinds(first)).toEqual({ rows: 50 });
    const again = asksOf(numbers(50)).map((ask, i) => ({ ...ask, ...hashOf(first[i]) }));
    const calls = await postgres.queryCount('main_of_changed', database.name);

    const quiet = await source.ask(topic, again, whenever());
    expect(quiet).toEqual(again.map(({ mark }) => ({ kind: 'unchanged', mark })));
    expect(await postgres.queryCount('main_of_changed', database.name)).toBe(calls);

    await pool.query('insert into event values (1001, 7), (1002, 9); delete from event where id = 9');
    const moved = await source.ask(topic, again, whenever());
    expect(kinds(moved)).toEqual({ unchanged: 49, rows: 1 });
    expect(rowsOf(moved[7])).toEqual([{ main_of_changed: 11 }]);
    // One came and one went: the mark moved, the result did not.
    expect(moved[9]).toEqual({ kind: 'unchanged', mark: expect.stringContaining('1002') });
    expect(await postgres.queryCount('main_of_changed', database.name)).toBe(calls + 1);
  });

  test('asks the main query when a mark comes without its hash', async () => {
    const { source } = open();
    const topic = topicOf('select 5 as five', 'changed: select 1');
    const [first] = await source.ask(topic, [{ channel: 'c', values: {} }], whenever());
    const { mark } = hashOf(first);
    expect(rowsOf((await source.ask(topic, [{ channel: 'c', values: {}, mark }], whenever()))[0])).toEqual([
      { five: 5 },
    ]);
  });

  test('that fails fails its channel only; a long result still tells', async () => {
    const { source } = open();
    const topic = topicOf('select :n as n', `${N}\nchanged: select repeat('x', 500), 1 / (:n - 4)`);
    const answers = await source.ask(topic, asksOf(numbers(9)), whenever());
    expect(kinds(answers)).toEqual({ rows: 8, QUERY_FAILED: 1 });
    expect(answers[4]).toMatchObject({ code: 'QUERY_FAILED' });
    expect(hashOf(answers[0]).mark?.length).toBeLessThan(30);
  });
});

describe('limits', () => {
  test('more rows than max_rows are refused, exactly as many are not', async () => {
    const { source } = open();
    const topic = topicOf('select g from generate_series(1, :n) g', `${N}\nmax_rows: 5`);
    const answers = await source.ask(topic, asksOf(numbers(9)), whenever());
    expect(answers.map(({ kind }) => kind)).toEqual([
      'rows',
      'rows',
      'rows',
      'rows',
      'rows',
      'rows',
      'failed',
      'failed',
      'failed',
    ]);
    expect(answers[6]).toMatchObject({ code: 'TOO_MANY_ROWS', message: expect.stringContaining('5 rows') });
  });

  test('a result of too many bytes is refused', async () => {
    const { source } = open({ maxBytes: 1000 });
    const topic = topicOf(`select repeat('é', :n * 100) as t`, N);
    expect(kinds(await source.ask(topic, asksOf(numbers(8)), whenever()))).toEqual({ rows: 5, TOO_MANY_ROWS: 3 });
  });

  test('nothing is written, whatever a function tries', async () => {
    const { source, log } = open();
    const answers = await source.ask(topicOf('select note() as n, :n as m', N), asksOf(numbers(3)), whenever());
    expect(kinds(answers)).toEqual({ QUERY_FAILED: 3 });
    expect((await pool.query('select from noted')).rows).toHaveLength(0);
    expect(log).toEqual([
      { message: 'a query failed', fields: expect.objectContaining({ sqlstate: '25006', channels: 3 }) },
    ]);
  });
});

describe('a channel that fails', () => {
  test('is found among a thousand; the others get their rows', async () => {
    const { source, log } = open();
    const topic = topicOf('select 100 / (:n - 137) as q, :n as n', N);
    for (let round = 0; round < 3; round++) {
      const answers = await source.ask(topic, asksOf(numbers(1000)), whenever());
      expect(kinds(answers)).toEqual({ rows: 999, QUERY_FAILED: 1 });
      expect(answers[137]).toEqual({
        kind: 'failed',
        code: 'QUERY_FAILED',
        message: expect.stringMatching(/data exception.*22012/),
      });
      expect(rowsOf(answers[138])).toEqual([{ q: 100, n: 138 }]);
    }
    expect(log.map(({ fields }) => fields.channel)).toEqual(Array(3).fill('test.topic?i=137'));
  });

  test('is asked last and alone from then on, until it answers again', async () => {
    // One statement at a time, so that answers come in the order in which they were asked for.
    const { source } = open({ maxConnections: 1 });
    await pool.query('create table divisor as select 0 as zero');
    const topic = topicOf('select 1 / (case when :n = 5 then (select zero from divisor) else 1 end) as q', N);
    const order = async (): Promise<number[]> => {
      const indices: number[] = [];
      await source.ask(topic, asksOf(numbers(8)), { ...whenever(), onAnswer: (index) => indices.push(index) });
      return indices;
    };
    await order();
    expect(await order()).toEqual([0, 1, 2, 3, 4, 6, 7, 5]);
    await pool.query('update divisor set zero = 1');
    expect(await order()).toEqual([0, 1, 2, 3, 4, 6, 7, 5]);
    expect(await order()).toEqual(range(8));
  });

  test('tells a client neither SQL nor values nor what a function says', async () => {
    const { source, log } = open();
    const topic = topicOf('select refuse(:n) as secret_column', N);
    const answers = await source.ask(topic, asksOf(numbers(6)), whenever());
    expect(kinds(answers)).toEqual({ rows: 5, QUERY_FAILED: 1 });
    expect(JSON.stringify(answers)).not.toMatch(/sauce|refuse\(|select/);
    expect((log[0]?.fields.err as Error).message).toBe('secret sauce');
  });

  test('by taking too long is found too, and the others get their rows before it is', async () => {
    const { source } = open();
    const topic = topicOf('select :n as n from pg_sleep(case when :n = 3 then 60 else 0 end)', `${N}\ntimeout: 400ms`);
    const order: number[] = [];
    const answers = await source.ask(topic, asksOf(numbers(8)), {
      ...whenever(),
      onAnswer: (index) => order.push(index),
    });
    expect(kinds(answers)).toEqual({ rows: 7, QUERY_TIMEOUT: 1 });
    expect(answers[3]).toMatchObject({ code: 'QUERY_TIMEOUT', message: expect.stringContaining('400 ms') });
    expect(new Set(order).size).toBe(8);

    order.length = 0;
    await source.ask(topic, asksOf(numbers(8)), { ...whenever(), onAnswer: (index) => order.push(index) });
    expect(order.at(-1)).toBe(3);
  });

  test('a SELECT that is broken fails all channels at the cost of a few statements', async () => {
    const { source, log } = open();
    await pool.query('create table vanishing (n int)');
    const topic = topicOf('select n from vanishing where n = :n', N);
    await source.ask(topic, asksOf(numbers(50)), whenever());
    await pool.query('drop table vanishing');
    const asked: number[] = [];
    const mayQuery = (): boolean => asked.push(1) > 0;
    expect(kinds(await source.ask(topic, asksOf(numbers(50)), { ...whenever(), mayQuery }))).toEqual({
      QUERY_FAILED: 50,
    });
    expect(asked.length).toBeLessThan(20);
    expect(log).toHaveLength(1);
    await pool.query('create table vanishing as select 7 as n');
    expect(kinds(await source.ask(topic, asksOf(numbers(50)), whenever()))).toEqual({ rows: 50 });
  });

  test('a table that is locked fails them for now', async () => {
    const { source } = open();
    const locker = await pool.connect();
    await locker.query('begin; lock table item in access exclusive mode');
    const topic = topicOf('select v from item where id = :n', `${N}\ntimeout: 300ms`);
    const answers = await source.ask(topic, asksOf(numbers(8)), whenever());
    await locker.query('rollback');
    locker.release();
    expect(kinds(answers)).toEqual({ QUERY_TIMEOUT: 8 });
    expect(kinds(await source.ask(topic, asksOf(numbers(8)), whenever()))).toEqual({ rows: 8 });
  });
});
