import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { prepareDemo } from '../../src/demo/demo.js';
import { startFeeder, type Feeder } from '../../src/demo/feeder.js';
import type { Happenings } from '../../src/demo/traffic.js';
import { PollcastError } from '../../src/errors.js';
import { checkTopics } from '../../src/topics/check.js';
import { TopicCatalogue } from '../../src/topics/catalogue.js';
import { scanPlaceholders } from '../../src/topics/placeholders.js';
import { channelOf } from '../../src/topics/channel.js';
import type { ParamValue, Topic } from '../../src/topics/topic.js';
import { eventually } from '../support/eventually.js';
import { startPostgres, type TestDatabase, type TestPostgres } from '../support/postgres.js';

const silent = { info: () => undefined, warn: () => undefined };

let postgres: TestPostgres;
let demo: TestDatabase;
let readerUrl: string;
let topics: Topic[];

beforeAll(async () => {
  postgres = await startPostgres();
  demo = await postgres.createDatabase();
  ({ readerUrl } = await prepareDemo(demo.url));
  const catalogue = await TopicCatalogue.open('topics', { watch: false });
  topics = catalogue.list();
  expect(catalogue.faults()).toEqual([]);
  await catalogue.close();
}, 60_000);

afterAll(() => postgres?.stop());

/** Runs the topic as the poller would: values bound, under the reader's role. */
async function rowsOf(topic: Topic, given: object = {}): Promise<Record<string, unknown>[]> {
  const { values } = channelOf(topic, given);
  const client = new pg.Client({ connectionString: readerUrl });
  await client.connect();
  try {
    const { rows } = await client.query({
      text: topic.select.text,
      values: topic.select.params.map((name) => values[name]),
    });
    return rows as Record<string, unknown>[];
  } finally {
    await client.end();
  }
}

describe('the demo', () => {
  test('is prepared once: again, and from two nodes at a time, it changes nothing', async () => {
    const [before] = await postgres.query<{ n: string }>('SELECT max(id) AS n FROM page_views', [], demo.name);
    const again = await Promise.all([prepareDemo(demo.url), prepareDemo(demo.url)]);
    expect(again.map(({ created }) => created)).toEqual([false, false]);
    expect(await postgres.query('SELECT max(id) AS n FROM page_views', [], demo.name)).toEqual([before]);
  });

  test('starts two nodes on an empty database with one schema', async () => {
    const empty = await postgres.createDatabase();
    const both = await Promise.all([prepareDemo(empty.url), prepareDemo(empty.url)]);
    expect(both.map(({ created }) => created).sort()).toEqual([false, true]);
  });

  test('leaves a database with tables of its own alone', async () => {
    const own = await postgres.createDatabase();
    await postgres.query('CREATE TABLE orders (mine text)', [], own.name);
    await expect(prepareDemo(own.url)).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(prepareDemo(own.url)).rejects.toBeInstanceOf(PollcastError);
    const left = await postgres.query(`SELECT relname FROM pg_stat_user_tables`, [], own.name);
    expect(left).toEqual([{ relname: 'orders' }]);
  });

  test('replaces the schema of another release', async () => {
    const old = await postgres.createDatabase();
    await prepareDemo(old.url);
    await postgres.query(`UPDATE pollcast_demo SET version = 'older'`, [], old.name);
    await postgres.query(`DELETE FROM page_views`, [], old.name);
    expect(await prepareDemo(old.url)).toMatchObject({ created: true });
    const [views] = await postgres.query<{ n: number }>('SELECT count(*)::int AS n FROM page_views', [], old.name);
    expect(views?.n).toBeGreaterThan(100_000);
  });

  test('moves history that nobody fed up to now', async () => {
    const slept = await postgres.createDatabase();
    await prepareDemo(slept.url);
    await postgres.query(
      `UPDATE orders SET placed_at = placed_at - interval '3 days', updated_at = updated_at - interval '3 days'`,
      [],
      slept.name,
    );
    await prepareDemo(slept.url);
    const [orders] = await postgres.query<{ recent: boolean }>(
      `SELECT max(placed_at) > now() - interval '5 minutes' AS recent FROM orders`,
      [],
      slept.name,
    );
    expect(orders?.recent).toBe(true);
  });

  test('gives topics a role that can only read', async () => {
    const client = new pg.Client({ connectionString: readerUrl });
    await client.connect();
    await expect(client.query(`DELETE FROM orders`)).rejects.toThrow(/read-only/);
    await client.query('SET default_transaction_read_only = off');
    await expect(client.query(`DELETE FROM orders`)).rejects.toThrow(/permission denied/);
    await client.end();
  });
});

