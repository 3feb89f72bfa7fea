import pg from 'pg';
import { PollcastError } from '../errors.js';
import type { Logger } from '../kernel/log.js';
import { classify, type Fault } from '../polling/sources/faults.js';
import { didYouMean } from '../topics/nearest.js';
import type { WorkerDefinition } from './definition.js';
import { encode, textArray } from './encode.js';
import { CREATE_FENCES, DESCRIBE, IS_KEY, RAISE_FENCE, READ_FENCES, Statements } from './statements.js';

const PATIENCE_MS = 5_000;
/** How much longer than a statement may take its answer is waited for before the server counts as gone. */
const ANSWER_GRACE_MS = 2_000;
/** Two nodes may create it at the same moment: the one that comes second finds it there, or is told so by one of these. */
const CREATED_MEANWHILE = new Set(['23505', '42P07', '42P06', 'XX000']);

export interface FoundRow {
  readonly slice: number;
  readonly key: string;
  readonly version: string;
  readonly json: string;
}

/** What became of one of the rows that were asked for. `version` null: it is gone. */
export interface SeenRow {
  readonly at: number;
  readonly version: string | null;
  readonly json: string;
  readonly matches: boolean;
}

/** One row's write, its values as texts in the order of the group's columns. */
export interface RowWrite {
  readonly slice: { readonly name: string; readonly fence: number };
  readonly key: string;
  readonly version: string;
  readonly values: readonly (string | null)[];
}

/** What failed, and what that means. */
export class TableError extends Error {
  constructor(readonly fault: Fault) {
    super(fault.cause instanceof Error ? fault.cause.message : String(fault.cause), { cause: fault.cause });
  }
}

interface Shape {
  readonly types: ReadonlyMap<string, string>;
  readonly keyType: string;
}

/** A worker's table, as one process or one node asks it: on connections of its own, opened when needed and closed when idle. */
export class RowTable {
  readonly #pool: pg.Pool;
  readonly #statements: Statements;
  readonly #texts = new Map<string, string>();
  #shape: Promise<Shape> | null = null;
  /** Filled by the first look at the table, which comes before any row of it. */
  #types: ReadonlyMap<string, string> = new Map();
  #closed: Promise<void> | null = null;

