import pg from 'pg';
import { PollcastError } from '../errors.js';
import { cancelRunning } from '../polling/sources/connections.js';
import { classify, tell } from '../polling/sources/faults.js';
import { describeStatement, type ResultField } from '../topics/describe-statement.js';
import type { Channel } from '../topics/topic.js';
import { columnOf, type Column } from './columns.js';
import { copyOut } from './copy-out.js';
import type { KeyPlace } from './cutter.js';
import { copyOf, selectOf } from './statement.js';
import type { KeyTexts } from './record.js';

export interface QueryOptions {
  readonly connectionString: string;
  readonly applicationName: string;
  readonly channel: Channel;
  /** Columns that identify a row, and order the result; empty: the topic's own order. */
  readonly key: readonly string[];
  readonly after: KeyTexts | null;
  readonly limit: number;
  readonly header: boolean;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface Result {
  /** Of a topic in code they are known only when all its rows have been read. */
  columns(): readonly Column[];
  /** How many rows are expected; 0: nobody can tell. */
  readonly expected: number;
  readonly key: readonly KeyPlace[];
  /** CSV, as COPY writes it. To be read to its end, or left: the query ends with it. */
  readonly chunks: AsyncIterable<Buffer>;
}

const CONNECT_MS = 5_000;
/** A table that is locked is not waited for as long as an export may take. */
const LOCK_WAIT_MS = 10_000;

/**
 * Asks for all rows of a channel, in a read-only transaction on a connection of its own: it may take long, and the
 * pollers' connections are not for that. Rejects with a coded error, also while the rows are read.
 */
export async function withRows<T>(options: QueryOptions, use: (result: Result) => Promise<T>): Promise<T> {
  const { signal, timeoutMs } = options;
  const started = performance.now();
  const client = new pg.Client({
    connectionString: options.connectionString,
    application_name: options.applicationName,
    connectionTimeoutMillis: CONNECT_MS,
    keepAlive: true,
  });
  // What is under way fails with it.
  client.on('error', () => undefined);
  const stop = (): void => void cancelRunning(client);
  const seen: { fault?: unknown } = {};
  try {
    await remembered(seen, client.connect());
    signal.throwIfAborted();
    signal.addEventListener('abort', stop, { once: true });
    const result = await remembered(seen, ask(client, options));
    return await use({ ...result, chunks: noted(seen, result.chunks) });
  } catch (error) {
    if (signal.aborted) throw signal.reason as Error;
    if (seen.fault === undefined) throw error;
    throw coded(seen.fault, { elapsedMs: performance.now() - started, timeoutMs });
  } finally {
    signal.removeEventListener('abort', stop);
    if (!signal.aborted) stop();
    // Not awaited: a server that does not answer is not waited for.
    void client.end().catch(() => undefined);
  }
}

async function ask(
  client: pg.Client,
  options: QueryOptions,
): Promise<Omit<Result, 'chunks'> & { chunks: AsyncIterable<Buffer> }> {
  const { channel, limit, header, after } = options;
  await run(client, 'BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY');
  await run(
    client,
    `SELECT set_config('statement_timeout', $1, true), set_config('lock_timeout', $2, true),
            set_config('idle_in_transaction_session_timeout', $1, true)`,
    [String(Math.max(1, Math.ceil(options.timeoutMs))), String(LOCK_WAIT_MS)],
  );
  const fields = await describeStatement(client, channel.topic.select.text);
  const places = options.key.map((name) => {
    const place = fields.findIndex((field) => field.name === name);
    if (place >= 0) return place;
    throw new PollcastError(
      'QUERY_FAILED',
      `The topic's key names a column \`${name}\`, which its result does not have.`,
    );
  });
  const select = selectOf(channel);
  const [plan] = await run<{ 'QUERY PLAN': [{ Plan: { 'Plan Rows': number } }] }>(
    client,
    `EXPLAIN (FORMAT JSON) ${select}`,
  );
  const columns = fields.map(columnOf);
  const key = places.map((place) => fields[place] as ResultField);
  return {
    columns: () => columns,
    key: places.map((place) => ({ place, number: columns[place]?.type === 'number' })),
    expected: plan?.['QUERY PLAN'][0].Plan['Plan Rows'] ?? 0,
    chunks: client.query(copyOut(copyOf(select, { key, after, limit, header }))) as AsyncIterable<Buffer>,
  };
}

async function run<Row extends pg.QueryResultRow>(
  client: pg.Client,
  text: string,
  values: unknown[] = [],
): Promise<Row[]> {
  return (await client.query<Row>({ text, values, queryMode: 'extended' } as pg.QueryConfig)).rows;
}

async function remembered<T>(seen: { fault?: unknown }, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    seen.fault = error;
    throw error;
  }
}

/** What the database says while its rows are read, told apart from what their reader throws. */
async function* noted(seen: { fault?: unknown }, chunks: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  try {
    yield* chunks;
  } catch (error) {
    seen.fault = error;
    throw error;
  }
}

function coded(cause: unknown, timing: { elapsedMs: number; timeoutMs: number }): PollcastError {
  if (cause instanceof PollcastError) return cause;
  const fault = classify(cause, timing);
  if (fault.kind === 'outage') {
    return new PollcastError('UNAVAILABLE', 'the database does not answer; try again', undefined, { cause });
  }
  if (fault.kind === 'timeout') return tooSlow();
  const { code, message } = tell(fault, timing.timeoutMs);
  return new PollcastError(code, message, undefined, { cause });
}

export function tooSlow(): PollcastError {
  return new PollcastError(
    'QUERY_TIMEOUT',
    'the export took longer than it may; narrow the parameters, or ask for less',
  );
}
