import { identity } from './sharing.js';
import type { DeltaFrame, Position, Row } from './wire.js';

/** The hub's deltas build on the very frame that it sent last; anything else means that a message went missing. */
export function fits(delta: DeltaFrame, position: Position | undefined): boolean {
  return position !== undefined && position.epoch === delta.epoch && position.seq === delta.base;
}

/**
 * The rows after a delta: those under a removed key go, a changed one takes its place, new ones come last. Rows that did
 * not change are the same objects as before, so that who draws them need not draw them again.
 *
 * @param key the columns that identify a row, as the acknowledgement names them
 */
export function applyDelta(rows: readonly Row[], delta: DeltaFrame, key: readonly string[]): readonly Row[] {
  const removed = new Set(delta.remove.map((value) => JSON.stringify(value)));
  const upserted = new Map(delta.upsert.map((row) => [identity(row, key), row]));
  const kept: Row[] = [];
  for (const row of rows) {
    const id = identity(row, key);
    if (removed.has(id)) continue;
    kept.push(upserted.get(id) ?? row);
    upserted.delete(id);
  }
  return [...kept, ...upserted.values()];
}
