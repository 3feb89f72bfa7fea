import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import pg from 'pg';
import { temporaryDataDir } from '../../src/embedded/data-dir.js';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../src/embedded/postgres.js';

export interface TestDatabase {
  name: string;
  url: string;
}

export interface TestPostgres {
  /** the superuser's, to the database `postgres` */
  url: string;
  port: number;
  readonly pid: number;
  /** every line of the server's log so far; give `settings: { log_statement: 'all' }` to see statements */
  log: string[];
  /** A new database, made from `template` (default: an empty one with pg_stat_statements). */
  createDatabase(template?: string): Promise<TestDatabase>;
  /**
   * How often statements that contain `text` have run, in one database or all. The server replaces constants by
   * `$1, $2 …` before it counts: search for what is left, best a comment or a table's name.
   */
  queryCount(text: string, database?: string): Promise<number>;
  /** One statement on a connection of its own. */
  query<Row extends pg.QueryResultRow = pg.QueryResultRow>(
    text: string,
    values?: unknown[],
    database?: string,
  ): Promise<Row[]>;
  /** Takes it away, as an outage would. */
  down(): Promise<void>;
  /** Brings it back on the same port, with its data. */
  up(): Promise<void>;
  /** `down` and `up`. */
  restart(): Promise<void>;
  /** Ends it and removes its data. Idempotent. */
  stop(): Promise<void>;
}

/** A real Postgres of one's own, about half a second; its databases after that take some 20 ms each. */
export async function startPostgres({
  settings = {},
}: { settings?: Record<string, string> } = {}): Promise<TestPostgres> {
  const dataDir = await temporaryDataDir();
  const log: string[] = [];
  const launch = (port?: number) =>
    startEmbeddedPostgres({ dataDir, port, fsync: false, settings, log: (line) => log.push(line) });
  let server: EmbeddedPostgres = await launch();
  let running = true;
  const { url, port } = server;

  const query: TestPostgres['query'] = async <Row extends pg.QueryResultRow>(
    text: string,
    values: unknown[] = [],
    database?: string,
  ) => {
    const client = new pg.Client({ connectionString: database ? urlOf(url, database) : url });
    // Tests stop servers under open connections; the query itself still rejects.
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query<Row>(text, values)).rows;
    } finally {
      await client.end();
    }
  };
  await query('create extension if not exists pg_stat_statements', [], 'template1');
  await query('create extension if not exists pg_stat_statements');

  const down = async () => {
    running = false;
    await server.stop();
  };
  const up = async () => {
    if (!running) server = await launch(port);
    running = true;
  };
  return {
    url,
    port,
    get pid() {
      return server.pid;
    },
    log,
    query,
    down,
    up,
    async createDatabase(template = 'template1') {
      const name = `test_${randomBytes(6).toString('hex')}`;
      await query(`create database ${name} template ${template}`);
      return { name, url: urlOf(url, name) };
    },
    async queryCount(text, database) {
      const [row] = await query<{ calls: string | null }>(
        `select sum(calls) as calls
           from pg_stat_statements s join pg_database d on d.oid = s.dbid
          where position($1 in s.query) > 0
            and ($2::text is null or d.datname = $2)
            and s.query not like '%pg_stat_statements%'`,
        [text, database ?? null],
      );
      return Number(row?.calls ?? 0);
    },
    async restart() {
      await down();
      await up();
    },
    async stop() {
      if (running) await down();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

function urlOf(url: string, database: string): string {
  const changed = new URL(url);
  changed.pathname = `/${database}`;
  return changed.href;
}
