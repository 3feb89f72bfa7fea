import type { ResultField } from '../topics/describe-statement.js';

/** What a column's texts stand for, as far as a spreadsheet or a report cares. */
export type ColumnType = 'number' | 'boolean' | 'date' | 'moment' | 'text';

export interface Column {
  readonly name: string;
  readonly type: ColumnType;
}

const TYPES: Readonly<Record<number, ColumnType>> = {
  16: 'boolean',
  20: 'number', // int8
  21: 'number', // int2
  23: 'number', // int4
  26: 'number', // oid
  700: 'number', // float4
  701: 'number', // float8
  1700: 'number', // numeric
  1082: 'date',
  1114: 'moment', // timestamp
  1184: 'moment', // timestamptz
};

export function columnOf({ name, dataTypeID }: ResultField): Column {
  return { name, type: TYPES[dataTypeID] ?? 'text' };
}

const MOMENT = /^(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d):(\d\d(?:\.\d+)?))?(?:Z|([+-])(\d\d)(?::?(\d\d))?)?$/;

/** Ms since 1970 of a date or moment as Postgres or JSON writes it, UTC where no zone is named; undefined for others. */
export function momentOf(text: string): number | undefined {
  const [, year, month, day, hour = '0', minute = '0', second = '0', sign, hours = '0', minutes = '0'] =
    MOMENT.exec(text) ?? [];
  if (year === undefined) return undefined;
  const at = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute));
  const offset = (Number(hours) * 60 + Number(minutes)) * 60_000;
  return at + Math.round(Number(second) * 1000) + (sign === '-' ? offset : -offset);
}

/** A double keeps this many digits of any decimal number. */
const EXACT_DIGITS = 15;

/** The number that a text is, if a double holds all of it; undefined for what would be rounded, and for `NaN`. */
export function exactNumberOf(text: string): number | undefined {
  const value = text.trim() === '' ? NaN : Number(text);
  if (!Number.isFinite(value)) return undefined;
  const digits = text
    .replace(/e.*$/i, '')
    .replace(/\D/g, '')
    .replace(/^0+/, '')
    // Zeros at the end of a whole number cost nothing, those behind a point neither.
    .replace(/0+$/, '');
  return digits.length <= EXACT_DIGITS || String(value) === text ? value : undefined;
}