describe("the demo's topics", () => {
  test('have no fault and no warning, in the files or at the database', async () => {
    const pool = new pg.Pool({ connectionString: readerUrl, max: 1 });
    pool.on('error', () => undefined); // `end` resolves before the server has closed its side
    const faults = await checkTopics('topics', pool);
    await pool.end();
    expect(faults).toEqual([]);
  });

  test('all give rows with their default parameters, distinct by key', async () => {
    for (const topic of topics) {
      const rows = await rowsOf(topic);
      expect([topic.name, rows.length > 0]).toEqual([topic.name, true]);
      const keys = rows.map((row) => JSON.stringify(topic.key.map((column) => row[column])));
      if (topic.key.length > 0) expect(new Set(keys).size).toBe(rows.length);
    }
  });

  test('run as they are where variables are put in as text, as psql does it', async () => {
    const literal = (value: ParamValue | undefined): string => {
      if (Array.isArray(value)) return `array[${(value as ParamValue[]).map(literal).join(', ')}]::text[]`;
      return value === null || value === undefined
        ? 'null::date'
        : typeof value === 'string'
          ? `'${value}'`
          : String(value);
    };
    for (const topic of topics) {
      let text = topic.sql;
      for (const { name, start, end } of [...scanPlaceholders(text, new Set()).placeholders].reverse()) {
        text =
          text.slice(0, start) + literal(topic.params.find((param) => param.name === name)?.default) + text.slice(end);
      }
      expect([topic.name, (await postgres.query(text, [], demo.name)).length > 0]).toEqual([topic.name, true]);
    }
  });

  test('follow their parameters', async () => {
    const named = (name: string) => topics.find((topic) => topic.name === name)!;
    expect((await rowsOf(named('sales.by_region'), { region: 'EU' })).map(({ region }) => region)).toEqual(['EU']);
    expect(await rowsOf(named('sales.revenue_series'), { minutes: 5 })).toHaveLength(31);
    const shipped = await rowsOf(named('sales.latest_orders'), { statuses: ['shipped', 'cancelled'], limit: 20 });
    expect(new Set(shipped.map(({ status }) => status))).toEqual(new Set(['shipped', 'cancelled']));
    expect(await rowsOf(named('sales.by_day'), { from: '2001-01-01', to: '2001-02-01' })).toEqual([]);
  });

  test('show what the contract names: a key, changed, a presence, retained frames, lists and dates', () => {
    const types = new Set(topics.flatMap(({ params }) => params.map(({ type }) => type)));
    expect([...types]).toEqual(expect.arrayContaining(['int', 'text', 'text[]', 'date']));
    for (const has of [
      (topic: Topic) => topic.key.length > 1,
      (topic: Topic) => topic.changed !== undefined,
      (topic: Topic) => topic.presence,
      (topic: Topic) => topic.retainMs === 300_000,
    ]) {
      expect(topics.filter(has).length).toBeGreaterThan(0);
    }
    expect(topics.length).toBeGreaterThanOrEqual(8);
  });
});

describe('the feeder', () => {
  /** Feeds until as many ticks are done. */
  async function feed(url: string, ticks: number, seed = 1): Promise<{ feeder: Feeder; seen: Happenings[] }> {
    const seen: Happenings[] = [];
    const feeder = startFeeder({ url, log: silent, seed, everyMs: 5, onTick: (happened) => seen.push(happened) });
    await eventually(() => seen.length >= ticks, { what: `${ticks} ticks` });
    return { feeder, seen };
  }

  test('writes what happened, moves orders on, and stops when told', async () => {
    const [before] = await postgres.query<{ views: number }>(
      'SELECT count(*)::int AS views FROM page_views',
      [],
      demo.name,
    );
    const { feeder, seen } = await feed(demo.url, 60);
    await Promise.all([feeder.stop(), feeder.stop()]);
    const [after] = await postgres.query<{ views: number; late: number }>(
      `SELECT (SELECT count(*)::int FROM page_views) AS views,
              (SELECT count(*)::int FROM orders WHERE status = 'placed' AND placed_at < now() - interval '5 minutes') AS late`,
      [],
      demo.name,
    );
    expect(after!.views - before!.views).toBe(seen.reduce((sum, { views }) => sum + views.length, 0));
    expect(after!.late).toBe(0);
    const connected = await postgres.query(
      `SELECT 1 FROM pg_stat_activity WHERE application_name = 'pollcast demo feeder'`,
    );
    expect(connected).toEqual([]);
  });

  test('every written order has items that sum up to its total', async () => {
    const { feeder } = await feed(demo.url, 40, 2);
    await feeder.stop();
    const wrong = await postgres.query(
      `SELECT o.id FROM orders AS o LEFT JOIN order_items AS i ON i.order_id = o.id
       GROUP BY o.id HAVING o.total IS DISTINCT FROM sum(i.quantity * i.unit_price)`,
      [],
      demo.name,
    );
    expect(wrong).toEqual([]);
  });

  test('of two feeders one feeds, and the other takes over', async () => {
    const first = await feed(demo.url, 1);
    const ticks: number[] = [];
    const second = startFeeder({ url: demo.url, log: silent, everyMs: 5, onTick: () => ticks.push(1) });
    await eventually(
      async () =>
        (await postgres.query(`SELECT 1 FROM pg_stat_activity WHERE application_name = 'pollcast demo feeder'`))
          .length === 2,
      { what: 'the second feeder to be connected' },
    );
    const before = first.seen.length;
    await eventually(() => first.seen.length > before + 5);
    expect(ticks).toEqual([]);
    await first.feeder.stop();
    await eventually(() => ticks.length > 0, { what: 'the second feeder to feed' });
    await second.stop();
  });

  test('outlives a restart of the database, and says so once', async () => {
    const told: string[] = [];
    const log = {
      info: (_: object, text: string) => void told.push(text),
      warn: (_: object, text: string) => void told.push(text),
    };
    let ticks = 0;
    const feeder = startFeeder({ url: demo.url, log, everyMs: 5, onTick: () => ticks++ });
    await eventually(() => ticks > 0);
    await postgres.down();
    await eventually(() => told.length === 1, { what: 'the feeder to notice' });
    await postgres.up();
    const before = ticks;
    await eventually(() => ticks > before, { what: 'the feeder to go on' });
    await feeder.stop();
    expect(told).toEqual(['the demo cannot feed its database; it keeps trying', 'the demo feeds its database again']);
  });
});
