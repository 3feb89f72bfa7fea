import { type z } from 'zod';

/** One thing that is wrong with a value: where, and what was expected and got. */
export interface ShapeFault {
  readonly path: string;
  readonly message: string;
}

export type Shaped<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly faults: readonly ShapeFault[] };

/** Holds a value from outside against a schema; faults are told in our words, unless the schema has its own. */
export function checkShape<T extends z.ZodType>(schema: T, value: unknown): Shaped<z.output<T>> {
  const result = schema.safeParse(value, { error: sentence, reportInput: true });
  if (result.success) return { ok: true, value: result.data };
  return {
    ok: false,
    faults: result.error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message })),
  };
}

const TYPES: Record<string, string> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'an object',
  record: 'an object',
  array: 'a list',
  date: 'a date',
  null: 'null',
  undefined: 'nothing',
  never: 'nothing',
};
const UNITS: Record<string, string> = { string: 'characters', array: 'entries', set: 'entries', map: 'entries' };
/** Of what somebody sent no more than this comes back. */
const SHOWN = 40;

function sentence(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${TYPES[issue.expected] ?? issue.expected}, got ${kindOf(issue.input)}`;
    case 'unrecognized_keys':
      return `expected no field ${issue.keys.map((key) => shown(key)).join(', ')}`;
    case 'invalid_value':
      return `expected ${issue.values.map((value) => shown(value)).join(' or ')}, got ${kindOf(issue.input)}`;
    case 'too_small':
      return `expected ${bound(issue.inclusive === false ? 'more than' : 'at least', issue.minimum, issue.origin)}`;
    case 'too_big':
      return `expected ${bound(issue.inclusive === false ? 'less than' : 'at most', issue.maximum, issue.origin)}`;
    case 'invalid_format':
      return `expected text in the form of ${issue.format}`;
    case 'not_multiple_of':
      return `expected a multiple of ${issue.divisor}`;
    case 'invalid_union':
      return `expected another value, got ${kindOf(issue.input)}`;
    default:
      return 'expected another value';
  }
}

function bound(how: string, limit: number | bigint, origin: string): string {
  const unit = UNITS[origin];
  return unit === undefined ? `a number of ${how} ${limit}` : `${how} ${limit} ${unit}`;
}

/** What a value is: short ones as they are, long ones by their kind alone. */
function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  switch (typeof value) {
    case 'string':
      return value.length <= SHOWN ? shown(value) : `text of ${value.length} characters`;
    case 'number':
    case 'boolean':
    case 'bigint':
      return String(value);
    case 'object':
      return 'an object';
    default:
      return `a ${typeof value}`;
  }
}

function shown(value: unknown): string {
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length <= SHOWN + 2 ? text : `${text.slice(0, SHOWN)}…`;
}
