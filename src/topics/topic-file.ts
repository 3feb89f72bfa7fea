import { createHash } from 'node:crypto';
import { readHeader, type ReadHeader } from './header.js';
import { didYouMean } from './nearest.js';
import type { Dialect } from './policy.js';
import { positionAt } from './position.js';
import { prepareSql, type PreparedSql } from './sql.js';
import type { Topic, TopicFault } from './topic.js';

/** Larger files are refused: nobody writes them by hand, and parsing blocks the event loop. */
export const MAX_FILE_LENGTH = 200_000;

/** A topic file that was read. `topic` is absent when any fault is an error. */
export interface ParsedTopic {
  readonly topic?: Topic;
  readonly faults: readonly TopicFault[];
  /** For faults that only the database finds. */
  readonly origin?: TopicOrigin;
}

/** The way from the statements back to the file. */
export interface TopicOrigin {
  /** Describes a fault at an offset of the file. */
  readonly faultAt: (offset: number, message: string, severity?: TopicFault['severity']) => TopicFault;
  readonly select: PreparedSql;
  readonly changed?: PreparedSql;
  /** Offset in the SELECT as it stands in the file → offset in the file. */
  readonly selectOffset: (offset: number) => number;
  readonly changedOffset: (offset: number) => number;
  readonly offsets: ReadHeader['offsets'];
}

/** `sales/by_region.sql` → `sales.by_region`; undefined when a segment has other characters than a–z, 0–9 and `_`. */
export function topicName(file: string): string | undefined {
  const path = file.replace(/\.sql$/, '');
  const name = path.replaceAll('/', '.');
  return !path.includes('.') && isTopicName(name) ? name : undefined;
}

export function isTopicName(name: string): boolean {
  return name.length <= 120 && name.split('.').every((segment) => /^[a-z0-9_]+$/.test(segment));
}

/** Reads one topic file and collects all its faults. `file` is its path relative to TOPICS_DIR, with `/`. */
export function parseTopic(file: string, text: string, dialect: Dialect = 'postgres'): ParsedTopic {
  const faults: TopicFault[] = [];
  const faultAt: TopicOrigin['faultAt'] = (offset, message, severity = 'error') => ({
    file,
    ...positionAt(text, offset),
    severity,
    message,
  });

  const name = topicName(file);
  if (name === undefined) faults.push(faultAt(0, badName(file)));
  if (text.length > MAX_FILE_LENGTH) {
    return { faults: [...faults, faultAt(0, `expected at most ${MAX_FILE_LENGTH} characters, got ${text.length}`)] };
  }
  const { header, faults: headerFaults, bodyStart, readable, offsets, changedOffset } = readHeader(text);
  for (const fault of headerFaults) faults.push(faultAt(fault.offset, fault.message, fault.severity));

  const body = text.slice(bodyStart);
  const sqlStart = bodyStart + (body.length - body.trimStart().length);
  const sql = body.trim();
  const selectOffset = (offset: number) => sqlStart + offset;
  const params = readable ? header.params : undefined;
  // Where the header's comment has no end, nothing is left that could be SQL.
  const select = !readable && sql === '' ? undefined : prepareSql(sql, params, dialect);
  const changed = header.changed === undefined ? undefined : prepareSql(header.changed, params, dialect);
  for (const problem of select?.problems ?? []) faults.push(faultAt(selectOffset(problem.offset), problem.message));
  for (const problem of changed?.problems ?? [])
    faults.push(faultAt(changedOffset(problem.offset), `changed: ${problem.message}`));
  if (select) {
    const undeclaredToo = [...select.problems, ...(changed?.problems ?? [])].length > 0;
    for (const param of header.params) {
      if (select.used.has(param.name) || changed?.used.has(param.name) || undeclaredToo) continue;
      const at = offsets.get(`params.${param.name}`) ?? 0;
      faults.push(
        faultAt(at, `parameter \`${param.name}\` is declared but never used${nearestUse(param.name, sql)}`, 'warning'),
      );
    }
  }
  faults.sort((a, b) => a.line - b.line || (a.column ?? 0) - (b.column ?? 0));
  const broken = faults.some(({ severity }) => severity === 'error');
  if (broken || name === undefined || !select?.prepared || (changed && !changed.prepared)) return { faults };

  const topic: Topic = {
    name,
    title: header.title ?? name,
    file,
    version: createHash('sha256').update(text).digest('hex').slice(0, 16),
    intervalMs: header.intervalMs,
    params: header.params,
    key: header.key,
    roles: header.roles,
    changed: changed?.prepared?.statement,
    timeoutMs: header.timeoutMs,
    maxRows: header.maxRows,
    partitions: header.partitions,
    retainMs: header.retainMs,
    presence: header.presence,
    select: select.prepared.statement,
    sql,
  };
  const origin = { faultAt, select: select.prepared, changed: changed?.prepared, selectOffset, changedOffset, offsets };
  return { topic, faults, origin };
}

function badName(file: string): string {
  const proposed = file
    .toLowerCase()
    .replace(/\.sql$/, '')
    .replace(/[^a-z0-9_/]+/g, '_');
  return `expected a path of folders and a name made of a–z, 0–9 and _, at most 120 characters, got ${file}: rename it, for example to ${proposed}.sql`;
}

/** A parameter that nothing uses is often a column of the same name that lacks its colon. */
function nearestUse(name: string, sql: string): string {
  const written = [...sql.matchAll(/(?<![:\w]):(\w+)/g)].map(([, found]) => found!);
  return didYouMean(name, written).replace('did you mean', 'is it meant by') || '';
}
