/** What changed between two results, by the identity of their rows. */
import type { Row } from '../../client/index.js';

export interface RowChanges {
  readonly added: ReadonlySet<string>;
  /** Columns that changed, by row. */
  readonly changed: ReadonlyMap<string, ReadonlySet<string>>;
}

export const NO_CHANGES: RowChanges = { added: new Set(), changed: new Map() };

/** Identity of a row: its key columns, or else its place. */
export function rowId(row: Row, key: readonly string[], place: number): string {
  return key.length === 0 ? `#${place}` : JSON.stringify(key.map((column) => row[column] ?? null));
}

export function changesBetween(
  before: readonly Row[] | undefined,
  after: readonly Row[],
  key: readonly string[],
): RowChanges {
  if (before === undefined || before === after) return NO_CHANGES;
  const known = new Map(before.map((row, place) => [rowId(row, key, place), row]));
  const added = new Set<string>();
  const changed = new Map<string, ReadonlySet<string>>();
  after.forEach((row, place) => {
    const id = rowId(row, key, place);
    const old = known.get(id);
    if (old === undefined) added.add(id);
    else {
      const columns = Object.keys(row).filter((column) => !sameValue(row[column], old[column]));
      if (columns.length > 0) changed.set(id, new Set(columns));
    }
  });
  return { added, changed };
}

function sameValue(a: unknown, b: unknown): boolean {
  return a === b || (typeof a === 'object' && JSON.stringify(a) === JSON.stringify(b));
}
