import { isMap, isSeq, parseDocument, type Node } from 'yaml';
import { ARRAY_MARK, readParams } from './header-params.js';
import { HeaderReader, type HeaderFault } from './header-reader.js';
import type { ParamSpec } from './topic.js';

/** What a topic file says about itself, with defaults filled in. */
export interface Header {
  readonly title?: string;
  readonly intervalMs: number;
  readonly params: readonly ParamSpec[];
  readonly key: readonly string[];
  readonly roles: readonly string[];
  /** The `changed:` query as written. */
  readonly changed?: string;
  readonly timeoutMs: number;
  readonly maxRows: number;
  readonly partitions: number;
  readonly retainMs: number;
  readonly presence: boolean;
}

export interface ReadHeader {
  readonly header: Header;
  readonly faults: readonly HeaderFault[];
  /** Where the SQL starts. */
  readonly bodyStart: number;
  /** False when the comment has no end or is no YAML: then the parameters are not known. */
  readonly readable: boolean;
  /** Where things stand in the file, for faults that show up later: `params.region`, `key.0`, `changed`. */
  readonly offsets: ReadonlyMap<string, number>;
  /** Offset within the `changed:` query → offset in the file. */
  readonly changedOffset: (offset: number) => number;
}

const BOUNDS = {
  interval: { min: 50, max: 86_400_000 },
  timeout: { min: 10, max: 1_800_000 },
  retain: { min: 0, max: 86_400_000 },
  maxRows: { min: 1, max: 1_000_000 },
  partitions: { min: 1, max: 256 },
} as const;

const FIELDS = [
  'title',
  'interval',
  'params',
  'key',
  'roles',
  'changed',
  'timeout',
  'max_rows',
  'partitions',
  'retain',
  'presence',
] as const;
type Field = (typeof FIELDS)[number];

/** Reads the leading block comment of a topic file. All faults are collected; what is faulty has its default. */
export function readHeader(file: string): ReadHeader {
  const block = findHeader(file);
  const reader = new HeaderReader(file.slice(block.start, block.end), block.start);
  if (block.unterminated) reader.fault(null, 'the leading comment has no end: expected `*/`');
  const read = block.unterminated ? undefined : readFields(reader);
  const fields = read ?? new Map<Field, Node | null>();
  const changedNode = fields.get('changed') ?? null;
  const header = interpret(reader, fields);
  reader.mark('changed', changedNode);
  const aligned = header.changed === undefined ? [] : align(header.changed, reader.yaml, reader.at(changedNode));
  return {
    header,
    faults: reader.faults,
    bodyStart: block.bodyStart,
    readable: read !== undefined,
    offsets: reader.offsets,
    changedOffset: (offset) => block.start + (aligned[Math.min(offset, aligned.length - 1)] ?? reader.at(changedNode)),
  };
}

/** The header's values, from its fields. Faults go to the reader. */
function interpret(reader: HeaderReader, fields: ReadonlyMap<Field, Node | null>): Header {
  const get = <T>(field: Field, read: (node: Node | null) => T | undefined): T | undefined => {
    const node = fields.get(field);
    return node === undefined ? undefined : read(node);
  };
  const header: Header = {
    title: get('title', (node) => reader.text('title', node)),
    intervalMs: get('interval', (node) => reader.duration('interval', node, BOUNDS.interval)) ?? 1_000,
    params: get('params', (node) => readParams(reader, node)) ?? [],
    key: get('key', (node) => reader.names('key', node)) ?? [],
    roles: get('roles', (node) => reader.names('roles', node)) ?? [],
    changed: get('changed', (node) => reader.text('changed', node)),
    timeoutMs: get('timeout', (node) => reader.duration('timeout', node, BOUNDS.timeout)) ?? 5_000,
    maxRows: get('max_rows', (node) => reader.wholeNumber('max_rows', node, BOUNDS.maxRows)) ?? 5_000,
    partitions: get('partitions', (node) => reader.wholeNumber('partitions', node, BOUNDS.partitions)) ?? 1,
    retainMs: get('retain', (node) => reader.duration('retain', node, BOUNDS.retain)) ?? 0,
    presence: get('presence', (node) => reader.bool('presence', node)) ?? false,
  };
  if (isEmptyList(fields.get('roles'))) {
    reader.fault(
      fields.get('roles'),
      'roles: expected at least one role, got none: leave the field out to let anyone in',
    );
  }
  if (isEmptyList(fields.get('key')))
    reader.fault(fields.get('key'), 'key: expected at least one column, got none: leave the field out');
  if (header.partitions > 1 && header.params.length === 0) {
    reader.fault(
      fields.get('partitions'),
      'partitions: a topic without parameters has one channel, which cannot be split',
      'warning',
    );
  }
  return header;
}

