import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, test } from '@jest/globals';
import fc from 'fast-check';
import pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import { buffer } from 'node:stream/consumers';
import { Cutter } from '../../src/exports/cutter.js';
import { withRows } from '../../src/exports/gather.js';
import type { KeyTexts } from '../../src/exports/record.js';
import { copyOf } from '../../src/exports/statement.js';
import { channelOf } from '../../src/topics/channel.js';
import { describeStatement } from '../../src/topics/describe-statement.js';
import type { Topic } from '../../src/topics/topic.js';
import { eventually } from '../support/eventually.js';
import { startPostgres, type TestDatabase, type TestPostgres } from '../support/postgres.js';
import { topicWith } from '../topics/topic-with.js';
import { Stage, type StageNode } from './stage.js';

let postgres: TestPostgres;
let database: TestDatabase;

beforeAll(async () => {
  postgres = await startPostgres();
  database = await postgres.createDatabase();
}, 60_000);

afterAll(() => postgres.stop());

function sql(text: string, key: string[] = [], name = 'things'): Topic {
  return { ...topicWith([], name), key, select: { text, params: [] }, sql: text, timeoutMs: 1_000 };
}

describe('pieces, each gone on with behind the last key', () => {
  let client: pg.Client;

  beforeAll(async () => {
    client = new pg.Client({ connectionString: database.url });
    await client.connect();
    await client.query(`CREATE TABLE keyed (a int, b text, c timestamptz, d numeric, f float8, n int)`);
  });

  afterAll(() => client.end());

  async function piece(
    topic: Topic,
    after: KeyTexts | null,
    rows: number,
  ): Promise<{ text: Buffer; after: KeyTexts | null }> {
    const options = {
      connectionString: database.url,
      applicationName: 'test',
      channel: channelOf(topic, {}, {}),
      key: topic.key,
      after,
      limit: 1_000_000,
      header: after === null,
      timeoutMs: 60_000,
      signal: new AbortController().signal,
    };
    return withRows(options, async (result) => {
      const cutter = new Cutter({ key: result.key, rows, bytes: 1e9, header: after === null });
      const parts: Buffer[] = [];
      for await (const chunk of result.chunks) {
        for (const step of cutter.feed(chunk)) {
          if (step.kind === 'cut') return { text: Buffer.concat(parts), after: step.after };
          parts.push(Buffer.from(step.data));
        }
      }
      return { text: Buffer.concat(parts), after: null };
    });
  }

  async function copied(topic: Topic): Promise<string> {
    const fields = await describeStatement(client, topic.select.text);
    const key = topic.key.map((name) => fields.find((field) => field.name === name) as (typeof fields)[number]);
    const statement = copyOf(topic.select.text, { key, after: null, limit: 1_000_000, header: true });
    return (await buffer(client.query(copyTo(statement)))).toString();
  }

  const text = fc.option(fc.constantFrom('', ' ', 'a', 'A', 'ä', 'Ä', 'a"b', 'a\nb', ',', '\\', "'", '€', 'ae', 'z'));
  const row = fc.record({
    a: fc.option(fc.integer({ min: -2, max: 2 })),
    f: fc.option(fc.constantFrom('0', '-0', '1.5', 'NaN', '-Infinity')),
    b: text,
    c: fc.option(fc.constantFrom('2026-01-01', '2026-01-01 00:00:00.000001+00', 'infinity', '-infinity')),
    d: fc.option(fc.constantFrom('1', '1.0', '-0.1', 'NaN', '1e30')),
  });

  test.each([[['a']], [['b']], [['a', 'b']], [['b', 'a']], [['c', 'd']], [['f', 'b', 'a']]])(
    'by %j, with NULL, equal keys and texts: they are the whole, no row lost or doubled',
    async (key) => {
      const topic = sql('SELECT a, b, c, d, f, n FROM keyed', key);
      await fc.assert(
        fc.asyncProperty(
          fc.array(row, { minLength: 1, maxLength: 8 }),
          fc.integer({ min: 1, max: 4 }),
          async (rows, size) => {
            await client.query('TRUNCATE keyed');
            await client.query(
              `INSERT INTO keyed SELECT r.*, row_number() OVER () FROM jsonb_to_recordset($1) AS r(a int, b text, c timestamptz, d numeric, f float8)`,
              [JSON.stringify(rows)],
            );
            const parts: Buffer[] = [];
            let after: KeyTexts | null = null;
            do {
              const next: { text: Buffer; after: KeyTexts | null } = await piece(topic, after, size);
              parts.push(next.text);
              after = next.after;
            } while (after !== null);
            const lines = (whole: string): string[] => whole.split('\n').sort();
            const made = Buffer.concat(parts).toString();
            // Rows of equal keys may come in any order, within a piece.
            expect(lines(made)).toEqual(lines(await copied(topic)));
          },
        ),
        { numRuns: 8 },
      );
    },
    60_000,
  );
});

