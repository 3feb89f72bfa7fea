import { createHash } from 'node:crypto';

import { replaceNumbered } from '../../topics/placeholders.js';
import { pgType } from '../../topics/sql.js';
import type { ParamSpec, ParamType, Statement, Topic } from '../../topics/topic.js';

/**
 * One statement in the two forms in which it is sent. Both answer with the same columns
 *
 *     n      position in the batch, from 0
 *     seen   what the next ask gives back: the result's 64-bit hash, or the mark of `changed:`; null when over a limit
 *     count  number of rows, at most `maxRows + 1`
 *     rows   the rows' JSON texts joined by commas; null when over a limit
 *
 * and with no line at all for a channel whose `seen` still holds: a quiet channel costs no byte.
 */
export interface Forms {
  /** One statement for many channels: `values` from `bindMany`. */
  readonly many: Form;
  /** The same for one channel: `values` from `bindOne`. Postgres plans it with the values known. */
  readonly one: Form;
  /** The parameters that the statement uses, in the order in which they are bound. */
  readonly params: readonly ParamSpec[];
  /** Why the form for many must not be used, if so. */
  readonly alone: string | undefined;
}

export interface Form {
  readonly text: string;
  /** Name of the prepared statement: a digest of the text, so that equal names are equal statements. */
  readonly name: string;
}

export interface Limits {
  readonly maxRows: number;
  /** Most bytes of one channel's rows. */
  readonly maxBytes: number;
}

/** Marks up to this long travel as they are, which lets a person read them; longer ones as their hash. */
const READABLE_MARK = 100;

/** Forms of the topic's SELECT. */
export function selectForms(topic: Topic, limits: Limits): Forms {
  const { maxRows, maxBytes } = limits;
  // OFFSET 0 keeps the planner from merging the levels, which would compute the text once per use of it.
  return formsOf(topic, topic.select, 'int8', (body) => [
    `SELECT c.count, c.rows, CASE WHEN c.count <= ${maxRows} AND octet_length(c.rows) <= ${maxBytes}`,
    'THEN hashtextextended(c.rows COLLATE "C", 0) END AS seen FROM (',
    `SELECT count(*) AS count, coalesce(string_agg(row_to_json(t.*)::text, ','), '') AS rows`,
    `FROM (SELECT * FROM (\n${body}\n) q LIMIT ${maxRows + 1}) t OFFSET 0) c OFFSET 0`,
  ]);
}

/** Forms of the topic's `changed:` query, if it has one. */
export function changedForms(topic: Topic): Forms | undefined {
  if (topic.changed === undefined) return undefined;
  return formsOf(topic, topic.changed, 'text', (body) => [
    `SELECT 0 AS count, NULL::text AS rows, CASE WHEN length(c.mark) <= ${READABLE_MARK} THEN c.mark`,
    `ELSE hashtextextended(c.mark COLLATE "C", 0)::text END AS seen FROM (`,
    `SELECT coalesce(string_agg(row_to_json(t.*)::text, ','), '') AS mark`,
    `FROM (\n${body}\n) t OFFSET 0) c OFFSET 0`,
  ]);
}

function formsOf(
  topic: Topic,
  statement: Statement,
  seenType: 'int8' | 'text',
  wrap: (body: string) => string[],
): Forms {
  const params = statement.params.map((name) => specOf(topic, name));
  const input = freeName(statement.text);
  const bodyOf = (reference: (number: number) => string): string =>
    replaceNumbered(statement.text, (number) => {
      const param = params[number - 1];
      if (param === undefined) throw new Error(`topic ${topic.name}: $${number} has no parameter`);
      return `(${reference(number)}::${pgType(param.type)})`;
    });

  // CASE instead of the bare column: a column reference would lend its name to the output column that is made of it,
  // a parameter does not. The planner folds it away.
  const many = [
    `SELECT (${input}.n - 1)::int4 AS n, r.seen, r.count, CASE WHEN r.seen IS NOT NULL THEN r.rows END AS rows`,
    `FROM (${inputRows(params, seenType)}) AS ${input}`,
    'CROSS JOIN LATERAL (',
    ...wrap(bodyOf((number) => `CASE WHEN true THEN ${input}.p${number} END`)),
    `) r WHERE (r.seen = ${input}.seen) IS NOT TRUE`,
  ].join('\n');

  const one = [
    'SELECT 0 AS n, r.seen, r.count, CASE WHEN r.seen IS NOT NULL THEN r.rows END AS rows FROM (',
    ...wrap(bodyOf((number) => `$${number}`)),
    `) r WHERE (r.seen = $${params.length + 1}::${seenType}) IS NOT TRUE`,
  ].join('\n');

  return { many: named(many), one: named(one), params, alone: statement.alone };
}

/** The batch as rows of (p1, p2, …, seen, n). Array parameters come as text, see `bindMany`: cast once per channel. */
function inputRows(params: readonly ParamSpec[], seenType: string): string {
  const arrays = params.map((param, i) => `$${i + 1}::${isArray(param.type) ? 'text' : pgType(param.type)}[]`);
  const names = params.map((_, i) => `p${i + 1}`);
  const source =
    `unnest(${[...arrays, `$${params.length + 1}::${seenType}[]`].join(', ')}) ` +
    `WITH ORDINALITY AS u(${[...names, 'seen', 'n'].join(', ')})`;
  if (!params.some((param) => isArray(param.type))) return `SELECT * FROM ${source}`;
  const columns = params.map(({ type }, i) =>
    isArray(type) ? `u.p${i + 1}::${pgType(type)} AS p${i + 1}` : `u.p${i + 1}`,
  );
  return `SELECT ${[...columns, 'u.seen', 'u.n'].join(', ')} FROM ${source} OFFSET 0`;
}

function specOf(topic: Topic, name: string): ParamSpec {
  const spec = topic.params.find((param) => param.name === name);
  if (spec === undefined) throw new Error(`topic ${topic.name} uses :${name} but does not declare it`);
  return spec;
}

/**
 * A name for the batch that the statement cannot mean: what is looked up in its own FROM items first would otherwise
 * be found there. Its columns need no such care: they are only ever written with this name before them.
 */
function freeName(text: string): string {
  let name = 'pollcast_in';
  while (text.toLowerCase().includes(name)) name += '_';
  return name;
}

function isArray(type: ParamType): boolean {
  return type.endsWith('[]');
}

function named(text: string): Form {
  return { text, name: `pollcast_${createHash('sha256').update(text).digest('hex').slice(0, 24)}` };
}
