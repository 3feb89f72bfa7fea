import { createHash } from 'node:crypto';
import { stringify } from 'yaml';
import { PollcastError } from '../errors.js';
import { readOptions } from './header.js';
import { isTopicName } from './topic-file.js';
import type { ParamType, ParamValue, ReadRows, Topic } from './topic.js';

/** One parameter, as in a topic file. */
export interface CodeParam {
  readonly type: ParamType;
  /** Absent: it must be given. */
  readonly default?: ParamValue;
  readonly enum?: readonly ParamValue[];
  readonly min?: number;
  readonly max?: number;
  /** Name of the token's claim that fills it; a client can neither see nor set it. */
  readonly claim?: string;
}

/** What the header of a topic file says, for a topic in code. Durations are written `1s`. */
export interface CodeTopicOptions {
  readonly title?: string;
  /** The fastest refresh (default `1s`). */
  readonly interval?: string;
  readonly params?: Readonly<Record<string, CodeParam>>;
  /** Columns that identify a row: enables deltas. */
  readonly key?: readonly string[];
  /** Who may watch; absent: anyone who is let in. */
  readonly roles?: readonly string[];
  /** How long one call may take (default `5s`). */
  readonly timeout?: string;
  readonly maxRows?: number;
  readonly partitions?: number;
  /** How long frames are kept for resume and history. */
  readonly retain?: string;
  readonly presence?: boolean;
}

/** Code has no `changed:` query: what it needs for that it can keep by itself. */
const ONLY_IN_FILES = ['changed', 'max_rows'];

/**
 * A topic whose rows come from a function instead of a statement: same parameters, same checks, same poller.
 *
 * @param where it is written, for people: `Weather.now`
 * @throws PollcastError `BAD_REQUEST` with all that is wrong
 */
export function codeTopic(name: string, options: CodeTopicOptions, read: ReadRows, where = name): Topic {
  const { maxRows, ...rest } = options;
  const yaml = stringify(
    { ...rest, ...(maxRows === undefined ? {} : { max_rows: maxRows }) },
    { aliasDuplicateObjects: false },
  );
  const { header, faults } = readOptions(yaml);
  const wrong = faults.filter(({ severity }) => severity === 'error').map(({ message }) => message);
  if (!isTopicName(name)) {
    wrong.unshift(`expected a name such as ops.weather, of a–z, 0–9 and _, at most 120 characters, got ${name}`);
  }
  for (const field of ONLY_IN_FILES) {
    if (Object.hasOwn(options, field)) {
      wrong.push(`${field}: ${field === 'max_rows' ? 'expected maxRows in code' : 'is for .sql files only'}`);
    }
  }
  if (wrong.length > 0) {
    throw new PollcastError('BAD_REQUEST', `The topic ${name} (${where}) is not right:\n  ${wrong.join('\n  ')}`);
  }
  return {
    name,
    title: header.title ?? name,
    file: where,
    version: createHash('sha256').update(`${name}\n${yaml}`).digest('hex').slice(0, 16),
    intervalMs: header.intervalMs,
    params: header.params,
    key: header.key,
    roles: header.roles,
    timeoutMs: header.timeoutMs,
    maxRows: header.maxRows,
    partitions: header.partitions,
    retainMs: header.retainMs,
    presence: header.presence,
    select: { text: '', params: [] },
    sql: '',
    read,
  };
}