describe('an export', () => {
  let stage: Stage;
  let node: StageNode;

  beforeEach(async () => {
    stage = await Stage.open();
  });

  afterEach(() => stage.close());

  function serve(name: string, text: string, key: string[] = []): Topic {
    const topic = sql(text, key, name);
    stage.topics.set(name, topic);
    return topic;
  }

  it('whose statement takes longer than it may ends with a code, its statement with it; the next one works', async () => {
    node = await stage.node('a', { connectionString: database.url, settings: { timeoutMs: 600_000 } });
    const running = async (): Promise<boolean> =>
      (
        await postgres.query(
          `SELECT 1 FROM pg_stat_activity WHERE query LIKE 'COPY%pg_sleep(700)%' AND state = 'active'`,
        )
      ).length > 0;
    await stage.request(node, serve('slow', 'SELECT pg_sleep(700)::text AS slept'), 'csv');
    await stage.until(node, (record) => record?.state === 'processing', 'the work to begin');
    await eventually(running, { what: 'the statement', deadlineMs: 30_000 });
    await stage.cluster.time.advance(600_000);
    expect(await stage.ended(node)).toMatchObject({ state: 'error', error: { code: 'QUERY_TIMEOUT' } });
    await eventually(async () => !(await running()), { what: 'the end of the statement', deadlineMs: 30_000 });
    await stage.request(node, serve('quick', 'SELECT 1 AS one'), 'csv');
    expect(await stage.ended(node)).toMatchObject({ state: 'ready', rows: 1 });
  }, 60_000);

  it('whose database goes away ends with a code; asked for again when it is back, it works', async () => {
    node = await stage.node('a', { connectionString: database.url });
    const topic = serve(
      'big',
      `SELECT i AS id, repeat('x', 1000) AS text, CASE WHEN i = 60000 THEN pg_sleep(600)::text END AS wait FROM generate_series(1, 60000) AS i`,
    );
    await stage.request(node, topic, 'csv');
    await stage.until(node, (record) => (record?.rows ?? 0) > 1_000, 'rows');
    await postgres.down();
    try {
      expect(await stage.ended(node)).toMatchObject({ state: 'error', error: { code: 'UNAVAILABLE' } });
      // Not half a piece is left, open or on the disk.
      expect(await stage.unfinished()).toEqual([]);
    } finally {
      await postgres.up();
    }
    await stage.request(node, serve('small', `SELECT i AS id FROM generate_series(1, 5) AS i`), 'csv');
    const ready = await stage.ended(node);
    expect((await stage.file(ready)).toString()).toBe('id\n1\n2\n3\n4\n5\n');
  }, 60_000);

  it('of a report has the first rows in the order of the topic, whatever its key', async () => {
    node = await stage.node('a', { connectionString: database.url });
    const topic = serve('down', 'SELECT i AS id FROM generate_series(1, 500) AS i ORDER BY i DESC', ['id']);
    await stage.request(node, topic, 'pdf');
    expect(await stage.ended(node)).toMatchObject({ state: 'ready', rows: 50 });
    await stage.request(node, topic, 'csv');
    const ready = await stage.ended(node);
    expect((await stage.file(ready)).toString().slice(0, 9)).toBe('id\n1\n2\n3\n');
  }, 60_000);
});
