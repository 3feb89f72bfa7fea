/**
 * Structural sharing: rows that say the same as before are the same objects as before, and so is the list when nothing
 * in it changed. Who draws them compares by identity, and draws only what is new.
 */
import type { JsonValue, Row } from './wire.js';

/** `next` with the objects of `last` wherever they say the same. With a key rows are found by it, else by their place. */
export function shareRows(
  last: readonly Row[] | undefined,
  next: readonly Row[],
  key: readonly string[] | undefined,
): readonly Row[] {
  if (last === undefined || last.length === 0) return next;
  const before = key === undefined || key.length === 0 ? undefined : byIdentity(last, key);
  let same = last.length === next.length;
  const shared = next.map((row, place) => {
    const old = before === undefined ? last[place] : before.get(identity(row, key!));
    const kept = old !== undefined && equal(old, row) ? old : row;
    same &&= kept === last[place];
    return kept;
  });
  return same ? last : shared;
}

/** A row's identity: one column's value, or the list of several, as the hub's `remove` names it. */
export function identity(row: Row, key: readonly string[]): string {
  const values = key.map((column): JsonValue => row[column] ?? null);
  return JSON.stringify(values.length === 1 ? values[0] : values);
}

function byIdentity(rows: readonly Row[], key: readonly string[]): Map<string, Row> {
  return new Map(rows.map((row) => [identity(row, key), row]));
}

/** Both come from JSON: no cycles, no prototypes. */
function equal(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [left, right] = [a as Row, b as Row];
  const names = Object.keys(left);
  return (
    names.length === Object.keys(right).length &&
    names.every((name) => Object.hasOwn(right, name) && equal(left[name], right[name]))
  );
}
