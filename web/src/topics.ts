/** What the hub serves, as `GET /api/topics` lists it. */
import type { ParamScalar } from '../../client/index.js';

export type ParamChoice = ParamScalar | readonly ParamScalar[];

export interface TopicParam {
  readonly name: string;
  /** `text`, `int`, `date` …, or an array of them: `text[]`. */
  readonly type: string;
  /** Absent: it must be given. */
  readonly default?: ParamChoice;
  readonly enum?: readonly ParamScalar[];
  readonly min?: number;
  readonly max?: number;
}

export interface TopicInfo {
  readonly name: string;
  readonly title: string;
  /** The fastest refresh, as a duration: `1s`. */
  readonly interval: string;
  readonly params: readonly TopicParam[];
  /** Columns that make a row's identity; empty: none. */
  readonly key: readonly string[];
  readonly presence: boolean;
}

/** @throws Error with a sentence for people when the hub does not answer with a list */
export async function fetchTopics(signal: AbortSignal): Promise<readonly TopicInfo[]> {
  const response = await fetch('/api/topics', { signal, headers: { accept: 'application/json' } });
  if (!response.ok) throw new Error(`The hub answered ${response.status} when asked which topics it serves.`);
  // What the console watches is no dashboard's business, whoever may see it.
  return ((await response.json()) as TopicInfo[]).filter(({ name }) => !name.startsWith('pollcast.'));
}
