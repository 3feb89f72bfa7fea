import type { Topic } from '../../topics/topic.js';
import type { Answer } from '../source.js';

/** Most bytes of one channel's rows: they travel to every viewer, and lie in memory meanwhile. */
export const MAX_BYTES = 8 * 1024 * 1024;

/** What a channel is told whose result is over a limit. `count` beyond `maxRows` need not be exact. */
export function tooMuch(topic: Topic, count: number, maxBytes = MAX_BYTES): Answer {
  const message =
    count > topic.maxRows
      ? `The result has more than ${topic.maxRows} rows (max_rows); narrow the parameters or add a LIMIT.`
      : `The result's ${count} rows are larger than ${maxBytes} bytes; narrow the parameters or select fewer columns.`;
  return { kind: 'failed', code: 'TOO_MANY_ROWS', message };
}

/** What a channel is told whose query ran into the topic's time-out. */
export function tooSlow({ timeoutMs }: Topic): Answer {
  const message = `The topic's query took longer than its timeout of ${timeoutMs} ms; narrow the parameters or raise the timeout.`;
  return { kind: 'failed', code: 'QUERY_TIMEOUT', message };
}
