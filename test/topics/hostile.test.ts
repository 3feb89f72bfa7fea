import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { channelOf } from '../../src/topics/channel.js';
import { parseTopic } from '../../src/topics/topic-file.js';
import { prepareSql } from '../../src/topics/sql.js';
import { startPostgres, type TestPostgres } from '../support/postgres.js';

/** Each must be refused when the file is read, before any database sees it. */
const REFUSED = [
  'INSERT INTO t VALUES (1)',
  'UPDATE t SET a = 1',
  'DELETE FROM t',
  'MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE',
  'TRUNCATE t',
  'DROP TABLE t',
  'CREATE TABLE x (a int)',
  'CREATE TABLE x AS SELECT 1',
  'ALTER ROLE hub SUPERUSER',
  'GRANT ALL ON t TO public',
  "COPY t TO PROGRAM 'id'",
  "COPY (SELECT 1) TO '/tmp/x'",
  'SET ROLE hub',
  'RESET ALL',
  'BEGIN',
  'COMMIT',
  'VACUUM',
  'LISTEN x',
  'NOTIFY x',
  'LOCK TABLE t',
  'CALL p()',
  'DO $$ BEGIN PERFORM 1; END $$',
  'PREPARE x AS SELECT 1',
  'EXECUTE x',
  'EXPLAIN ANALYZE DELETE FROM t',
  'DECLARE c CURSOR FOR SELECT 1',
  'REFRESH MATERIALIZED VIEW v',
  'SELECT 1; DROP TABLE t',
  'SELECT 1; COMMIT; DELETE FROM t',
  'SELECT 1 INTO x',
  'SELECT * INTO TEMP x FROM t',
  'SELECT * FROM t FOR UPDATE',
  'SELECT * FROM (SELECT * FROM t FOR NO KEY UPDATE) AS s',
  'SELECT 1 UNION SELECT a FROM (SELECT a FROM t FOR SHARE SKIP LOCKED) AS s',
  'WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x',
  'WITH x AS (INSERT INTO t VALUES (1) RETURNING a) SELECT * FROM x',
  'SELECT * FROM t WHERE a IN (WITH y AS (UPDATE t SET a = 2 RETURNING a) SELECT a FROM y)',
  'SELECT pg_advisory_lock(1)',
  'SELECT pg_try_advisory_xact_lock(1, 2)',
  "SELECT pg_notify('a', 'b')",
  "SELECT pg_catalog.pg_notify('a', 'b')",
  'SELECT "pg_catalog"."pg_notify"(\'a\', \'b\')',
  "SELECT PG_NOTIFY('a', 'b')",
  "SELECT pg /* x */ (1), pg_catalog . pg_notify ('a', 'b')",
  "SELECT 1 FROM t ORDER BY set_config('role', 'hub', false)",
  "SELECT set_config('transaction_read_only', 'off', true)",
  'SELECT pg_terminate_backend(pid) FROM pg_stat_activity',
  'SELECT pg_cancel_backend(1)',
  'SELECT pg_reload_conf()',
  'SELECT pg_rotate_logfile()',
  "SELECT pg_read_file('/etc/passwd')",
  "SELECT pg_read_binary_file('/etc/passwd')",
  "SELECT * FROM pg_ls_dir('.')",
  'SELECT * FROM pg_ls_waldir()',
  "SELECT pg_stat_file('x')",
  'SELECT pg_stat_reset()',
  'SELECT pg_stat_statements_reset()',
  "SELECT lo_import('/etc/passwd')",
  "SELECT lo_export(1, '/tmp/x')",
  "SELECT lo_put(1, 0, 'x')",
  "SELECT * FROM dblink('host=x', 'delete from t') AS d (a int)",
  "SELECT dblink_exec('delete from t')",
  "SELECT nextval('s')",
  "SELECT setval('s', 1)",
  'SELECT txid_current()',
  'SELECT pg_current_xact_id()',
  "SELECT query_to_xml('delete from t', true, true, '')",
  "SELECT database_to_xml(true, true, '')",
  "SELECT * FROM ts_stat('select pg_notify(1, 2)')",
  "SELECT ts_rewrite('a'::tsquery, 'select 1')",
  "SELECT * FROM crosstab('select 1') AS c (a int)",
  'SELECT pg_switch_wal()',
  "SELECT pg_create_restore_point('x')",
  "SELECT pg_drop_replication_slot('x')",
  "SELECT pg_logical_emit_message(false, 'a', 'b')",
  'SELECT pg_export_snapshot()',
  'SELECT pg_promote()',
  "SELECT pg_import_system_collations('public')",
  'SELECT pg_something_new_in_the_next_release()',
  'SELECT setseed(0.5)',
  "SELECT http_get('http://example.org')",
  "SELECT cron.schedule('* * * * *', 'delete from t')",
  'SELECT sum(1) FILTER (WHERE pg_advisory_lock(1) IS NULL)',
  'SELECT * FROM generate_series(1, 2) AS g, LATERAL pg_sleep_for(pg_reload_conf()::text::interval)',
  'SELECT CASE WHEN false THEN pg_reload_conf() END',
  "SELECT 1 LIMIT (SELECT pg_backend_pid() + length(pg_read_file('x')))",
];

/** Reads only, and must stay usable. */
const ALLOWED = [
  'SELECT pg_sleep(0)',
  "SELECT pg_size_pretty(pg_database_size('postgres'))",
  'SELECT pg_typeof(1), pg_backend_pid(), pg_is_in_recovery()',
  "SELECT pg_get_viewdef('v'::regclass), pg_get_indexdef(1)",
  'SELECT pg_table_is_visible(1), pg_postmaster_start_time()',
  'SELECT * FROM pg_stat_activity',
  "SELECT current_setting('server_version'), current_user, random(), now()",
  "SELECT ts_rewrite('a'::tsquery, 'b'::tsquery, 'c'::tsquery)",
  'SELECT location, local, long FROM lo',
  "SELECT 'delete from t; drop table t', $$ pg_notify('x') $$",
  'SELECT update, insert FROM t -- for update',
];

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
