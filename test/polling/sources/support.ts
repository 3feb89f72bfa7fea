import {
  createPostgresSource,
  type PostgresSource,
  type PostgresSourceOptions,
} from '../../../src/polling/sources/postgres.js';
import type { Answer, Ask, AskOptions } from '../../../src/polling/source.js';
import { parseTopic } from '../../../src/topics/topic-file.js';
import type { ParamValue, Topic } from '../../../src/topics/topic.js';

/** A topic as it would come out of a file: `header` is its YAML, `sql` its SELECT. */
export function topicOf(sql: string, header = ''): Topic {
  const { topic, faults } = parseTopic('test/topic.sql', `/*\ntitle: test\n${header}\n*/\n${sql}`);
  if (!topic) throw new Error(faults.map(({ message }) => message).join('; '));
  return topic;
}

export type Values = Record<string, ParamValue>;

export function asksOf(sets: readonly Values[]): Ask[] {
  return sets.map((values, i) => ({ channel: `test.topic?i=${i}`, values }));
}

export interface LogLine {
  fields: Record<string, unknown>;
  message: string;
}

export function sourceOf(
  url: string,
  options: Partial<PostgresSourceOptions> = {},
): { source: PostgresSource; log: LogLine[] } {
  const log: LogLine[] = [];
  const write = (fields: object, message: string): number => log.push({ fields: fields as LogLine['fields'], message });
  return {
    log,
    source: createPostgresSource({
      connectionString: url,
      node: 'test',
      log: { info: write, warn: write },
      ...options,
    }),
  };
}

/** Options of an ask that nothing stops. */
export function whenever(): AskOptions {
  return { signal: new AbortController().signal, mayQuery: () => true };
}

export function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

/** Header of a topic with one parameter. */
export const N = 'params:\n  n: { type: int }';
export const numbers = (count: number): { n: number }[] => range(count).map((n) => ({ n }));

export function rowsOf(answer: Answer | undefined): unknown {
  return answer?.kind === 'rows' ? JSON.parse(answer.rows) : answer;
}

/** How many answers of each kind; of failed ones by code. */
export function kinds(answers: readonly Answer[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const answer of answers) {
    const kind = answer.kind === 'failed' ? answer.code : answer.kind;
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}
