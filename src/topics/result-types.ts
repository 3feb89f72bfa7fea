import type { ClientBase } from 'pg';
import { describeStatement, type ResultField } from './describe-statement.js';
import type { PreparedSql } from './sql.js';

/** One column of a topic's rows, for TypeScript: its type as a person would write it. */
export interface TypedColumn {
  readonly name: string;
  readonly type: string;
  /** Whether it may be null; in doubt it may. */
  readonly nullable: boolean;
}

/** A type as Postgres's catalogue has it, as far as it matters for the JSON of its values. */
interface PgType {
  readonly oid: number;
  readonly base: number;
  readonly element: number;
  readonly labels: readonly string[] | null;
  readonly fields: readonly { name: string; type: number }[] | null;
  /** An extension's type with a JSON of its own. */
  readonly own: boolean;
}

const JSON_VALUE = 'JsonValue';

/** Built-in types whose JSON is no string: the rule is Postgres's `to_json`. */
const BUILT_IN = new Map<number, string>([
  ...[20, 21, 23, 700, 701, 1700].map((oid) => [oid, 'number'] as const),
  [16, 'boolean'],
  // json, jsonb, and a record of which nothing is known.
  ...[114, 3802, 2249].map((oid) => [oid, JSON_VALUE] as const),
]);

const TYPES = `
  SELECT t.oid,
         CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE 0 END AS base,
         -- Only an array proper has no array type of its own; int2vector and the like are written as texts.
         CASE WHEN t.typcategory = 'A' AND t.typlen = -1 AND t.typarray = 0 THEN t.typelem ELSE 0 END AS element,
         (SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder) FROM pg_enum AS e WHERE e.enumtypid = t.oid) AS labels,
         CASE WHEN t.typtype = 'c' THEN (
           SELECT json_agg(json_build_object('name', a.attname, 'type', a.atttypid::bigint) ORDER BY a.attnum)
           FROM pg_attribute AS a
           WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
         ) END AS fields,
         t.oid >= 16384 AND EXISTS (
           SELECT FROM pg_cast AS c WHERE c.castsource = t.oid AND c.casttarget = 'json'::regtype AND c.castmethod = 'f'
         ) AS own
  FROM pg_type AS t
  WHERE t.oid = ANY ($1::oid[])`;

/**
 * Columns that hold no null in their table. A child may drop what its parent says (unless it is a partition), and Postgres 18
 * has NOT NULL that was never checked of old rows.
 */
const NOT_NULL = `
  SELECT a.attrelid AS table, a.attnum AS column
  FROM unnest($1::oid[], $2::int2[]) AS wanted(relation, number)
  JOIN pg_attribute AS a ON a.attrelid = wanted.relation AND a.attnum = wanted.number
  JOIN pg_class AS r ON r.oid = a.attrelid
  WHERE a.attnotnull
    AND (r.relkind = 'p' OR (r.relkind = 'r' AND NOT r.relhassubclass))
    AND NOT EXISTS (
      SELECT FROM pg_constraint AS k
      WHERE k.conrelid = a.attrelid AND k.contype = 'n' AND k.conkey = ARRAY[a.attnum] AND NOT k.convalidated
    )`;

/**
 * What the database says of a SELECT's columns: it parses and describes the statement (no query is run but of the catalogue).
 *
 * @throws the server's `DatabaseError`
 */
export async function resultTypes(client: ClientBase, select: PreparedSql): Promise<TypedColumn[]> {
  const fields = await describeStatement(client, select.statement.text);
  const types = await typesOf(
    client,
    fields.map(({ dataTypeID }) => dataTypeID),
  );
  const filled = select.padded ? new Set<string>() : await notNull(client, fields);
  const listed = select.columns.length === fields.length ? select.columns : [];
  return fields.map((field, index) => ({
    name: field.name,
    type: typeScript(field.dataTypeID, types),
    nullable: !(listed[index]?.filled === true || filled.has(place(field.tableID, field.columnID))),
  }));
}

async function typesOf(client: ClientBase, oids: readonly number[]): Promise<Map<number, PgType>> {
  const types = new Map<number, PgType>();
  for (let wanted = [...new Set(oids)]; wanted.length > 0;) {
    const { rows } = await client.query<PgType>(TYPES, [wanted]);
    for (const type of rows) types.set(type.oid, type);
    const below = rows.flatMap(({ base, element, fields }) => [
      base,
      element,
      ...(fields ?? []).map(({ type }) => type),
    ]);
    wanted = [...new Set(below)].filter((oid) => oid !== 0 && !types.has(oid));
  }
  return types;
}

async function notNull(client: ClientBase, fields: readonly ResultField[]): Promise<Set<string>> {
  const stored = fields.filter(({ tableID, columnID }) => tableID !== 0 && columnID > 0);
  if (stored.length === 0) return new Set();
  const { rows } = await client.query<{ table: number; column: number }>(NOT_NULL, [
    stored.map(({ tableID }) => tableID),
    stored.map(({ columnID }) => columnID),
  ]);
  return new Set(rows.map(({ table, column }) => place(table, column)));
}

function place(table: number, column: number): string {
  return `${table}.${column}`;
}

/** @param within composite types around it: one that holds itself, by way of an array, ends there */
function typeScript(oid: number, types: ReadonlyMap<number, PgType>, within: readonly number[] = []): string {
  const builtIn = BUILT_IN.get(oid);
  if (builtIn !== undefined) return builtIn;
  const type = types.get(oid);
  if (type === undefined) return 'string';
  if (type.own || within.includes(oid)) return JSON_VALUE;
  if (type.base !== 0) return typeScript(type.base, types, within);
  if (type.element !== 0) return `readonly ${listed(orNull(typeScript(type.element, types, within)))}[]`;
  if (type.labels !== null) return type.labels.map(quoted).join(' | ');
  if (type.fields === null) return 'string';
  const inside = [...within, oid];
  const fields = type.fields.map(({ name, type: of }) => `${property(name)}: ${orNull(typeScript(of, types, inside))}`);
  return fields.length === 0 ? JSON_VALUE : `{ ${fields.join('; ')} }`;
}

export function orNull(type: string): string {
  return type === JSON_VALUE ? type : `${type} | null`;
}

/** A type that may stand before `[]`. */
export function listed(type: string): string {
  return /^\w+$/.test(type) ? type : `(${type})`;
}

export function quoted(text: string): string {
  return `'${JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;
}

export function property(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : quoted(name);
}
