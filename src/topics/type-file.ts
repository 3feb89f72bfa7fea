import { listed, orNull, property, quoted, type TypedColumn } from './result-types.js';
import type { ParamSpec, ScalarType, Topic } from './topic.js';
import { elementType } from './values.js';

/** One topic with the columns that the database gives it. */
export interface TypedTopic {
  readonly topic: Pick<Topic, 'name' | 'title' | 'params'>;
  readonly columns: readonly TypedColumn[];
}

const PARAM_TYPES: Record<ScalarType, string> = {
  text: 'string',
  int: 'number',
  // Beyond 2^53 a number would not be exact.
  bigint: 'number | string',
  float: 'number',
  bool: 'boolean',
  date: 'string',
  timestamptz: 'string',
  uuid: 'string',
};

/** A module that tells `pollcast/client` (and with it `pollcast/react`) what each topic takes and gives. */
export function typeFile(topics: readonly TypedTopic[]): string {
  const body = [...topics]
    .sort((a, b) => (a.topic.name < b.topic.name ? -1 : 1))
    .flatMap(({ topic, columns }) => [
      `    /** ${topic.title.replace(/\s+/g, ' ').replaceAll('*/', '*\\/')} */`,
      `    ${quoted(topic.name)}: {`,
      `      params: ${members(topic.params.filter(({ claim }) => claim === undefined).map(param))};`,
      `      row: ${members(columns.map(column))};`,
      '    };',
    ]);
  const types = body.join('\n');
  return [
    '// Written by `pollcast types`. Do not edit: write it again when a topic or its tables have changed.',
    /\bJsonValue\b/.test(types) ? "import type { JsonValue } from 'pollcast/client';" : "import 'pollcast/client';",
    '',
    "declare module 'pollcast/client' {",
    '  interface Topics {',
    types,
    '  }',
    '}',
    '',
  ].join('\n');
}

function members(lines: readonly string[]): string {
  if (lines.length === 0) return 'Record<string, never>';
  return `{\n${lines.map((line) => `        ${line};`).join('\n')}\n      }`;
}

function column({ name, type, nullable }: TypedColumn): string {
  return `${property(name)}: ${nullable ? orNull(type) : type}`;
}

function param(spec: ParamSpec): string {
  const { scalar, array } = elementType(spec.type);
  const one = spec.enum?.map((value) => literal(value, scalar)).join(' | ') ?? PARAM_TYPES[scalar];
  const type = array ? `readonly ${listed(one)}[]` : one;
  const optional = spec.default !== undefined;
  return `${property(spec.name)}${optional ? '?' : ''}: ${spec.default === null ? orNull(type) : type}`;
}

function literal(value: unknown, scalar: ScalarType): string {
  if (typeof value !== 'string') return String(value);
  // A bigint is digits here, and taken as a number too where that is exact.
  if (scalar === 'bigint' && Number.isSafeInteger(Number(value))) return `${value} | ${quoted(value)}`;
  return quoted(value);
}
