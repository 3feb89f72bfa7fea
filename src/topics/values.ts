import type { ParamSpec, ParamType, ParamValue, ScalarType } from './topic.js';

/** Bounds that keep a channel's key, and with it every Redis key and message that carries it, small. */
export const MAX_TEXT_LENGTH = 1000;
export const MAX_ARRAY_LENGTH = 1000;

/** A JSON scalar in its one canonical form, or why it is not of the type. */
export type Checked = { readonly ok: true; readonly value: ParamValue } | { readonly ok: false; readonly why: string };

const INT4 = { min: -2_147_483_648, max: 2_147_483_647 };
const INT8 = { min: -(2n ** 63n), max: 2n ** 63n - 1n };

export function elementType(type: ParamType): { readonly scalar: ScalarType; readonly array: boolean } {
  return type.endsWith('[]')
    ? { scalar: type.slice(0, -2) as ScalarType, array: true }
    : { scalar: type as ScalarType, array: false };
}

/**
 * One value of a scalar or array type in canonical form: equal values become identical, so that they are one channel.
 *
 * @param lenient also take strings for numbers and booleans, and for arrays a single string that is split at commas:
 *   what a query string or a token can carry
 */
export function checkValue(type: ParamType, given: unknown, lenient = false): Checked {
  const { scalar, array } = elementType(type);
  if (!array) return checkScalar(scalar, given, lenient);
  const list = lenient && typeof given === 'string' ? (given === '' ? [] : given.split(',')) : given;
  if (!Array.isArray(list)) return no('it is not an array');
  if (list.length > MAX_ARRAY_LENGTH) return no(`it has ${list.length} elements, more than ${MAX_ARRAY_LENGTH}`);
  const values: (string | number | boolean)[] = [];
  for (const [index, element] of list.entries()) {
    const checked = checkScalar(scalar, element, lenient);
    if (!checked.ok) return no(`element ${index + 1}: ${checked.why}`);
    values.push(checked.value as string | number | boolean);
  }
  return { ok: true, value: values };
}

/** The bounds of a spec, element by element for arrays: why the canonical value is outside them, or undefined. */
export function outsideSpec(
  spec: Pick<ParamSpec, 'type' | 'enum' | 'min' | 'max'>,
  value: ParamValue,
): string | undefined {
  if (value === null) return undefined;
  for (const element of (Array.isArray(value) ? value : [value]) as (string | number | boolean)[]) {
    if (spec.enum && !spec.enum.includes(element)) return `${show(element)} is not in the list`;
    if (spec.min !== undefined && below(element, spec.min)) return `${show(element)} is below the minimum`;
    if (spec.max !== undefined && below(spec.max, element)) return `${show(element)} is above the maximum`;
  }
  return undefined;
}

/** What a spec takes, as words: `int from 1 to 1440`, `text, one of all, EU, US`. */
export function describeSpec(spec: Pick<ParamSpec, 'type' | 'enum' | 'min' | 'max'>): string {
  let words = FORMS[elementType(spec.type).scalar] ?? spec.type;
  if (elementType(spec.type).array) words = `array of ${words}`;
  if (spec.enum) return `${words}, one of ${spec.enum.map((value) => String(value)).join(', ')}`;
  if (spec.min !== undefined && spec.max !== undefined) return `${words} from ${spec.min} to ${spec.max}`;
  if (spec.min !== undefined) return `${words}, at least ${spec.min}`;
  if (spec.max !== undefined) return `${words}, at most ${spec.max}`;
  return words;
}

/** A value for an error's sentence: short, whatever a client sent. */
export function show(given: unknown): string {
  if (given === undefined) return 'nothing';
  if (typeof given === 'bigint') return given.toString();
  if (typeof given === 'string')
    return given.length > 60 ? `"${given.slice(0, 60)}…" (${given.length} characters)` : JSON.stringify(given);
  if (Array.isArray(given))
    return given.length > 5 ? `an array of ${given.length} elements` : `[${given.map(showElement).join(', ')}]`;
  if (typeof given === 'object' && given !== null) return 'an object';
  return typeof given === 'number' || typeof given === 'boolean' || given === null ? String(given) : typeof given;
}

/** One level: a client may nest as deep as a message is long. */
function showElement(given: unknown): string {
  return Array.isArray(given) ? 'an array' : show(given);
}

const FORMS: Record<ScalarType, string> = {
  text: 'text',
  int: 'int',
  bigint: 'bigint (a whole number, or a string of digits)',
  float: 'float',
  bool: 'bool',
  date: 'date (YYYY-MM-DD)',
  timestamptz: 'timestamptz (ISO 8601 with a zone)',
  uuid: 'uuid',
};

function checkScalar(type: ScalarType, given: unknown, lenient: boolean): Checked {
  return CHECKS[type](given, lenient);
}

