import { SLICES } from './names.js';

/** What of a worker its statements are made of. */
export interface RowsOf {
  readonly table: string;
  readonly key: string;
  readonly match: string;
}

export const FENCES = 'pollcast.row_fences';

export const CREATE_FENCES = `
  CREATE SCHEMA IF NOT EXISTS pollcast;
  CREATE TABLE IF NOT EXISTS ${FENCES} (slice text PRIMARY KEY, fence bigint NOT NULL);`;

/**
 * $1 slice, $2 fence. No row: a higher fence was seen. Waits for a write that is under way under the old fence, and every
 * write that begins afterwards sees the new one.
 */
export const RAISE_FENCE = `
  INSERT INTO ${FENCES} AS f (slice, fence) VALUES ($1, $2::bigint)
  ON CONFLICT (slice) DO UPDATE SET fence = excluded.fence WHERE f.fence <= excluded.fence
  RETURNING fence::text`;

/** $1 slices. */
export const READ_FENCES = `SELECT slice, fence::text FROM ${FENCES} WHERE slice = ANY($1::text[])`;

/** $1 the table's name. Its columns and their types; none: there is no such table. */
export const DESCRIBE = `
  SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
   WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped`;

/** $1 table, $2 column. Whether the column alone identifies a row. */
export const IS_KEY = `
  SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
   WHERE i.indrelid = to_regclass($1) AND a.attname = $2 AND i.indnkeyatts = 1 AND i.indisunique AND i.indisvalid
     AND i.indpred IS NULL AND a.attnotnull`;

const quoted = (name: string): string => `"${name}"`;

/**
 * A worker's statements. The condition is the user's text and names the table's columns without a qualifier, so everything of
 * ours beside it is called `pollcast_…`.
 */
export class Statements {
  /** As it is written in FROM; folded to lower case as an unquoted name is. */
  readonly table: string;
  readonly keyColumn: string;
  readonly #self: string;
  readonly #key: string;
  readonly #match: string;
  readonly #slice: string;

  constructor({ table, key, match }: RowsOf) {
    const parts = table.toLowerCase().split('.');
    this.table = parts.map(quoted).join('.');
    this.keyColumn = key.toLowerCase();
    this.#self = quoted(parts.at(-1) as string);
    this.#key = `${this.#self}.${quoted(this.keyColumn)}`;
    // On lines of its own: it may end in a comment.
    this.#match = `(\n${match}\n)`;
    this.#slice = `abs(hashtext(${this.#key}::text)::bigint) % ${SLICES}`;
  }

  get #row(): string {
    return `${this.#self}.xmin::text, row_to_json(${this.#self}.*)::text`;
  }

  /** $1 most rows to count. → slice, how many match. */
  get demand(): string {
    return `
      SELECT pollcast_slice::int, count(*)::int
        FROM (SELECT ${this.#slice} AS pollcast_slice FROM ${this.table} WHERE ${this.#match} LIMIT $1) AS pollcast_matching
       GROUP BY 1`;
  }

  /** $1 slices, $2 keys of rows that have a process, $3 most. → slice, key, version, row. */
  get find(): string {
    return `
      SELECT (${this.#slice})::int, ${this.#key}::text, ${this.#row}
        FROM ${this.table}
       WHERE ${this.#match} AND ${this.#slice} = ANY($1::bigint[])
         AND NOT EXISTS (SELECT FROM unnest($2::text[]) AS pollcast_known (pollcast_key)
                          WHERE pollcast_key = ${this.#key}::text)
       LIMIT $3`;
  }

  /** $1 keys, $2 versions. Of those that are not as known: → n, version and row (NULL: gone), whether it matches. */
  look(keyType: string): string {
    return `
      SELECT pollcast_n::int, ${this.#row}, coalesce(${this.#match}, false)
        FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS pollcast_known (pollcast_key, pollcast_version, pollcast_n)
        LEFT JOIN ${this.table} ON ${this.#key} = pollcast_key::${keyType}
       WHERE ${this.#self}.xmin IS DISTINCT FROM pollcast_version::xid OR NOT coalesce(${this.#match}, false)`;
  }

  /**
   * Writes a group: $1 slices and $2 fences of those that write; $3 the place of its slice among them, $4 key, $5 version of each
   * row, then one array for each column. → n, version, row, whether it still matches, of those rows that were written.
   *
   * The fences are read under a lock that lasts until the commit, so a slice's new owner, who raises its fence first, comes either
   * before this (nothing of that slice is written) or after it (and sees what it wrote). A row is written only if it is the very
   * version that the step was taken from; one that somebody has locked is skipped: the others are not to wait for it.
   */
  write(keyType: string, columns: readonly { readonly name: string; readonly type: string }[]): string {
    const places = columns.map((_, i) => `pollcast_c${i}`);
    const arrays = columns.map((_, i) => `, $${i + 6}::text[]`).join('');
    const sets = columns.map(({ name, type }, i) => `${quoted(name)} = pollcast_free.pollcast_c${i}::${type}`);
    const values = ['pollcast_slice', 'pollcast_key', 'pollcast_version', ...places, 'pollcast_n'].join(', ');
    return `
      WITH pollcast_mine AS MATERIALIZED (
        SELECT m.place::int AS pollcast_slice
          FROM ${FENCES} f JOIN unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS m (slice, fence, place) ON m.slice = f.slice AND m.fence = f.fence
           FOR SHARE OF f
      ), pollcast_free AS MATERIALIZED (
        SELECT ${this.#self}.ctid AS pollcast_at, ${this.#self}.tableoid AS pollcast_in, ${['pollcast_n', ...places].map((name) => `v.${name}`).join(', ')}
          FROM unnest($3::int[], $4::${keyType}[], $5::xid[]${arrays}) WITH ORDINALITY AS v (${values})
          JOIN pollcast_mine ON pollcast_mine.pollcast_slice = v.pollcast_slice
          JOIN ${this.table} ON ${this.#key} = v.pollcast_key AND ${this.#self}.xmin = v.pollcast_version
           FOR NO KEY UPDATE OF ${this.#self} SKIP LOCKED
      )
      UPDATE ${this.table} SET ${sets.join(', ')}
        FROM pollcast_free
       WHERE ${this.#self}.ctid = pollcast_free.pollcast_at AND ${this.#self}.tableoid = pollcast_free.pollcast_in
      RETURNING pollcast_n::int, ${this.#row}, coalesce(${this.#match}, false)`;
  }
}
