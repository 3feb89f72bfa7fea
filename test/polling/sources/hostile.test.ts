import { mkdtemp, chmod, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import type { PostgresSource } from '../../../src/polling/sources/postgres.js';
import { checkTopics } from '../../../src/topics/check.js';
import { parseTopic } from '../../../src/topics/topic-file.js';
import type { Topic } from '../../../src/topics/topic.js';
import { eventually } from '../../support/eventually.js';
import { startPostgres, type TestDatabase, type TestPostgres } from '../../support/postgres.js';
import { projectRoot } from '../../support/project.js';
import { ESCAPES, HELD, HOSTILE_SCHEMA, REFUSED } from '../../topics/hostile-statements.js';
import { asksOf, kinds, rowsOf, sourceOf, topicOf, whenever } from './support.js';

let postgres: TestPostgres;
let database: TestDatabase;
let scratch: string;
/** Of a superuser: what the parser and the transaction do not hold, nothing holds. */
let hub: PostgresSource;
/** Of the role that docs/database-role.md makes. */
let reader: PostgresSource;
let readerUrl: string;
let witness: pg.Client;
const heard: string[] = [];

beforeAll(async () => {
  postgres = await startPostgres({ settings: { autovacuum: 'off' } });
  database = await postgres.createDatabase();
  scratch = await mkdtemp(join(tmpdir(), 'pollcast-hostile-'));
  await chmod(scratch, 0o777);
  await postgres.query(
    `CREATE ROLE hub LOGIN SUPERUSER PASSWORD 'choose one'; CREATE ROLE hostile_victim; CREATE EXTENSION dblink; CREATE EXTENSION tablefunc;
     CREATE EXTENSION pg_surgery; ${HOSTILE_SCHEMA}`,
    [],
    database.name,
  );
  // The document's own statements, so that it cannot promise what does not hold.
  const document = await readFile(join(projectRoot, 'docs', 'database-role.md'), 'utf8');
  const [, role] = /```sql\n(.*?)```/s.exec(document) ?? [];
  await postgres.query(role!, [], database.name);
  await postgres.query('VACUUM FREEZE', [], database.name);
  readerUrl = as('pollcast_topics');
  hub = sourceOf(as('hub'), { maxConnections: 1 }).source;
  reader = sourceOf(readerUrl, { maxConnections: 1 }).source;
  witness = new pg.Client({ connectionString: database.url, application_name: 'witness' });
  await witness.connect();
  witness.on('notification', ({ channel, payload }) => heard.push(`${channel} ${payload}`));
  await witness.query('LISTEN a; LISTEN x; LISTEN hostile');
  const outside = await state();
  for (const source of [hub, reader]) before.set(source, { outside, inside: await seenFromInside(source) });
}, 60_000);

afterAll(async () => {
  await hub?.close();
  await reader?.close();
  await witness?.end();
  await postgres?.stop();
  if (scratch) await rm(scratch, { recursive: true, force: true });
}, 60_000);

function as(role: string): string {
  const url = new URL(database.url);
  url.username = role;
  url.password = 'choose one';
  return url.href;
}

/** Everything that a statement could have changed, as somebody beside it sees it. */
async function state(): Promise<unknown> {
  const digest = (rows: string): string =>
    `(SELECT md5(string_agg(r::text, '|' ORDER BY r::text)) FROM (${rows}) AS r)`;
  const { rows } = await witness.query<Record<string, unknown>>(`
    SELECT ${digest('SELECT * FROM t')} AS rows, (SELECT count(*) FROM noted) AS noted,
           ${digest('SELECT last_value, is_called FROM s')} AS sequence, ${digest('SELECT * FROM v')} AS view,
           ${digest('SELECT oid, relname, relowner, relacl, relfilenode, relpersistence FROM pg_class')} AS relations,
           ${digest('SELECT oid, proname, proowner, proacl FROM pg_proc')} AS functions,
           ${digest('SELECT oid, collname FROM pg_collation')} AS collations,
           ${digest('SELECT * FROM pg_authid')} AS roles, ${digest('SELECT * FROM pg_auth_members')} AS members,
           ${digest('SELECT * FROM pg_db_role_setting')} AS role_settings,
           ${digest('SELECT * FROM pg_description')} AS comments, ${digest('SELECT * FROM pg_extension')} AS extensions,
           ${digest('SELECT loid, data FROM pg_largeobject')} AS objects, ${digest('SELECT * FROM pg_subscription')} AS subscriptions,
           ${digest('SELECT * FROM pg_prepared_xacts')} AS prepared, ${digest('SELECT slot_name FROM pg_replication_slots')} AS slots,
           ${digest('SELECT roname FROM pg_replication_origin')} AS origins, ${digest('SELECT name, setting FROM pg_settings')} AS settings,
           pg_conf_load_time() AS loaded, ${digest('SELECT stats_reset FROM pg_stat_bgwriter')} AS statistics,
           ${digest("SELECT * FROM pg_ls_dir('.')")} AS files,
           (SELECT array_agg(pid) FROM pg_stat_activity WHERE application_name = 'witness') AS connections`);
  return { ...rows[0], scratch: await readdir(scratch), heard: [...heard] };
}

/** What is left of statements that are over: locks, or a transaction. */
async function leftovers(): Promise<unknown[]> {
  const { rows } = await witness.query<Record<string, unknown>>(`
    SELECT a.application_name, a.state, l.locktype, l.mode
    FROM pg_stat_activity AS a LEFT JOIN pg_locks AS l ON l.pid = a.pid
    WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
      AND (a.state <> 'idle' OR l.locktype IS NOT NULL)`);
  return rows;
}

/** What the next topic finds on the connection that the one before has used. */
async function seenFromInside(source: PostgresSource): Promise<unknown> {
  const topic = past(
    `SELECT current_user AS who, session_user AS session,
            (SELECT jsonb_object_agg(name, setting) FROM pg_settings
             WHERE name <> 'plan_cache_mode' AND name NOT LIKE 'plpgsql.%') AS settings,
            (SELECT count(*) FROM pg_prepared_statements WHERE name NOT LIKE 'pollcast%') AS prepared,
            (SELECT count(*) FROM pg_cursors WHERE name <> '') AS cursors,
            (SELECT count(*) FROM pg_listening_channels()) AS listening,
            (SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory') AS locks,
            pg_my_temp_schema() AS temporary`,
  );
  const [answer] = await source.ask(topic, asksOf([{}]), whenever());
  expect(answer?.kind).toBe('rows');
  return rowsOf(answer);
}

interface Before {
  readonly outside: unknown;
  readonly inside: unknown;
}
/** How it was before the first statement. */
const before = new Map<PostgresSource, Before>();

/** A topic that no parser has seen. */
function past(sql: string): Topic {
  return { ...topicOf('SELECT 1 AS x', 'timeout: 2s'), select: { text: sql.replaceAll('/tmp', scratch), params: [] } };
}

async function changesNothing(source: PostgresSource, topic: Topic): Promise<void> {
  const { outside, inside } = before.get(source) as Before;
  const [answer] = await source.ask(topic, asksOf([{}]), whenever());
  // An outage only in dblink's own words, who has no connection; the database answers at once, as the next line shows.
  expect(answer?.kind === 'failed' ? answer.code : answer?.kind).toMatch(/^(rows|QUERY_FAILED|QUERY_TIMEOUT|outage)$/);
  expect(await seenFromInside(source)).toEqual(inside);
  await eventually(async () => (await leftovers()).length === 0, {
    what: `nothing to be left of ${topic.select.text}`,
  });
  // A notification comes with the answer to what is asked next.
  expect(await state()).toEqual(outside);
}

describe('the whole path, under a superuser', () => {
  test('refuses what the parser can see, as the SELECT and as `changed:`, and never sends it', async () => {
    for (const sql of REFUSED) {
      expect([sql, parseTopic('a.sql', sql).topic]).toEqual([sql, undefined]);
      const changed = parseTopic(
        'a.sql',
        `/*\nchanged: ${JSON.stringify(sql).replaceAll('*/', '* /')}\n*/\nSELECT 1 AS x`,
      );
      expect([sql, changed.topic]).toEqual([sql, undefined]);
    }
    expect(REFUSED.length).toBeGreaterThan(120);
    expect(await state()).toEqual(before.get(hub)?.outside);
  });

  test.each(HELD)('%s', async (sql) => {
    await changesNothing(hub, topicOf(sql, 'timeout: 2s'));
  });

  test.each(HELD.slice(0, 12))('changed: %s', async (sql) => {
    await changesNothing(hub, topicOf('SELECT 1 AS x', `timeout: 2s\nchanged: ${JSON.stringify(sql)}`));
  });
});

describe('past the parser, under the role of the document', () => {
  test.each([...REFUSED, ...HELD, ...ESCAPES])('%s', async (sql) => {
    await changesNothing(reader, past(sql));
  });

  test('nothing is there to warn of; under a role that can do more there is', async () => {
    const empty = await mkdtemp(join(scratch, 'topics-'));
    const warnings = async (url: string): Promise<string[]> => {
      const pool = new pg.Pool({ connectionString: url, max: 1 });
      pool.on('error', () => undefined);
      const faults = await checkTopics(empty, pool);
      await pool.end();
      return faults.map(({ severity, message }) => `${severity}: ${message}`);
    };
    const grant = (sql: string) => postgres.query(sql, [], database.name);
    const excess = (what: string) => [
      `warning: the role \`pollcast_topics\` that topics run under ${what}: give them a role that can only SELECT`,
    ];
    expect(await warnings(readerUrl)).toEqual([]);
    expect(await warnings(as('hub'))).toEqual([
      'warning: the role `hub` that topics run under is a superuser: give them a role that can only SELECT',
    ]);
    for (const [give, take, what] of [
      [
        'GRANT UPDATE (a) ON t TO pollcast_topics',
        'REVOKE UPDATE (a) ON t FROM pollcast_topics',
        'can write, for example to t',
      ],
      [
        'GRANT USAGE ON SEQUENCE s TO pollcast_topics',
        'REVOKE ALL ON SEQUENCE s FROM pollcast_topics',
        'can write, for example to s',
      ],
      [
        'GRANT CREATE ON SCHEMA public TO pollcast_topics',
        'REVOKE CREATE ON SCHEMA public FROM pollcast_topics',
        'may create tables in the schema public',
      ],
      [
        'ALTER ROLE pollcast_topics CREATEROLE',
        'ALTER ROLE pollcast_topics NOCREATEROLE',
        'may make roles, databases or replicas (CREATEROLE, CREATEDB, REPLICATION)',
      ],
      [
        'GRANT pg_execute_server_program TO pollcast_topics',
        'REVOKE pg_execute_server_program FROM pollcast_topics',
        'is a member of pg_execute_server_program',
      ],
    ] as const) {
      await grant(give);
      expect(await warnings(readerUrl)).toEqual(excess(what));
      await grant(take);
    }
    expect(await warnings(readerUrl)).toEqual([]);

    await writeFile(join(empty, 'a.sql'), 'SELECT note() AS x, as_owner() AS y, abs(1) AS z');
    expect(await warnings(readerUrl)).toEqual([
      expect.stringMatching(
        /^warning: the function `note` is VOLATILE and not looked into: it may do more than read; declare it STABLE/,
      ),
      expect.stringMatching(
        /^warning: the function `as_owner` is VOLATILE .* with its owner's rights \(SECURITY DEFINER\)/,
      ),
    ]);
    await rm(empty, { recursive: true });
  });
});

describe('what holds a statement that only takes too much', () => {
  test('time-outs for statements, locks and idleness are set in every transaction', async () => {
    const name = (setting: string) => `current_setting('${setting}') AS ${setting}`;
    const topic = topicOf(
      `SELECT ${['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'transaction_read_only'].map(name).join(', ')}`,
      'timeout: 1s',
    );
    const [answer] = await hub.ask(topic, asksOf([{}]), whenever());
    expect(rowsOf(answer)).toEqual([
      {
        statement_timeout: '1s',
        lock_timeout: '800ms',
        idle_in_transaction_session_timeout: '1s',
        transaction_read_only: 'on',
      },
    ]);
  });

  test.each(['SELECT pg_sleep(600)::text AS x', 'SELECT count(*) AS n FROM generate_series(1, 10000000000) AS g'])(
    'the time-out ends %s in the database',
    async (sql) => {
      const answers = await hub.ask(topicOf(sql, 'timeout: 300ms'), asksOf([{}]), whenever());
      expect(kinds(answers)).toEqual({ QUERY_TIMEOUT: 1 });
      await eventually(async () => (await leftovers()).length === 0, { what: 'the statement to be over' });
    },
  );

  test('the lock time-out ends the wait for a table, and nothing waits on', async () => {
    const holder = new pg.Client({ connectionString: database.url });
    await holder.connect();
    await holder.query('BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE');
    const answers = await hub.ask(topicOf('SELECT a FROM t', 'timeout: 1s'), asksOf([{}]), whenever());
    const { rows } = await holder.query('SELECT FROM pg_locks WHERE NOT granted');
    await holder.end();
    expect(answers).toEqual([
      expect.objectContaining({ code: 'QUERY_TIMEOUT', message: expect.stringMatching(/locked/) as unknown }),
    ]);
    expect(rows).toEqual([]);
  });

  test.each([
    ['rows', 'SELECT g FROM generate_series(1, 1000000) AS g', /more than 100 rows/],
    [
      'rows without end',
      'WITH RECURSIVE r AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM r) SELECT i FROM r',
      /more than 100 rows/,
    ],
    ['bytes', "SELECT repeat('x', 1000000) AS x FROM generate_series(1, 20)", /larger than 8388608 bytes/],
  ])('%s beyond the most that are let through stay in the database', async (_what, sql, message) => {
    const [answer] = await hub.ask(topicOf(sql, 'max_rows: 100'), asksOf([{}]), whenever());
    expect(answer).toMatchObject({
      kind: 'failed',
      code: 'TOO_MANY_ROWS',
      message: expect.stringMatching(message) as unknown,
    });
  });
});

describe('the witness', () => {
  test('notices what the functions do where nothing holds them', async () => {
    const { rows } = await witness.query(`SELECT note(), as_owner(), nextval('s')`);
    expect(rows).toHaveLength(1);
    expect(await state()).not.toEqual(before.get(hub)?.outside);
  });
});
