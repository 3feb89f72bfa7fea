/** What changed between two frames of a channel whose topic has a `key`, ready to be spliced into a message. */
export interface Delta {
  /** The seq that it builds on; same epoch. */
  readonly base: number;
  /** JSON text: rows that are new or other than before. */
  readonly upsert: string;
  /** JSON text: keys of rows that are gone. */
  readonly remove: string;
}

type Row = Readonly<Record<string, unknown>>;

/**
 * The delta from one frame's rows to the next one's, or `null` when there is none worth sending.
 *
 * What it means to apply one is fixed, so that every viewer ends with the very rows of the frame, in their order: rows
 * under a key in `remove` go; a row of `upsert` whose key is there takes its place; the others are appended in the order
 * in which they come. Where that would not give the new frame (rows changed their order, or a new one belongs
 * in between), where keys are missing or not unique, and where the delta would not be smaller, the frame goes whole.
 *
 * A key is the value of the key's column, or for several columns the array of their values, in the order of `key`.
 */
export function deltaBetween(
  key: readonly string[],
  before: { readonly seq: number; readonly rows: readonly unknown[] },
  after: { readonly rows: readonly unknown[]; readonly text: string },
): Delta | null {
  const old = byKey(key, before.rows);
  const now = byKey(key, after.rows);
  if (!old || !now) return null;
  const remove: unknown[] = [];
  const order: string[] = [];
  for (const [id, row] of old) {
    if (now.has(id)) order.push(id);
    else remove.push(keyOf(key, row));
  }
  const upsert: Row[] = [];
  let at = 0;
  for (const [id, row] of now) {
    const known = old.get(id);
    // The survivors come first and as they stood, then the new ones: else applying it gives another order.
    if (known ? order[at++] !== id : at < order.length) return null;
    if (!known || JSON.stringify(known) !== JSON.stringify(row)) upsert.push(row);
  }
  const delta = { base: before.seq, upsert: JSON.stringify(upsert), remove: JSON.stringify(remove) };
  return delta.upsert.length + delta.remove.length < after.text.length ? delta : null;
}

function byKey(key: readonly string[], rows: readonly unknown[]): Map<string, Row> | null {
  const map = new Map<string, Row>();
  for (const row of rows as readonly Row[]) {
    if (key.some((column) => row[column] === undefined || row[column] === null)) return null;
    map.set(JSON.stringify(keyOf(key, row)), row);
  }
  return map.size === rows.length ? map : null;
}

function keyOf(key: readonly string[], row: Row): unknown {
  return key.length === 1 ? row[key[0] as string] : key.map((column) => row[column]);
}