const CHECKS: Record<ScalarType, (given: unknown, lenient: boolean) => Checked> = {
  text(given) {
    if (typeof given !== 'string') return no('it is not a string');
    if (given.length > MAX_TEXT_LENGTH) return no(`it is longer than ${MAX_TEXT_LENGTH} characters`);
    // Postgres stores neither; a lone surrogate also has no percent-encoded form.
    if (given.includes('\0')) return no('it contains a NUL character');
    if (/\p{Surrogate}/u.test(given)) return no('it contains half a surrogate pair');
    return yes(given);
  },
  int(given, lenient) {
    const number = lenient && typeof given === 'string' && /^-?\d{1,10}$/.test(given) ? Number(given) : given;
    if (typeof number !== 'number' || !Number.isInteger(number)) return no('it is not a whole number');
    if (number < INT4.min || number > INT4.max) return no('it does not fit into 32 bits');
    return yes(number === 0 ? 0 : number);
  },
  bigint(given) {
    let value: bigint;
    if (typeof given === 'bigint') value = given;
    else if (typeof given === 'string' && /^-?\d{1,25}$/.test(given)) value = BigInt(given);
    else if (typeof given !== 'number' || !Number.isInteger(given)) return no('it is not a whole number');
    else if (!Number.isSafeInteger(given)) return no('a JSON number of this size is not exact: write it as a string');
    else value = BigInt(given);
    if (value < INT8.min || value > INT8.max) return no('it does not fit into 64 bits');
    return yes(value.toString());
  },
  float(given, lenient) {
    const written = lenient && typeof given === 'string' && /^-?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?$/i.test(given);
    const number = written ? Number(given) : given;
    if (typeof number !== 'number' || !Number.isFinite(number)) return no('it is not a finite number');
    return yes(number === 0 ? 0 : number);
  },
  bool(given, lenient) {
    if (typeof given === 'boolean') return yes(given);
    if (lenient && (given === 'true' || given === 'false')) return yes(given === 'true');
    return no('it is neither true nor false');
  },
  date(given) {
    const match = typeof given === 'string' ? /^(\d{4})-(\d\d)-(\d\d)$/.exec(given) : null;
    if (!match) return no('it is not written YYYY-MM-DD');
    if (!isDay(Number(match[1]), Number(match[2]), Number(match[3]))) return no('there is no such day');
    return yes(match[0]);
  },
  timestamptz: checkTimestamp,
  uuid(given) {
    if (typeof given !== 'string' || !/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(given)) {
      return no('it is not written as 8-4-4-4-12 hexadecimal digits');
    }
    return yes(given.toLowerCase());
  },
};

/** Canonical form: UTC with `Z`, seconds always, a fraction (to the microsecond, as Postgres keeps it) only when not zero. */
function checkTimestamp(given: unknown): Checked {
  const pattern = /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?(Z|[+-]\d\d(?::?\d\d)?)$/i;
  const match = typeof given === 'string' ? pattern.exec(given) : null;
  if (!match) return no('it is not written like 2025-03-01T09:30:00Z (a zone is required)');
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map((part) => Number(part ?? 0)) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (!isDay(year, month, day) || hour > 23 || minute > 59 || second > 59) return no('there is no such time');
  const zone = /([+-])(\d\d):?(\d\d)?/.exec(match[8]!);
  const [zoneHours, zoneMinutes] = zone ? [Number(zone[2]), Number(zone[3] ?? 0)] : [0, 0];
  if (zoneHours > 15 || zoneMinutes > 59) return no('there is no such zone');
  const east = (zone?.[1] === '-' ? -1 : 1) * (zoneHours * 60 + zoneMinutes);
  // Date.UTC would read the years 1 to 99 as 19xx.
  const utc = new Date(0);
  utc.setUTCFullYear(year, month - 1, day);
  utc.setUTCHours(hour, minute - east, second);
  if (utc.getUTCFullYear() < 1 || utc.getUTCFullYear() > 9999) return no('its year is outside 1 to 9999');
  const fraction = (match[7] ?? '').replace(/0+$/, '');
  return yes(`${utc.toISOString().slice(0, 19)}${fraction && `.${fraction}`}Z`);
}

function isDay(year: number, month: number, day: number): boolean {
  if (year < 1 || month < 1 || month > 12 || day < 1) return false;
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
  return day <= days[month - 1]!;
}

/** Strings are bigints here: canonical decimal text, compared exactly. */
function below(a: string | number | boolean, b: string | number | boolean): boolean {
  if (typeof a === 'string' || typeof b === 'string') return BigInt(a) < BigInt(b);
  return a < b;
}

const yes = (value: ParamValue): Checked => ({ ok: true, value });
const no = (why: string): Checked => ({ ok: false, why });
