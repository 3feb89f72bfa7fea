import type { ParamSpec, ParamValue } from '../../topics/topic.js';

/** One channel as a statement sees it: its parameter values, and what it last answered (a hash or a mark). */
export interface Item {
  readonly values: Readonly<Record<string, ParamValue>>;
  readonly seen: string | null;
}

/** A value as the wire carries it: text, or null. */
export type WireValue = string | null;

/** Values of the statement for many channels: one array literal per parameter, then one of what was last seen. */
export function bindMany(params: readonly ParamSpec[], items: readonly Item[]): WireValue[] {
  const columns = params.map((param) => arrayLiteral(items.map((item) => scalarText(item.values[param.name]))));
  return [...columns, arrayLiteral(items.map((item) => item.seen))];
}

/** Values of the statement for one channel: one per parameter, then what was last seen. */
export function bindOne(params: readonly ParamSpec[], item: Item): WireValue[] {
  return [...params.map((param) => scalarText(item.values[param.name])), item.seen];
}

/**
 * A parameter's value as Postgres reads it. An array becomes an array literal: `unnest` would flatten an array of
 * arrays and refuses rows of unequal length, so each channel's array travels as one text and is cast in the database.
 */
function scalarText(value: ParamValue | undefined): WireValue {
  if (value === null || value === undefined) return null;
  if (typeof value === 'object') return arrayLiteral(value.map((element) => scalarText(element)));
  return String(value);
}

const PLAIN = /^[\w.:+-]+$/;
const ESCAPED = /["\\]/g;

function isNull(text: string): boolean {
  return text.length === 4 && text.toUpperCase() === 'NULL';
}

/** `{…}` of texts and nulls. Every text that is not plainly harmless is quoted: `null`, blanks, commas and braces bite. */
export function arrayLiteral(elements: readonly WireValue[]): string {
  let literal = '{';
  for (let i = 0; i < elements.length; i++) {
    const element = elements[i] ?? null;
    if (i > 0) literal += ',';
    if (element === null) literal += 'NULL';
    else if (PLAIN.test(element) && !isNull(element)) literal += element;
    else literal += `"${element.replace(ESCAPED, '\\$&')}"`;
  }
  return `${literal}}`;
}
