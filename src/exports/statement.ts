import pg from 'pg';
import { bindOne } from '../polling/sources/values.js';
import type { ResultField } from '../topics/describe-statement.js';
import { replaceNumbered } from '../topics/placeholders.js';
import type { Channel } from '../topics/topic.js';
import type { KeyTexts } from './record.js';

/**
 * Types whose own order tells all their values apart and needs no collation. The others are ordered by the bytes of their
 * text: a collation may take two different keys for equal, and one of them would be lost between two pieces.
 */
const ORDERED_BY_THEMSELVES = new Set([
  16, // bool
  18, // "char"
  20, // int8
  21, // int2
  23, // int4
  26, // oid
  700, // float4
  701, // float8
  1082, // date
  1083, // time
  1114, // timestamp
  1184, // timestamptz
  1700, // numeric
  2950, // uuid
]);

/** The topic's SELECT with the channel's values in it. COPY takes no parameters: they stand as literals, each cast to its type. */
export function selectOf({ topic, values }: Channel): string {
  const { text, params } = topic.select;
  const specs = params.map((name) => {
    const spec = topic.params.find((param) => param.name === name);
    if (!spec) throw new Error(`topic ${topic.name} uses :${name} but does not declare it`);
    return spec;
  });
  const texts = bindOne(specs, { values, seen: null });
  return replaceNumbered(text, (n) => literal(texts[n - 1] ?? null));
}

export interface CopyOptions {
  readonly key: readonly ResultField[];
  /** Behind which key to go on. */
  readonly after: KeyTexts | null;
  readonly limit: number;
  readonly header: boolean;
}

/** COPY of a SELECT's rows as CSV: ordered by the key if there is one, those behind a key only if that is wanted. */
export function copyOf(select: string, { key, after, limit, header }: CopyOptions): string {
  const columns = key.map(orderOf);
  const where = after === null ? '' : ` WHERE ${behind(columns, after)}`;
  const order =
    columns.length === 0 ? '' : ` ORDER BY ${columns.map((column) => `${column} ASC NULLS LAST`).join(', ')}`;
  const rows = `SELECT * FROM (\n${select}\n) AS q${where}${order} LIMIT ${limit}`;
  return `COPY (${rows}) TO STDOUT (FORMAT csv, HEADER ${header}, ENCODING 'UTF8')`;
}

function orderOf({ name, dataTypeID }: ResultField): string {
  const column = `q.${pg.escapeIdentifier(name)}`;
  return ORDERED_BY_THEMSELVES.has(dataTypeID) ? column : `(${column}::text COLLATE "C")`;
}

/**
 * Rows behind a key, where NULL comes last in each column:
 *
 *     (a > 'x' OR a IS NULL) OR (a = 'x' AND (b > 'y' OR b IS NULL))
 *
 * The plain comparison before it says less, but is one that an index can begin with.
 */
function behind(columns: readonly string[], after: KeyTexts): string {
  const ways = columns.flatMap((column, i) => {
    const text = after[i] ?? null;
    // Nothing comes behind NULL.
    if (text === null) return [];
    const same = columns.slice(0, i).map((earlier, j) => equals(earlier, after[j] ?? null));
    return [[...same, `(${column} > ${literal(text)} OR ${column} IS NULL)`].join(' AND ')];
  });
  if (ways.length === 0) return 'false';
  const first = after[0] ?? null;
  const start =
    first === null ? `${columns[0]} IS NULL` : `(${columns[0]} >= ${literal(first)} OR ${columns[0]} IS NULL)`;
  return `${start} AND (${ways.map((way) => `(${way})`).join(' OR ')})`;
}

function equals(column: string, text: string | null): string {
  return text === null ? `${column} IS NULL` : `${column} = ${literal(text)}`;
}

function literal(text: string | null): string {
  return text === null ? 'NULL' : pg.escapeLiteral(text);
}
