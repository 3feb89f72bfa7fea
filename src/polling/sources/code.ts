import { createHash } from 'node:crypto';
import { PollcastError } from '../../errors.js';
import type { Logger } from '../../kernel/log.js';
import type { CodeRow, ReadRows, Topic } from '../../topics/topic.js';
import type { Answer, Ask, AskOptions, Source } from '../source.js';
import { inLanes } from './lanes.js';
import { MAX_BYTES, tooMuch, tooSlow } from './limits.js';

/** Calls of one topic that run at once. */
const LANES = 8;

const ENDED: Answer = { kind: 'outage', message: 'It is not asked any more.' };

/** The source of topics that are written in code: calls their function, one call for each channel. */
export class CodeSource implements Source {
  constructor(private readonly log: Pick<Logger, 'warn'>) {}

  async ask(topic: Topic, asks: readonly Ask[], { signal, mayQuery, onAnswer }: AskOptions): Promise<Answer[]> {
    const { read } = topic;
    if (read === undefined) throw new Error(`the topic ${topic.name} is not written in code`);
    const answers = new Array<Answer>(asks.length);
    await inLanes(asks, LANES, async (ask, index) => {
      const answer = signal.aborted || !mayQuery() ? ENDED : await this.#call(topic, read, ask, signal);
      answers[index] = answer;
      onAnswer?.(index, answer);
    });
    return answers;
  }

  /** Code has no outage of its own: what it needs that does not answer is a failure of its channels. */
  ping(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #call(topic: Topic, read: ReadRows, { channel, values, hash }: Ask, signal: AbortSignal): Promise<Answer> {
    const over = new AbortController();
    const ended = new Promise<Answer>((resolve) => {
      over.signal.addEventListener('abort', () => resolve(signal.aborted ? ENDED : tooSlow(topic)), { once: true });
    });
    const end = (): void => over.abort();
    const timer = setTimeout(end, topic.timeoutMs);
    signal.addEventListener('abort', end, { once: true });
    try {
      // The code may not heed the signal: it is left behind then, and its answer is nobody's.
      return await Promise.race([collect(topic, read, values, over.signal, hash), ended]);
    } catch (error) {
      return this.#failed(topic, channel, error);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
    }
  }

  #failed(topic: Topic, channel: string, error: unknown): Answer {
    if (error instanceof PollcastError) return { kind: 'failed', code: error.code, message: error.message };
    this.log.warn({ topic: topic.name, channel, err: error }, "a topic's code failed");
    return {
      kind: 'failed',
      code: 'QUERY_FAILED',
      message: "The topic's code failed; the node's log has the details.",
    };
  }
}

async function collect(
  topic: Topic,
  read: ReadRows,
  values: Ask['values'],
  signal: AbortSignal,
  seen: string | undefined,
): Promise<Answer> {
  const texts: string[] = [];
  let bytes = 0;
  for await (const row of (await read(values, { signal })) as AsyncIterable<CodeRow>) {
    if (signal.aborted) break; // somebody else has answered
    if (texts.length === topic.maxRows) return tooMuch(topic, topic.maxRows + 1);
    const text = rowText(topic, row);
    bytes += Buffer.byteLength(text) + 1;
    texts.push(text);
    if (bytes > MAX_BYTES) return tooMuch(topic, texts.length);
  }
  const rows = `[${texts.join(',')}]`;
  const hash = createHash('sha256').update(rows).digest('base64url').slice(0, 22);
  return hash === seen ? { kind: 'unchanged' } : { kind: 'rows', rows, count: texts.length, hash };
}

/** A row as JSON. Throws a TypeError for what is no object. */
export function rowText(topic: Topic, row: unknown): string {
  if (typeof row !== 'object' || row === null || Array.isArray(row)) {
    const got = row === null ? 'null' : Array.isArray(row) ? 'an array' : typeof row;
    throw new TypeError(`${topic.file}: expected rows that are objects, got ${got}`);
  }
  return JSON.stringify(row, exact);
}

/** Whole numbers as JSON numbers while those are exact, else as text, as `topics check` asks of SQL. */
function exact(_key: string, value: unknown): unknown {
  if (typeof value !== 'bigint') return value;
  return BigInt.asIntN(54, value) === value ? Number(value) : value.toString();
}
