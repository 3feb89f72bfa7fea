import { createHash, createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { PollcastError } from '../errors.js';

/** The role that the demo's topics run under: it may SELECT, nothing else. */
export const READER_ROLE = 'pollcast_reader';

export interface PreparedDemo {
  /** The same database under `pollcast_reader`: what the topics' queries should use. */
  readonly readerUrl: string;
  /** True when the schema was made just now. */
  readonly created: boolean;
}

/** One preparation at a time, whichever node starts first. */
const PREPARE_LOCK = 7_065_112;
const TABLES = ['order_items', 'orders', 'stock', 'products', 'page_views', 'app_errors', 'tickets', 'deployments'];

/**
 * Makes the demo's schema with a day of history, unless it is there, and the reader's role. Safe to call from several nodes
 * at once and at every start. A demo of another release is replaced; one that was not fed for a while is moved up to now,
 * so that its charts are not empty.
 *
 * @param url a role that may create tables and roles, on a database that is empty or the demo's own
 * @throws PollcastError `CONFLICT` when the database holds tables of that name that are not the demo's
 */
export async function prepareDemo(url: string): Promise<PreparedDemo> {
  const schema = await readFile(new URL('./schema.sql', import.meta.url), 'utf8');
  const version = createHash('sha256').update(schema).digest('hex').slice(0, 16);
  const client = new pg.Client({ connectionString: url, application_name: 'pollcast demo' });
  client.on('error', () => undefined); // the query under way fails too
  await client.connect();
  try {
    await client.query('SELECT pg_advisory_lock($1)', [PREPARE_LOCK]);
    const created = await createSchema(client, schema, version);
    if (!created) await moveUpToNow(client);
    const readerUrl = await grantReader(client, url);
    return { readerUrl, created };
  } finally {
    await client.end(); // releases the lock
  }
}

async function createSchema(client: pg.Client, schema: string, version: string): Promise<boolean> {
  await client.query('CREATE TABLE IF NOT EXISTS pollcast_demo (version text NOT NULL)');
  const { rows } = await client.query<{ version: string }>('SELECT version FROM pollcast_demo');
  if (rows[0]?.version === version) return false;
  await client.query('BEGIN');
  try {
    if (rows.length > 0) {
      await client.query(
        `DROP TABLE IF EXISTS ${TABLES.join(', ')}; DROP TYPE IF EXISTS order_status; DELETE FROM pollcast_demo`,
      );
    }
    await client.query(schema);
    await client.query('INSERT INTO pollcast_demo VALUES ($1)', [version]);
    await client.query('COMMIT');
    return true;
  } catch (error) {
    await client.query('ROLLBACK');
    if (rows.length === 0) await client.query('DROP TABLE pollcast_demo');
    // duplicate_table and duplicate_object: somebody else's tables
    if (error instanceof pg.DatabaseError && (error.code === '42P07' || error.code === '42710')) {
      throw new PollcastError(
        'CONFLICT',
        `the demo expected an empty database, and found its own names taken: ${error.message}; give it another database`,
        undefined,
        {
          cause: error,
        },
      );
    }
    throw error;
  }
}

/** Shifts all history by the time that nobody fed it. */
async function moveUpToNow(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ gap: string | null }>(
    `SELECT (now() - max(placed_at))::text AS gap FROM orders HAVING now() - max(placed_at) > interval '5 minutes'`,
  );
  const gap = rows[0]?.gap;
  if (gap === undefined || gap === null) return;
  await client.query('BEGIN');
  try {
    for (const [table, columns] of [
      ['orders', ['placed_at', 'updated_at']],
      ['page_views', ['seen_at']],
      ['app_errors', ['seen_at']],
      ['tickets', ['opened_at', 'closed_at']],
      ['deployments', ['started_at', 'finished_at']],
      ['stock', ['restocked_at']],
    ] as const) {
      const moves = columns.map((column) => `${column} = ${column} + $1::interval`).join(', ');
      await client.query(`UPDATE ${table} SET ${moves}`, [gap]);
    }
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  }
}

/**
 * The role's password follows from the owner's, so that all nodes know it and it gives nothing away; where the owner has none
 * (an embedded server that trusts loopback), the reader has none either.
 */
async function grantReader(client: pg.Client, url: string): Promise<string> {
  const reader = new URL(url);
  const secret = decodeURIComponent(reader.password);
  const password = secret === '' ? '' : createHmac('sha256', secret).update(READER_ROLE).digest('hex');
  // Roles belong to the whole server: another database's demo may be making the same one right now.
  await client.query(`
    DO $$ BEGIN
      CREATE ROLE ${READER_ROLE} LOGIN${password === '' ? '' : ` PASSWORD '${password}'`};
      ALTER ROLE ${READER_ROLE} SET default_transaction_read_only = on;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
      ${password === '' ? 'NULL' : `ALTER ROLE ${READER_ROLE} PASSWORD '${password}'`};
    END $$`);
  await client.query(
    `GRANT USAGE ON SCHEMA public TO ${READER_ROLE}; GRANT SELECT ON ${TABLES.join(', ')} TO ${READER_ROLE}`,
  );
  reader.username = READER_ROLE;
  reader.password = password;
  return reader.href;
}
