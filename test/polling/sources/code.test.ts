import { describe, expect, test } from '@jest/globals';
import { PollcastError } from '../../../src/errors.js';
import type { Answer, AskOptions } from '../../../src/polling/source.js';
import { CodeSource } from '../../../src/polling/sources/code.js';
import { RoutedSource } from '../../../src/polling/sources/routed.js';
import { codeTopic, type CodeTopicOptions } from '../../../src/topics/code-topic.js';
import type { ReadRows } from '../../../src/topics/topic.js';
import { ScriptedSource } from '../scripted-source.js';
import { topicWith } from '../../topics/topic-with.js';

const logged: object[] = [];
const source = new CodeSource({ warn: (...args: unknown[]) => void logged.push(args[0] as object) });

function ask(
  read: ReadRows,
  { hash, ...options }: CodeTopicOptions & { hash?: string } = {},
  given: Partial<AskOptions> = {},
): Promise<Answer[]> {
  const topic = codeTopic('t', options, read, 'Some.code');
  const asks = [{ channel: 't', values: { n: 1 }, hash }];
  return source.ask(topic, asks, { signal: new AbortController().signal, mayQuery: () => true, ...given });
}

describe('code as a source', () => {
  test('is given the values and answers with its rows as JSON', async () => {
    const [answer] = await ask(({ n }) => [
      { n, at: new Date(0), big: 7n, huge: 9007199254740993n, text: 'ü', none: null, left: undefined },
    ]);
    expect(answer).toMatchObject({ kind: 'rows', count: 1 });
    expect(JSON.parse((answer as { rows: string }).rows)).toEqual([
      { n: 1, at: '1970-01-01T00:00:00.000Z', big: 7, huge: '9007199254740993', text: 'ü', none: null },
    ]);
  });

  test('takes promises, iterators and streams of rows', async () => {
    const rows = '[{"n":1},{"n":2}]';
    async function* stream() {
      yield { n: 1 };
      yield await Promise.resolve({ n: 2 });
    }
    const sources: ReadRows[] = [
      () => Promise.resolve([{ n: 1 }, { n: 2 }]),
      () => new Set([{ n: 1 }, { n: 2 }]),
      stream,
    ];
    for (const read of sources) expect(await ask(read)).toMatchObject([{ kind: 'rows', rows, count: 2 }]);
  });

  test('answers unchanged while the rows are the same', async () => {
    const [first] = await ask(() => [{ n: 1 }]);
    const { hash } = first as { hash: string };
    expect(await ask(() => [{ n: 1 }], { hash })).toEqual([{ kind: 'unchanged' }]);
    expect(await ask(() => [{ n: 2 }], { hash })).toMatchObject([{ kind: 'rows' }]);
  });

  test('is held to max_rows, also where the rows have no end', async () => {
    let ended = false;
    function* endless() {
      try {
        for (;;) yield { n: 1 };
      } finally {
        ended = true;
      }
    }
    expect(await ask(endless, { maxRows: 3 })).toMatchObject([{ kind: 'failed', code: 'TOO_MANY_ROWS' }]);
    expect(ended).toBe(true);
    expect(await ask(() => [{ n: 1 }, { n: 2 }, { n: 3 }], { maxRows: 3 })).toMatchObject([{ count: 3 }]);
    expect(await ask(() => [{ text: 'x'.repeat(9_000_000) }])).toMatchObject([{ code: 'TOO_MANY_ROWS' }]);
  });

  test('is told by the signal when its time is over, and not waited for', async () => {
    let told = false;
    const never: ReadRows = (_values, { signal }) => {
      signal.addEventListener('abort', () => (told = true));
      return new Promise(() => undefined);
    };
    expect(await ask(never, { timeout: '20ms' })).toMatchObject([{ kind: 'failed', code: 'QUERY_TIMEOUT' }]);
    expect(told).toBe(true);
  });

  test('is not called without the right to ask, and left when the poller stops', async () => {
    let calls = 0;
    const read: ReadRows = () => {
      calls += 1;
      return new Promise(() => undefined);
    };
    expect(await ask(read, {}, { mayQuery: () => false })).toMatchObject([{ kind: 'outage' }]);
    expect(calls).toBe(0);
    const stop = new AbortController();
    const asked = ask(read, {}, { signal: stop.signal });
    stop.abort();
    expect(await asked).toMatchObject([{ kind: 'outage' }]);
    expect(calls).toBe(1);
  });

  test('tells coded errors as they are, and keeps all others to the log', async () => {
    const coded = new PollcastError('UNAVAILABLE', 'the weather station does not answer');
    expect(await ask(() => Promise.reject(coded))).toEqual([
      { kind: 'failed', code: 'UNAVAILABLE', message: 'the weather station does not answer' },
    ]);
    for (const read of [
      () => Promise.reject(new Error('secret host')),
      () => [5] as unknown as object[],
      () => 5 as unknown as object[],
    ] as ReadRows[]) {
      const [answer] = await ask(read);
      expect(answer).toMatchObject({ kind: 'failed', code: 'QUERY_FAILED' });
      expect(JSON.stringify(answer)).not.toContain('secret');
    }
    expect(logged.map((line) => (line as { topic: string; err: Error }).err.message)).toEqual([
      'secret host',
      expect.stringContaining('Some.code: expected rows that are objects, got number'),
      expect.stringContaining('not'),
    ]);
  });
});

test('topics in files are asked of the database, those in code of their code', async () => {
  const database = new ScriptedSource();
  const routed = new RoutedSource(database, source);
  const options = { signal: new AbortController().signal, mayQuery: () => true };
  const coded = codeTopic('c', {}, () => [{ n: 5 }]);
  expect(await routed.ask(coded, [{ channel: 'c', values: {} }], options)).toMatchObject([{ rows: '[{"n":5}]' }]);
  expect(database.asked).toEqual([]);
  await routed.ask(topicWith([], 'f'), [{ channel: 'f', values: {} }], options);
  expect(database.asked).toEqual([['f']]);
  database.down = true;
  await expect(routed.ping(10)).rejects.toThrow('away');
  await expect(routed.ping(10, topicWith([]))).rejects.toThrow('away');
  await expect(routed.ping(10, coded)).resolves.toBeUndefined();
});
