import { createHash } from 'node:crypto';
import type { DuckDBConnection, DuckDBPreparedStatement } from '@duckdb/node-api';
import { PollcastError } from '../../../errors.js';
import type { Logger } from '../../../kernel/log.js';
import type { ParamValue, Statement, Topic } from '../../../topics/topic.js';
import type { Answer, Ask, AskOptions, Source } from '../../source.js';
import { inLanes } from '../lanes.js';
import { MAX_BYTES, tooMuch, tooSlow } from '../limits.js';
import { Slots } from '../slots.js';
import { RowJson } from './json.js';
import { messageOf, type Duck } from './load.js';
import type { DuckLocation } from './location.js';
import { DuckStore } from './store.js';

export interface DuckSourceOptions {
  readonly duck: Duck;
  readonly location: DuckLocation;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  /** Queries that run at once for this node. Each uses several threads of its own. Default 4. */
  readonly maxConnections?: number;
  readonly maxBytes?: number;
}

/** Queries of one topic that run at once, so that it leaves room for others. */
const LANES = 2;

const INTERRUPT_MS = 20;

const ENDED: Answer = { kind: 'outage', message: 'It is not asked any more.' };
const AWAY: Answer = { kind: 'outage', message: 'The database cannot be opened now; it is tried again.' };

/**
 * The source that asks DuckDB, in this process: one query for each channel and round, for its planner has no use for many
 * channels in one statement. `changed:` saves the main query as it does with Postgres.
 */
export class DuckSource implements Source {
  readonly #store: DuckStore;
  readonly #slots: Slots;
  readonly #json: RowJson;
  readonly #maxBytes: number;
  /** Between an outage and the next answer: each is logged once. */
  #away = false;

  constructor(private readonly options: DuckSourceOptions) {
    this.#store = new DuckStore(options.duck, options.location, options.log);
    this.#slots = new Slots(options.maxConnections ?? 4);
    this.#json = new RowJson(options.duck);
    this.#maxBytes = options.maxBytes ?? MAX_BYTES;
  }

  async ask(topic: Topic, asks: readonly Ask[], { signal, mayQuery, onAnswer }: AskOptions): Promise<Answer[]> {
    const answers = new Array<Answer>(asks.length);
    await inLanes(asks, LANES, async (ask, index) => {
      const answer = await this.#one(topic, ask, signal, mayQuery);
      answers[index] = answer;
      onAnswer?.(index, answer);
    });
    return answers;
  }

  async ping(timeoutMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('late')), timeoutMs);
    });
    try {
      await Promise.race([this.#store.with((connection) => connection.run('SELECT 1')), late]);
    } catch (cause) {
      throw new PollcastError('UNAVAILABLE', `The database did not answer within ${timeoutMs} ms.`, undefined, {
        cause,
      });
    } finally {
      clearTimeout(timer);
    }
  }

  close(): Promise<void> {
    this.#store.close();
    return Promise.resolve();
  }

  async #one(topic: Topic, ask: Ask, signal: AbortSignal, mayQuery: () => boolean): Promise<Answer> {
    const leave = await this.#slots.enter(signal);
    if (leave === undefined) return ENDED;
    try {
      const answer = await this.#store.with((connection) => {
        const query = new Query(this.options.duck, connection, topic, ask, signal, mayQuery);
        return this.#answer(topic, ask, query);
      });
      if (this.#away && answer.kind !== 'outage') {
        this.#away = false;
        this.options.log.info({ topic: topic.name }, 'the database answers again');
      }
      return answer;
    } catch (error) {
      if (!this.#away) this.options.log.warn({ topic: topic.name, err: error }, 'the database does not answer');
      this.#away = true;
      return AWAY;
    } finally {
      leave();
    }
  }

  /** Rejects only when the database cannot be opened: what goes wrong with a query is an answer. */
  async #answer(topic: Topic, ask: Ask, query: Query): Promise<Answer> {
    try {
      const mark = topic.changed && (await this.#mark(topic.changed, query));
      // Without the result that belongs to it a mark says nothing.
      if (mark !== undefined && mark === ask.mark && ask.hash !== undefined) return { kind: 'unchanged', mark };
      const withMark = mark === undefined ? {} : { mark };
      const { rows, count } = await this.#rows(topic.select, query, topic.maxRows);
      if (rows === null) return tooMuch(topic, count, this.#maxBytes);
      const hash = digest(rows);
      return hash === ask.hash ? { kind: 'unchanged', ...withMark } : { kind: 'rows', rows, count, hash, ...withMark };
    } catch (error) {
      return this.#failed(topic, ask, error);
    } finally {
      query.end();
    }
  }

  async #mark(statement: Statement, query: Query): Promise<string> {
    const { rows } = await this.#rows(statement, query, Infinity);
    const text = rows ?? '';
    return text.length <= 100 ? text : digest(text);
  }

  async #rows(statement: Statement, query: Query, maxRows: number): Promise<{ rows: string | null; count: number }> {
    // Read in pieces, and no more of them than are wanted: the statement stays as its author wrote it, its order too.
    const reader = await query.run(statement, maxRows + 1);
    const names = reader.columnNames();
    const types = reader.columnTypes();
    const values = reader.getRows();
    if (values.length > maxRows) return { rows: null, count: maxRows + 1 };
    const texts: string[] = [];
    let bytes = 0;
    for (const row of values) {
      const text = this.#json.row(names, types, row);
      texts.push(text);
      bytes += Buffer.byteLength(text) + 1;
      if (bytes > this.#maxBytes) return { rows: null, count: values.length };
    }
    return { rows: `[${texts.join(',')}]`, count: values.length };
  }

  #failed(topic: Topic, { channel }: Ask, error: unknown): Answer {
    if (error instanceof Stopped) return error.why === 'late' ? tooSlow(topic) : ENDED;
    this.options.log.warn({ topic: topic.name, channel, err: error }, 'a query failed');
    return {
      kind: 'failed',
      code: 'QUERY_FAILED',
      message: `The topic's query failed at the database: ${kindOf(error)}; the node's log has the details.`,
    };
  }
}

