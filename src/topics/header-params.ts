import { isMap, isScalar, isSeq, type Node, type Pair } from 'yaml';
import { shown, type HeaderReader } from './header-reader.js';
import { didYouMean } from './nearest.js';
import { PARAM_NAME } from './placeholders.js';
import { SCALAR_TYPES, type ParamSpec, type ParamType, type ParamValue } from './topic.js';
import { checkValue, elementType, outsideSpec } from './values.js';

const FIELDS = ['type', 'default', 'enum', 'min', 'max', 'claim'] as const;
const TYPES: readonly string[] = SCALAR_TYPES.flatMap((type) => [type, `${type}[]`]);
const BOUNDED = new Set(['int', 'bigint', 'float']);
const MAX_PARAMS = 50;

/** Stands for `[]` behind a type's name while YAML is parsed: see `plainArrayTypes`. */
export const ARRAY_MARK = '\u27e6\u27e7';

/** Other names that people know the types by. */
const ALIASES: Record<string, string> = {
  string: 'text',
  varchar: 'text',
  integer: 'int',
  number: 'float',
  double: 'float',
  numeric: 'float',
  boolean: 'bool',
  timestamp: 'timestamptz',
  datetime: 'timestamptz',
  long: 'bigint',
};

/** The `params:` map. A parameter with a fault is left out, unless it can at least be typed. */
export function readParams(reader: HeaderReader, node: Node | null): ParamSpec[] {
  if (!isMap(node)) {
    reader.fault(node, `params: expected a map such as \`minutes: { type: int, default: 15 }\`, got ${shown(node)}`);
    return [];
  }
  if (node.items.length > MAX_PARAMS)
    reader.fault(node, `params: expected at most ${MAX_PARAMS}, got ${node.items.length}`);
  const specs: ParamSpec[] = [];
  for (const pair of node.items as Pair<Node, Node | null>[]) {
    const name = isScalar(pair.key) ? String(pair.key.value) : '';
    reader.mark(`params.${name}`, pair.key);
    if (!PARAM_NAME.test(name)) {
      reader.fault(
        pair.key,
        `params: expected a name of letters, digits and _ that starts with a letter, got \`${name}\``,
      );
    } else specs.push(readParam(reader, name, pair.value, pair.key));
  }
  return specs;
}

function readParam(reader: HeaderReader, name: string, node: Node | null, key: Node): ParamSpec {
  const place = `params.${name}`;
  if (!isMap(node)) {
    reader.fault(node ?? key, `${place}: expected a map such as { type: int, default: 15 }, got ${shown(node)}`);
    return { name, type: 'text' };
  }
  const fields = reader.fields(node, FIELDS, ` of ${place}`);
  const type = readType(reader, place, fields.get('type'), key);
  if (type === undefined) return { name, type: 'text' };
  if (fields.has('claim')) return readClaim(reader, { name, type }, fields);

  const spec: { -readonly [Key in keyof ParamSpec]: ParamSpec[Key] } = { name, type };
  if (fields.has('enum')) spec.enum = readEnum(reader, place, type, fields.get('enum') ?? null);
  if (fields.has('min')) spec.min = readBound(reader, `${place}.min`, type, fields.get('min') ?? null);
  if (fields.has('max')) spec.max = readBound(reader, `${place}.max`, type, fields.get('max') ?? null);
  if (spec.enum && (spec.min !== undefined || spec.max !== undefined)) {
    reader.fault(fields.get('enum'), `${place}: expected either enum or min and max, got both`);
  }
  if (spec.min !== undefined && spec.max !== undefined && spec.min > spec.max) {
    reader.fault(fields.get('min'), `${place}: expected min to be at most max, got ${spec.min} and ${spec.max}`);
  }
  if (fields.has('default')) readDefault(reader, place, spec, fields.get('default') ?? null);
  return spec;
}