  constructor(
    connectionString: string,
    private readonly definition: WorkerDefinition,
    log: Pick<Logger, 'warn'>,
    connections: number,
  ) {
    if (!/^postgres(ql)?:/.test(connectionString)) {
      throw new PollcastError(
        'BAD_REQUEST',
        `${definition.name}: row workers need a Postgres that may be written, as DATABASE_URL`,
      );
    }
    this.#statements = new Statements(definition);
    this.#pool = new pg.Pool({
      connectionString,
      application_name: `pollcast rows ${definition.name}`,
      max: connections,
      connectionTimeoutMillis: PATIENCE_MS,
      statement_timeout: definition.timeoutMs,
      query_timeout: definition.timeoutMs + ANSWER_GRACE_MS,
      idleTimeoutMillis: 10_000,
      keepAlive: true,
      // Estimates over thousands of keys are high enough to trigger it, and compiling takes longer than the write.
      options: '-c jit=off',
    });
    // Without a listener an idle connection that the server closes would end the process.
    this.#pool.on('error', (error) =>
      log.warn({ err: error, worker: definition.name }, 'a connection of row workers was lost'),
    );
  }

  /** How many rows match, by slice; no more than `most` are counted. */
  async demand(most: number): Promise<Map<number, number>> {
    await this.#known();
    return new Map((await this.#ask(this.#statements.demand, [most])) as [number, number][]);
  }

  /** Rows of these slices that match and are not among the known ones. */
  async find(slices: readonly number[], known: readonly string[], most: number): Promise<FoundRow[]> {
    await this.#known();
    const rows = (await this.#ask(this.#statements.find, [slices, known, most])) as [number, string, string, string][];
    return rows.map(([slice, key, version, json]) => ({ slice, key, version, json }));
  }

  /** What has changed of these rows: those that are as they were, and still match, are not in the answer. */
  async look(rows: readonly { readonly key: string; readonly version: string }[]): Promise<SeenRow[]> {
    const { keyType } = await this.#known();
    const keys = rows.map(({ key }) => key);
    const versions = rows.map(({ version }) => version);
    return seen(await this.#ask(this.#statements.look(keyType), [keys, versions]));
  }

  /**
   * What a step wants to write: the columns' names, as `write` takes them, and their values as texts.
   *
   * @throws PollcastError `BAD_REQUEST` for what can not be written
   */
  encode(changes: Readonly<Record<string, unknown>>): { columns: string; values: (string | null)[] } {
    const types = this.#types;
    const names = Object.keys(changes).filter((name) => changes[name] !== undefined);
    const values = names.map((name) => {
      const type = types.get(name);
      if (type === undefined) {
        throw new PollcastError(
          'BAD_REQUEST',
          `${this.definition.table} has no column ${name}${didYouMean(name, types.keys())}`,
        );
      }
      if (name === this.#statements.keyColumn)
        throw new PollcastError('BAD_REQUEST', `${name} is the key: a step can not change it`);
      return encode(changes[name], type);
    });
    return { columns: names.join('\0'), values };
  }

  /** Writes a group of rows that change the same columns. Those that are not in the answer were not written. */
  async write(columns: string, rows: readonly RowWrite[]): Promise<SeenRow[]> {
    const { types, keyType } = await this.#known();
    const names = columns.split('\0');
    let text = this.#texts.get(columns);
    if (text === undefined) {
      text = this.#statements.write(
        keyType,
        names.map((name) => ({ name, type: types.get(name) as string })),
      );
      this.#texts.set(columns, text);
    }
    const places = new Map<RowWrite['slice'], number>();
    const placeOf = (slice: RowWrite['slice']): number => {
      let place = places.get(slice);
      if (place === undefined) places.set(slice, (place = places.size + 1));
      return place;
    };
    const ofRows = `{${rows.map(({ slice }) => placeOf(slice)).join(',')}}`;
    const slices = [...places.keys()];
    return seen(
      await this.#ask(text, [
        slices.map(({ name }) => name),
        slices.map(({ fence }) => fence),
        ofRows,
        textArray(rows.map(({ key }) => key)),
        `{${rows.map(({ version }) => version).join(',')}}`,
        ...names.map((_, column) => textArray(rows.map(({ values }) => values[column] ?? null))),
      ]),
    );
  }

  /** @throws PollcastError `CONFLICT` when a higher fence was seen */
  async raiseFence(slice: string, fence: number): Promise<void> {
    await this.#known();
    const rows = await this.#ask(RAISE_FENCE, [slice, fence]);
    if (rows.length === 0)
      throw new PollcastError('CONFLICT', `another owner of ${slice} has a higher fence than ${fence}`);
  }

  async fences(slices: readonly string[]): Promise<Map<string, number>> {
    const rows = (await this.#ask(READ_FENCES, [slices])) as [string, string][];
    return new Map(rows.map(([slice, fence]) => [slice, Number(fence)]));
  }

  close(): Promise<void> {
    this.#closed ??= this.#pool.end();
    return this.#closed;
  }

  /** Looks at the table once; again when that failed. */
  #known(): Promise<Shape> {
    this.#shape ??= this.#describe().catch((error: unknown) => {
      this.#shape = null;
      throw error;
    });
    return this.#shape;
  }

  async #describe(): Promise<Shape> {
    const { table, keyColumn } = this.#statements;
    const types = new Map((await this.#ask(DESCRIBE, [table])) as [string, string][]);
    if (types.size === 0) throw this.#wrong(`there is no table ${this.definition.table}`);
    const keyType = types.get(keyColumn);
    if (keyType === undefined) throw this.#wrong(`it has no column ${keyColumn}${didYouMean(keyColumn, types.keys())}`);
    if ((await this.#ask(IS_KEY, [table, keyColumn])).length === 0) {
      throw this.#wrong(
        `${keyColumn} does not identify a row: expected a primary key, or one that is unique and not null`,
      );
    }
    await this.#createFences();
    this.#types = types;
    return { types, keyType };
  }

  #wrong(why: string): PollcastError {
    return new PollcastError(
      'BAD_REQUEST',
      `the row worker ${this.definition.name} can not work on ${this.definition.table}: ${why}`,
    );
  }

  async #createFences(): Promise<void> {
    for (let tries = 1; ; tries++) {
      // Made by an administrator beforehand, it need not be created.
      const [there] = (await this.#ask(`SELECT to_regclass('pollcast.row_fences') IS NOT NULL`, [])) as [boolean][];
      if (there?.[0]) return;
      try {
        for (const text of CREATE_FENCES.split(';').filter((part) => part.trim() !== '')) await this.#ask(text, []);
      } catch (error) {
        const code = error instanceof TableError && 'sqlstate' in error.fault ? error.fault.sqlstate : '';
        if (!CREATED_MEANWHILE.has(code) || tries === 5) throw error;
      }
    }
  }

  async #ask(text: string, values: readonly unknown[]): Promise<unknown[][]> {
    const began = performance.now();
    try {
      // Named: planned once. A statement's name is known by its text.
      const query = { name: this.#nameOf(text), text, values: [...values], rowMode: 'array' as const };
      return (await this.#pool.query<unknown[]>(query)).rows;
    } catch (cause) {
      throw new TableError(
        classify(cause, { elapsedMs: performance.now() - began, timeoutMs: this.definition.timeoutMs }),
      );
    }
  }

  readonly #names = new Map<string, string>();

  #nameOf(text: string): string {
    let name = this.#names.get(text);
    if (name === undefined) {
      name = `pollcast_rows_${this.#names.size}`;
      this.#names.set(text, name);
    }
    return name;
  }
}

function seen(rows: unknown[][]): SeenRow[] {
  return (rows as [number, string | null, string, boolean][]).map(([n, version, json, matches]) => ({
    at: n - 1,
    version,
    json,
    matches,
  }));
}