/** Why a query was not, or is no longer, run. */
class Stopped extends Error {
  constructor(readonly why: 'late' | 'ended') {
    super(why);
  }
}

/** The statements of one ask on one connection, within the topic's time-out. */
class Query {
  readonly #timer: NodeJS.Timeout;
  #stopped: Stopped | null = null;
  #interrupting: NodeJS.Timeout | undefined;

  constructor(
    private readonly duck: Duck,
    private readonly connection: DuckDBConnection,
    topic: Topic,
    private readonly ask: Ask,
    private readonly signal: AbortSignal,
    private readonly mayQuery: () => boolean,
  ) {
    this.#timer = setTimeout(() => this.#stop('late'), topic.timeoutMs);
    signal.addEventListener('abort', this.#abort, { once: true });
  }

  /** Has its rows, up to `atLeast` of them and a little more. */
  async run(statement: Statement, atLeast: number) {
    try {
      const prepared = await this.connection.prepare(statement.text);
      if (prepared.statementType !== this.duck.StatementType.SELECT) throw new Error('only a SELECT is asked');
      statement.params.forEach((name, i) => this.#bind(prepared, i + 1, this.ask.values[name]));
      if (this.signal.aborted || !this.mayQuery()) throw new Stopped('ended');
      if (this.#stopped) throw this.#stopped;
      return await (Number.isFinite(atLeast) ? prepared.streamAndReadUntil(atLeast) : prepared.runAndReadAll());
    } catch (error) {
      throw this.#stopped ?? error;
    }
  }

  end(): void {
    clearTimeout(this.#timer);
    clearInterval(this.#interrupting);
    this.signal.removeEventListener('abort', this.#abort);
  }

  readonly #abort = (): void => this.#stop('ended');

  #stop(why: Stopped['why']): void {
    this.#stopped ??= new Stopped(why);
    // Again and again: one that comes before the query has begun on its thread is forgotten.
    this.#interrupting ??= setInterval(() => this.connection.interrupt(), INTERRUPT_MS);
    this.connection.interrupt();
  }

  /** As texts: the statement casts each to its parameter's type. */
  #bind(prepared: DuckDBPreparedStatement, index: number, value: ParamValue | undefined): void {
    if (value === null || value === undefined) prepared.bindNull(index);
    else if (typeof value === 'object') {
      const items = value.map((item) => (item === null ? null : String(item)));
      prepared.bindList(index, this.duck.listValue(items), this.duck.LIST(this.duck.VARCHAR));
    } else prepared.bindVarchar(index, String(value));
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}

/** `Binder Error: …`: only what stands before the colon says nothing of the statement or its data. */
function kindOf(error: unknown): string {
  const [, kind] = /^([A-Z][A-Za-z ]{2,40}) Error:/.exec(messageOf(error)) ?? [];
  return kind === undefined ? 'error' : `${kind.toLowerCase()} error`;
}
