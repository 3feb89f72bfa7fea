import { PollcastError } from '../errors.js';

/**
 * A value as the text that Postgres reads for a column of `type`; `null` is NULL.
 *
 * @throws PollcastError `BAD_REQUEST` for what no column can hold
 */
export function encode(value: unknown, type: string): string | null {
  if (value === null) return null;
  if (type === 'json' || type === 'jsonb') return JSON.stringify(value);
  if (Array.isArray(value) && type.endsWith('[]')) return arrayLiteral(value, type.replace(/(\[\])+$/, ''));
  switch (typeof value) {
    case 'string':
      return value;
    case 'number':
    case 'bigint':
    case 'boolean':
      return String(value);
    case 'object':
      if (value instanceof Date) return value.toISOString();
      if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString('hex')}`;
      return JSON.stringify(value);
    default:
      throw new PollcastError('BAD_REQUEST', `expected a value for a column of type ${type}, got a ${typeof value}`);
  }
}

function arrayLiteral(values: readonly unknown[], type: string): string {
  const parts = values.map((value) => {
    if (Array.isArray(value)) return arrayLiteral(value, type);
    const text = encode(value ?? null, type);
    return text === null ? 'NULL' : `"${text.replace(/["\\]/g, '\\$&')}"`;
  });
  return `{${parts.join(',')}}`;
}

/** Needs no quotes: beside `NULL` it is letters that may mean something else. */
const PLAIN = /^-?\d[\w.:+-]*$/;

/** Texts as one array's text. By hand, for there are thousands: the driver looks at each value's type, and through each text twice. */
export function textArray(texts: readonly (string | null)[]): string {
  const parts = texts.map((text) => {
    if (text === null) return 'NULL';
    return PLAIN.test(text) ? text : `"${text.replace(/["\\]/g, '\\$&')}"`;
  });
  return `{${parts.join(',')}}`;
}