function readType(
  reader: HeaderReader,
  place: string,
  node: Node | null | undefined,
  key: Node,
): ParamType | undefined {
  if (node === undefined)
    return reader.fault(
      key,
      `${place}: expected a type, got none: one of ${SCALAR_TYPES.join(', ')}, or an array such as text[]`,
    );
  const value = reader.scalar(node);
  const written = typeof value === 'string' ? value.replace(ARRAY_MARK, '[]') : value;
  if (typeof written === 'string' && TYPES.includes(written)) return written as ParamType;
  if (isSeq(node))
    return reader.fault(node, `${place}.type: expected a type, got a list (an array type is written text[])`);
  const word = typeof written === 'string' ? written : '';
  const known = ALIASES[word.toLowerCase()];
  const hint = known === undefined ? didYouMean(word, TYPES) : `: did you mean \`${known}\`?`;
  return reader.fault(
    node,
    `${place}.type: expected a type, got ${typeof written === 'string' ? written : shown(node)}${hint || `: one of ${SCALAR_TYPES.join(', ')}, or an array such as text[]`}`,
  );
}

/** A claim comes from the token alone: a default would serve tokens that lack it, and bounds would bind the issuer. */
function readClaim(
  reader: HeaderReader,
  spec: ParamSpec,
  fields: Map<(typeof FIELDS)[number], Node | null>,
): ParamSpec {
  const claim = reader.text(`params.${spec.name}.claim`, fields.get('claim') ?? null);
  for (const field of ['default', 'enum', 'min', 'max'] as const) {
    if (fields.has(field)) {
      reader.fault(
        fields.get(field),
        `params.${spec.name}: expected no ${field} beside claim: the value comes from the token or the viewer is refused`,
      );
    }
  }
  return claim === undefined ? spec : { ...spec, claim };
}

function readEnum(reader: HeaderReader, place: string, type: ParamType, node: Node | null): ParamValue[] | undefined {
  if (!isSeq(node) || node.items.length === 0) {
    return reader.fault(node, `${place}.enum: expected a list of values such as [a, b], got ${shown(node)}`);
  }
  const values: ParamValue[] = [];
  const { scalar } = elementType(type);
  for (const item of node.items) {
    const checked = checkValue(scalar, written(item, scalar));
    if (!checked.ok)
      reader.fault(
        item,
        `${place}.enum: expected ${scalar}, got ${shown(item)}: ${checked.why}${quoteHint(scalar, item)}`,
      );
    else if (values.includes(checked.value)) reader.fault(item, `${place}.enum: ${shown(item)} is listed twice`);
    else values.push(checked.value);
  }
  return values.length > 0 ? values : undefined;
}

function readBound(reader: HeaderReader, place: string, type: ParamType, node: Node | null): number | undefined {
  const { scalar } = elementType(type);
  if (!BOUNDED.has(scalar))
    return reader.fault(node, `${place}: expected only for int, bigint and float, got it for ${type}`);
  const value = reader.scalar(node);
  const fits = typeof value === 'number' && (scalar === 'float' ? Number.isFinite(value) : Number.isSafeInteger(value));
  if (!fits)
    return reader.fault(
      node,
      `${place}: expected ${scalar === 'float' ? 'a number' : 'a whole number'}, got ${shown(node)}`,
    );
  return value;
}

function readDefault(
  reader: HeaderReader,
  place: string,
  spec: { -readonly [Key in keyof ParamSpec]: ParamSpec[Key] },
  node: Node | null,
): void {
  if (node === null || (isScalar(node) && node.value === null)) {
    spec.default = null;
    return;
  }
  const { scalar, array } = elementType(spec.type);
  const given = array && isSeq(node) ? node.items.map((item) => written(item, scalar)) : written(node, scalar);
  const checked = checkValue(spec.type, given);
  if (!checked.ok) {
    reader.fault(
      node,
      `${place}.default: expected ${spec.type}, got ${shown(node)}: ${checked.why}${quoteHint(scalar, node)}`,
    );
    return;
  }
  const outside = outsideSpec(spec, checked.value);
  if (outside !== undefined) reader.fault(node, `${place}.default: ${outside} (${spec.enum ? 'enum' : 'min and max'})`);
  else spec.default = checked.value;
}

/** YAML reads whole numbers as doubles; a bigint is taken from how it was written. */
function written(node: unknown, scalar: string): unknown {
  if (!isScalar(node)) return isMap(node) || isSeq(node) ? node.toJSON() : undefined;
  return scalar === 'bigint' && node.source !== undefined && /^-?\d+$/.test(node.source) ? node.source : node.value;
}

function quoteHint(scalar: string, node: unknown): string {
  const bare = isScalar(node) && typeof node.value !== 'string' && node.value !== null;
  return scalar === 'text' && bare ? ` (put it in quotes: "${node.source ?? String(node.value)}")` : '';
}
