import { isAlias, isMap, isScalar, isSeq, type Node, type Pair, type YAMLMap } from 'yaml';
import { durationRange, formatDuration, tryDuration } from './duration.js';
import { didYouMean } from './nearest.js';
import { show } from './values.js';

/** A fault at an offset of the whole file. */
export interface HeaderFault {
  readonly offset: number;
  readonly severity: 'error' | 'warning';
  readonly message: string;
}

/** A YAML node, or nothing where a field has no value. */
type Positioned = { readonly range?: readonly number[] | null } | null | undefined;

/** Collects faults and positions while the header is read; offsets given to it count from the start of the YAML. */
export class HeaderReader {
  readonly faults: HeaderFault[] = [];
  readonly offsets = new Map<string, number>();

  constructor(
    readonly yaml: string,
    private readonly base: number,
  ) {}

  at(node: unknown): number {
    return (node as Positioned)?.range?.[0] ?? 0;
  }

  fault(node: unknown, message: string, severity: 'error' | 'warning' = 'error'): undefined {
    this.faults.push({ offset: this.base + this.at(node), severity, message });
    return undefined;
  }

  mark(path: string, node: unknown): void {
    this.offsets.set(path, this.base + this.at(node));
  }

  /** The fields of a map by name; unknown ones are faults with the nearest valid name. */
  fields<Name extends string>(map: YAMLMap, valid: readonly Name[], place: string): Map<Name, Node | null> {
    const found = new Map<Name, Node | null>();
    for (const pair of map.items as Pair<Node, Node | null>[]) {
      const name = isScalar(pair.key) ? String(pair.key.value) : '';
      if ((valid as readonly string[]).includes(name)) found.set(name as Name, pair.value);
      else
        this.fault(
          pair.key,
          `unknown field \`${name}\`${place}${didYouMean(name, valid) || `: expected one of ${valid.join(', ')}`}`,
        );
    }
    return found;
  }

  scalar(node: unknown): unknown {
    return isScalar(node) ? node.value : undefined;
  }

  text(field: string, node: Node | null): string | undefined {
    const value = this.scalar(node);
    if (typeof value === 'string' && value.trim() !== '') return value.trim();
    return this.fault(node, `${field}: expected text, got ${shown(node)}`);
  }

  /** A list of distinct names. */
  names(field: string, node: Node | null): string[] {
    if (!isSeq(node)) {
      this.fault(node, `${field}: expected a list such as [a, b], got ${shown(node)}`);
      return [];
    }
    const names: string[] = [];
    for (const [index, item] of node.items.entries()) {
      const value = this.scalar(item);
      if (typeof value !== 'string' || value.trim() === '')
        this.fault(item, `${field}: expected a name, got ${shown(item)}`);
      else if (names.includes(value)) this.fault(item, `${field}: \`${value}\` is listed twice`);
      else {
        names.push(value);
        this.mark(`${field}.${index}`, item);
      }
    }
    return names;
  }

  wholeNumber(field: string, node: Node | null, bounds: { min: number; max: number }): number | undefined {
    const value = this.scalar(node);
    if (typeof value === 'number' && Number.isInteger(value) && value >= bounds.min && value <= bounds.max)
      return value;
    return this.fault(
      node,
      `${field}: expected a whole number from ${bounds.min} to ${bounds.max}, got ${shown(node)}`,
    );
  }

  bool(field: string, node: Node | null): boolean | undefined {
    const value = this.scalar(node);
    if (typeof value === 'boolean') return value;
    return this.fault(node, `${field}: expected true or false, got ${shown(node)}`);
  }

  /** Milliseconds. Where nought is allowed it may also be written without a unit. */
  duration(field: string, node: Node | null, bounds: { min: number; max: number }): number | undefined {
    const value = this.scalar(node);
    const ms = value === 0 ? 0 : tryDuration(value);
    if (ms === undefined) return this.fault(node, `${field}: expected ${durationRange(bounds)}, got ${shown(node)}`);
    if (ms < bounds.min)
      return this.fault(node, `${field}: expected at least ${formatDuration(bounds.min)}, got ${shown(node)}`);
    if (ms > bounds.max)
      return this.fault(node, `${field}: expected at most ${formatDuration(bounds.max)}, got ${shown(node)}`);
    return ms;
  }
}

/** A node's value for an error's sentence. */
export function shown(node: unknown): string {
  if (isAlias(node)) return 'an alias';
  if (isMap(node)) return 'a map';
  if (isSeq(node)) return node.items.length === 0 ? 'an empty list' : 'a list';
  if (!isScalar(node) || node.value === null) return 'nothing';
  return !node.source || node.source.length > 60 ? show(node.value) : node.source;
}
