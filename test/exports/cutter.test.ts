import { describe, expect, it, test } from '@jest/globals';
import { parseRow, rowEnd } from '../../src/exports/csv.js';
import { Cutter } from '../../src/exports/cutter.js';

async function* bytes(text: string, size: number): AsyncIterable<Buffer> {
  const all = Buffer.from(text);
  for (let at = 0; at < all.length; at += size) yield all.subarray(at, at + size);
}

const CSV = 'a,b\n1,"x\n""y"","\n1,\n2,""\n3,Grüße\n';

test('rows of CSV are told apart, and their fields: quotes, newlines within, NULL and the empty text', () => {
  const data = Buffer.from(CSV);
  const rows = [];
  for (let from = 0, end = rowEnd(data, 0); end >= 0; from = end, end = rowEnd(data, from)) {
    rows.push(parseRow(data, from, end - 1));
  }
  expect(rows).toEqual([
    ['a', 'b'],
    ['1', 'x\n"y",'],
    ['1', null],
    ['2', ''],
    ['3', 'Grüße'],
  ]);
  expect(rowEnd(Buffer.from('1,"x\n'), 0)).toBe(-1);
});

test('numbers are the same however they are written, texts are not', () => {
  const cutsOf = (lines: string[], number: boolean): number => {
    const cutter = new Cutter({ key: [{ place: 0, number }], rows: 1, bytes: 1e9, header: false });
    return [...cutter.feed(Buffer.from(`${lines.join('\n')}\n`))].filter(({ kind }) => kind === 'cut').length;
  };
  for (const same of [
    ['1', '1.0'],
    ['-0', '0'],
    ['1.50', '1.5'],
    ['100', '100.00'],
    ['0.0', '-0'],
  ]) {
    expect([cutsOf(same, true), cutsOf(same, false)]).toEqual([0, 1]);
  }
  for (const other of [
    ['1', '10'],
    ['1', '-1'],
    ['1e10', '1e1'],
    ['NaN', '0'],
    ['0.01', '0.1'],
  ])
    expect(cutsOf(other, true)).toBe(1);
});

describe('pieces', () => {
  const cut = async (size: number, key: number[], rows: number): Promise<{ text: string; rows: number }[]> => {
    const cutter = new Cutter({ key: key.map((place) => ({ place, number: false })), rows, bytes: 1e9, header: true });
    const pieces = [{ text: '', rows: 0 }];
    for await (const chunk of bytes(CSV, size)) {
      for (const step of cutter.feed(chunk)) {
        const piece = pieces.at(-1) as { text: string; rows: number };
        if (step.kind === 'cut') pieces.push({ text: '', rows: 0 });
        else {
          piece.text += step.data.toString();
          piece.rows += step.rows;
        }
      }
    }
    return pieces;
  };

  it.each([1, 5, 1_000])('end only where the key changes, and lose nothing: %i bytes at a time', async (size) => {
    expect(await cut(size, [0], 1)).toEqual([
      { text: 'a,b\n1,"x\n""y"","\n1,\n', rows: 2 },
      { text: '2,""\n', rows: 1 },
      { text: '3,Grüße\n', rows: 1 },
    ]);
  });

  it('end behind any row where there is no key', async () => {
    expect((await cut(4, [], 3)).map(({ rows }) => rows)).toEqual([3, 1]);
  });
});