/**
 * What a topic that is written in code says about itself: the same fields with the same checks, as YAML.
 * Offsets of faults count from the start of that text.
 */
export function readOptions(yaml: string): { readonly header: Header; readonly faults: readonly HeaderFault[] } {
  const reader = new HeaderReader(yaml, 0);
  const header = interpret(reader, readFields(reader) ?? new Map<Field, Node | null>());
  return { header, faults: reader.faults };
}

/** Undefined when there is no telling what the fields are. */
function readFields(reader: HeaderReader): Map<Field, Node | null> | undefined {
  const document = parseDocument(plainArrayTypes(reader.yaml), { prettyErrors: false, version: '1.2' });
  // One slip makes the YAML parser stumble over everything behind it: only the first complaint says something.
  const [slip] = [...document.errors, ...document.warnings];
  if (slip) return reader.fault({ range: [slip.pos[0]] }, `the header is not YAML: ${slip.message}`);
  const root = document.contents;
  if (root === null) return new Map();
  if (isMap(root)) return reader.fields(root, FIELDS, '');
  return reader.fault(root, 'the leading comment must hold `field: value` lines (YAML): put other comments behind it');
}

/**
 * `{ type: text[] }` is what everybody writes, but within braces YAML takes the brackets for a list. They are swapped for
 * letters of the same length, which `readType` swaps back, so that positions stay true.
 */
function plainArrayTypes(yaml: string): string {
  return yaml.replace(/(\btype:[ \t]*[a-z]+)\[\]/g, `$1${ARRAY_MARK}`);
}

function isEmptyList(node: unknown): boolean {
  return isSeq(node) && node.items.length === 0;
}

/** The first block comment, if nothing but white space and `--` lines stands before it. Comments nest, as in Postgres. */
function findHeader(file: string): { start: number; end: number; bodyStart: number; unterminated: boolean } {
  const before = /^\uFEFF?(?:\s|--[^\n]*(?:\n|$))*/.exec(file)?.[0].length ?? 0;
  if (!file.startsWith('/*', before))
    return { start: 0, end: 0, bodyStart: file.startsWith('\uFEFF') ? 1 : 0, unterminated: false };
  const start = before + 2;
  const marks = /\/\*|\*\//g;
  marks.lastIndex = start;
  let depth = 1;
  for (let mark = marks.exec(file); mark; mark = marks.exec(file)) {
    depth += mark[0] === '/*' ? 1 : -1;
    if (depth === 0) return { start, end: mark.index, bodyStart: mark.index + 2, unterminated: false };
  }
  return { start, end: file.length, bodyStart: file.length, unterminated: true };
}

/**
 * Where each character of a scalar's value stands in the YAML. Quotes, escapes and folded lines make the two texts differ,
 * so they are walked side by side; white space, which folding changes, belongs to what stands before it.
 */
function align(value: string, yaml: string, from: number): number[] {
  const at: number[] = [];
  let cursor = from;
  for (const character of value) {
    if (!/\s/.test(character)) {
      const found = yaml.indexOf(character, cursor);
      if (found >= 0) cursor = found;
    }
    for (let unit = 0; unit < character.length; unit++) at.push(cursor + unit);
    if (!/\s/.test(character)) cursor += character.length;
  }
  return at;
}
