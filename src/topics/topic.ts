/** The shapes of a topic, shared by the catalogue, the sources and the gateways. See the contract, "A topic file". */

export const SCALAR_TYPES = ['text', 'int', 'bigint', 'float', 'bool', 'date', 'timestamptz', 'uuid'] as const;
export type ScalarType = (typeof SCALAR_TYPES)[number];
export type ParamType = ScalarType | `${ScalarType}[]`;

/** A checked parameter value: what canonical form and statement binding work with. `bigint` values are decimal strings. */
export type ParamValue = string | number | boolean | null | readonly (string | number | boolean | null)[];

export interface ParamSpec {
  readonly name: string;
  readonly type: ParamType;
  /** Absent: the parameter must be given. */
  readonly default?: ParamValue;
  readonly enum?: readonly ParamValue[];
  readonly min?: number;
  readonly max?: number;
  /** Name of the token claim that fills it; a client can neither see nor set it. */
  readonly claim?: string;
}

/** A statement whose `:name` tokens were rewritten to `$n`; `params[n - 1]` names what `$n` binds. */
export interface Statement {
  readonly text: string;
  readonly params: readonly string[];
  /** Why each channel has to be asked with a statement of its own; absent when they may share one. */
  readonly alone?: string;
}

/** One row of a topic that is written in code: a plain object of JSON values; a Date becomes ISO 8601. */
export type CodeRow = object;

export interface ReadCall {
  /** Fires when the topic's time-out is over or the answer is not wanted any more. */
  readonly signal: AbortSignal;
}

/** What gives the rows of a topic that is written in code. */
export type ReadRows = (
  values: Readonly<Record<string, ParamValue>>,
  call: ReadCall,
) => Iterable<CodeRow> | AsyncIterable<CodeRow> | Promise<Iterable<CodeRow> | AsyncIterable<CodeRow>>;

export interface Topic {
  readonly name: string;
  readonly title: string;
  /** Path of the file, relative to TOPICS_DIR; of a topic in code: where it is written, as `Weather.now`. */
  readonly file: string;
  /** Hash of the file's text: a topic with another one is another version of it. */
  readonly version: string;
  readonly intervalMs: number;
  readonly params: readonly ParamSpec[];
  readonly key: readonly string[];
  /** Empty: anyone who is let in. */
  readonly roles: readonly string[];
  readonly changed?: Statement;
  readonly timeoutMs: number;
  readonly maxRows: number;
  readonly partitions: number;
  /** 0: only the newest frame is kept. */
  readonly retainMs: number;
  readonly presence: boolean;
  readonly select: Statement;
  /** The SELECT as written, without the header: what a person reads. */
  readonly sql: string;
  /** There when the topic is written in code: its rows come from here, and `select` and `sql` are empty. */
  readonly read?: ReadRows;
}

/** One fault of a topic file. Lines and columns count from 1. */
export interface TopicFault {
  readonly file: string;
  readonly line: number;
  readonly column?: number;
  readonly severity: 'error' | 'warning';
  readonly message: string;
}

/** One topic with checked values for all its parameters. */
export interface Channel {
  /** `name?a=1&b=x`: the canonical form of the contract. */
  readonly key: string;
  readonly topic: Topic;
  readonly values: Readonly<Record<string, ParamValue>>;
}
