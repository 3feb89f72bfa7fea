import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { deltaBetween } from '../../src/channels/deltas.js';
import { encodeWire } from '../../src/channels/shared-frame.js';

interface Row {
  readonly id: number;
  readonly part: string;
  readonly v: number;
}

/** As the documentation tells a client to. */
function apply(
  key: readonly (keyof Row)[],
  rows: readonly Row[],
  upsert: readonly Row[],
  remove: readonly unknown[],
): Row[] {
  const idOf = (row: Row): string =>
    JSON.stringify(key.length === 1 ? row[key[0] as keyof Row] : key.map((column) => row[column]));
  const gone = new Set(remove.map((id) => JSON.stringify(id)));
  const table = new Map(rows.filter((row) => !gone.has(idOf(row))).map((row) => [idOf(row), row]));
  for (const row of upsert) table.set(idOf(row), row);
  return [...table.values()];
}

const row = fc.record({ id: fc.nat(8), part: fc.constantFrom('a', 'b', 'ü'), v: fc.nat(3) });

describe('a delta', () => {
  it.each([[['id']], [['id', 'part']]] as (keyof Row)[][][])(
    'applied gives the very rows of the frame, or is none: key %j',
    (key) => {
      const idOf = (one: Row): string => JSON.stringify(key.map((column) => one[column]));
      const table = fc.uniqueArray(row, { selector: idOf, maxLength: 12 });
      let deltas = 0;
      fc.assert(
        fc.property(table, table, fc.boolean(), (before, other, close) => {
          const after = close
            ? before.map((one, i) => ({ ...one, v: other[i]?.v ?? one.v })).slice(other.length % 3)
            : other;
          const text = `${JSON.stringify(after)}${' '.repeat(500)}`;
          const delta = deltaBetween(key, { seq: 4, rows: before }, { rows: after, text });
          if (!delta) return;
          deltas += 1;
          expect(delta.base).toBe(4);
          expect(apply(key, before, JSON.parse(delta.upsert) as Row[], JSON.parse(delta.remove) as unknown[])).toEqual(
            after,
          );
        }),
      );
      expect(deltas).toBeGreaterThan(10);
    },
  );

  it('removes by the value of one key column, by the array of several', () => {
    const before = [
      { id: 1, part: 'a', v: 1 },
      { id: 2, part: 'b', v: 1 },
    ];
    const after = { rows: before.slice(1), text: JSON.stringify(before) };
    expect(deltaBetween(['id'], { seq: 1, rows: before }, after)?.remove).toBe('[1]');
    expect(deltaBetween(['id', 'part'], { seq: 1, rows: before }, after)?.remove).toBe('[[1,"a"]]');
  });

  it('is none where it would not be smaller, keys are not unique or missing, or the order is another', () => {
    const text = ' '.repeat(1_000);
    const of = (before: object[], after: object[], size = text) =>
      deltaBetween(['id'], { seq: 1, rows: before }, { rows: after, text: size });
    expect(of([{ id: 1 }], [{ id: 2 }], '[{"id":2}]')).toBeNull();
    expect(of([{ id: 1 }, { id: 1 }], [{ id: 1 }])).toBeNull();
    expect(of([{ id: null }], [{ id: 1 }])).toBeNull();
    expect(of([{ id: 1 }, { id: 2 }], [{ id: 2 }, { id: 1 }])).toBeNull();
    expect(of([{ id: 1 }], [{ id: 0 }, { id: 1 }])).toBeNull();
    expect(of([{ id: 1 }], [{ id: 1 }, { id: 0 }])).toMatchObject({ upsert: '[{"id":0}]', remove: '[]' });
  });
});

describe('the wire form of a packet', () => {
  it.each([124, 125, 126, 65_534, 65_535, 65_536])('frames %i bytes with the right length', (bytes) => {
    const wire = encodeWire('x'.repeat(bytes));
    const length = bytes + 1;
    const header = length < 126 ? 2 : length < 65_536 ? 4 : 10;
    const told = header === 2 ? wire[1] : header === 4 ? wire.readUInt16BE(2) : Number(wire.readBigUInt64BE(2));
    expect([wire[0], told, wire.length]).toEqual([0x81, length, header + length]);
    expect(wire.toString('latin1', header, header + 3)).toBe('4xx');
  });

  it('counts bytes, not characters', () => {
    expect(encodeWire('ü🚀').subarray(0, 3)).toEqual(Buffer.from([0x81, 7, 0x34]));
  });
});
