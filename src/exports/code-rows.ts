import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, PollcastError } from '../errors.js';
import type { Logger } from '../kernel/log.js';
import { rowText } from '../polling/sources/code.js';
import type { Channel, CodeRow, Topic } from '../topics/topic.js';
import type { Column, ColumnType } from './columns.js';
import { csvRow } from './csv-rows.js';
import type { Result } from './gather.js';

const CHUNK_CHARS = 64 * 1024;

type Json = Record<string, unknown>;

/**
 * The first `limit` rows of a topic that is written in code, as CSV with the columns of the first row: whole numbers, texts and dates as
 * JSON has them, lists and objects as JSON. Code cannot be asked for the rows behind a key, so it always begins anew.
 */
export function codeRows(channel: Channel, limit: number, signal: AbortSignal, log: Pick<Logger, 'warn'>): Result {
  const seen = new Map<string, ColumnType | undefined>();
  return {
    columns: () => [...seen].map(([name, type]): Column => ({ name, type: type ?? 'text' })),
    expected: 0,
    key: [],
    chunks: told(channel.topic, chunksOf(channel, limit, signal, seen), signal, log),
  };
}

async function* chunksOf(
  { topic, values }: Channel,
  limit: number,
  signal: AbortSignal,
  seen: Map<string, ColumnType | undefined>,
): AsyncIterable<Buffer> {
  let text = '';
  let count = 0;
  for await (const row of untilAborted(await orAborted(rowsOf(topic, values, signal), signal), signal)) {
    const json = JSON.parse(rowText(topic, row)) as Json;
    count += 1;
    if (count === 1) {
      for (const name of Object.keys(json)) seen.set(name, undefined);
      text = csvRow([...seen.keys()]);
    }
    const stranger = Object.keys(json).find((name) => !seen.has(name));
    if (stranger !== undefined) throw unlike([...seen.keys()], stranger, count);
    text += csvRow([...seen].map(([name, type]) => fieldOf(json[name], name, type, seen)));
    if (count === limit) break;
    if (text.length < CHUNK_CHARS) continue;
    yield Buffer.from(text);
    text = '';
    // Code that never waits would keep the node from everything else.
    await nextTurn();
  }
  if (text !== '') yield Buffer.from(text);
}

async function rowsOf(
  topic: Topic,
  values: Channel['values'],
  signal: AbortSignal,
): Promise<AsyncIterable<CodeRow> | Iterable<CodeRow>> {
  if (!topic.read) throw new Error(`the topic ${topic.name} is not written in code`);
  return topic.read(values, { signal });
}

/** Notes the column's type: that of all its values, or text. */
function fieldOf(
  value: unknown,
  name: string,
  type: ColumnType | undefined,
  seen: Map<string, ColumnType | undefined>,
): string | null {
  if (value === null || value === undefined) return null;
  const own = typeof value === 'number' || typeof value === 'boolean' ? typeof value : 'text';
  if (type === undefined) seen.set(name, own as ColumnType);
  else if (type !== own) seen.set(name, 'text');
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** The code may not heed the signal: it is left behind then. */
async function* untilAborted<T>(rows: AsyncIterable<T> | Iterable<T>, signal: AbortSignal): AsyncIterable<T> {
  if (Symbol.iterator in rows) {
    for (const row of rows) {
      signal.throwIfAborted();
      yield row;
    }
    return;
  }
  const iterator = rows[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await orAborted(iterator.next(), signal);
      if (next.done) return;
      yield next.value;
    }
  } finally {
    void iterator.return?.().catch(() => undefined);
  }
}

async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let stop: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
    work.catch(() => undefined);
    aborted.catch(() => undefined);
  }
}

async function* told(
  topic: Topic,
  chunks: AsyncIterable<Buffer>,
  signal: AbortSignal,
  log: Pick<Logger, 'warn'>,
): AsyncIterable<Buffer> {
  try {
    yield* chunks;
  } catch (error) {
    if (signal.aborted || error instanceof PollcastError) throw error;
    log.warn({ topic: topic.name, err: error }, `a topic's code failed: ${describe(error)}`);
    throw new PollcastError('QUERY_FAILED', "The topic's code failed; the node's log has the details.", undefined, {
      cause: error,
    });
  }
}

function unlike(columns: readonly string[], stranger: string, row: number): PollcastError {
  const message = `expected the columns of the first row (${columns.join(', ')}) in every row, got ${stranger} in row ${row}`;
  return new PollcastError('QUERY_FAILED', message);
}
