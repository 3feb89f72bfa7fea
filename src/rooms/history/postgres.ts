import pg from 'pg';
import { PollcastError } from '../../errors.js';
import type { Logger } from '../../kernel/log.js';
import type { RoomEvent } from '../room-state.js';
import { plainText } from '../text.js';
import type { Retention, RoomHistory } from './history.js';

const TABLE = 'pollcast.room_history';

const CREATE = `
  CREATE SCHEMA IF NOT EXISTS pollcast;
  CREATE TABLE IF NOT EXISTS ${TABLE} (
    room    text NOT NULL,
    version bigint NOT NULL,
    at      timestamptz NOT NULL,
    event   jsonb NOT NULL,
    PRIMARY KEY (room, version)
  );
  CREATE INDEX IF NOT EXISTS room_history_at ON ${TABLE} (at);`;

/** Two nodes may create it at the same moment: the one that comes second finds it there, or is told so by one of these. */
const CREATED_MEANWHILE = new Set(['23505', '42P07', '42P06', 'XX000']);
/** May not create, or may not write at all: a replica, a role for reading. */
const MAY_NOT_WRITE = new Set(['42501', '25006']);
const PATIENCE_MS = 5_000;

/** The past in the database of the topics, in a schema of its own. */
export class PostgresHistory implements RoomHistory {
  private constructor(private readonly pool: pg.Pool) {}

  /** `null`: this database may not be written. Rejects with `UNAVAILABLE` when it does not answer. */
  static async open(connectionString: string, log: Pick<Logger, 'warn'>): Promise<PostgresHistory | null> {
    const pool = new pg.Pool({
      connectionString,
      application_name: 'pollcast rooms',
      max: 2,
      connectionTimeoutMillis: PATIENCE_MS,
      statement_timeout: PATIENCE_MS,
      idleTimeoutMillis: 30_000,
    });
    // Without a listener an idle connection that the server closes would end the process.
    pool.on('error', (error) => log.warn({ err: error }, 'a connection of the rooms history was lost'));
    try {
      for (let tries = 1; ; tries++) {
        try {
          await pool.query(CREATE);
          return new PostgresHistory(pool);
        } catch (error) {
          const code = codeOf(error);
          if (MAY_NOT_WRITE.has(code)) break;
          if (!CREATED_MEANWHILE.has(code) || tries === 5) throw unavailable(error);
        }
      }
    } catch (error) {
      await pool.end();
      throw error;
    }
    // Made by an administrator beforehand, it need not be created.
    const [there] = (await pool.query<{ there: boolean }>(WRITABLE)).rows;
    if (there?.there) return new PostgresHistory(pool);
    await pool.end();
    return null;
  }

  async append(events: readonly RoomEvent[]): Promise<void> {
    await this.#ask(
      `INSERT INTO ${TABLE} (room, version, at, event)
       SELECT room, version, to_timestamp(at / 1000), event
         FROM unnest($1::text[], $2::bigint[], $3::float8[], $4::jsonb[]) AS e (room, version, at, event)
       ON CONFLICT DO NOTHING`,
      [
        events.map(({ room }) => room),
        events.map(({ version }) => version),
        events.map(({ at }) => at),
        // One that could not be written would hold up all that come after it, of all rooms.
        events.map((event) => plainText(JSON.stringify(event))),
      ],
    );
  }

  async page(room: string, before: number, limit: number): Promise<RoomEvent[]> {
    const rows = await this.#ask<{ event: RoomEvent }>(
      `SELECT event FROM ${TABLE} WHERE room = $1 AND version < $2 ORDER BY version DESC LIMIT $3`,
      [room, before, limit],
    );
    return rows.map(({ event }) => event).reverse();
  }

  async prune({ maxAgeMs, maxEvents }: Retention, now: number): Promise<void> {
    await this.#ask(`DELETE FROM ${TABLE} WHERE at < to_timestamp($1::float8 / 1000)`, [now - maxAgeMs]);
    await this.#ask(
      `DELETE FROM ${TABLE} h
        USING (SELECT room, max(version) FILTER (WHERE place = $1 + 1) AS last
                 FROM (SELECT room, version, row_number() OVER (PARTITION BY room ORDER BY version DESC) AS place
                         FROM ${TABLE}) ranked
                WHERE place = $1 + 1 GROUP BY room) more
        WHERE h.room = more.room AND h.version <= more.last`,
      [maxEvents],
    );
  }

  close(): Promise<void> {
    return this.pool.end();
  }

  async #ask<R extends pg.QueryResultRow>(text: string, values: readonly unknown[]): Promise<R[]> {
    try {
      return (await this.pool.query<R>(text, [...values])).rows;
    } catch (error) {
      throw unavailable(error);
    }
  }
}

const WRITABLE = `
  SELECT to_regclass('${TABLE}') IS NOT NULL AND NOT pg_is_in_recovery()
     AND coalesce(has_table_privilege(to_regclass('${TABLE}'), 'INSERT'), false)
     AND current_setting('transaction_read_only') = 'off' AS there`;

function codeOf(error: unknown): string {
  return (error as { code?: string }).code ?? '';
}

function unavailable(error: unknown): PollcastError {
  return new PollcastError('UNAVAILABLE', 'the history of rooms does not answer; try again', undefined, {
    cause: error,
  });
}
