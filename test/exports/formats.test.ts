import { afterEach, beforeEach, describe, expect, it, test } from '@jest/globals';
import { streamXlsxRows } from 'hucre/xlsx';
import { exactNumberOf, momentOf } from '../../src/exports/columns.js';
import { csvRow, rowsOfCsv } from '../../src/exports/csv-rows.js';
import { chartOf, ticksOf } from '../../src/exports/pdf/chart.js';
import { cellOf, sheetName } from '../../src/exports/xlsx.js';
import fc from 'fast-check';
import { Stage, type StageNode } from './stage.js';

test('numbers that a double holds are numbers, all others stay texts', () => {
  expect(exactNumberOf('-12.50')).toBe(-12.5);
  expect(exactNumberOf('9007199254740993')).toBeUndefined();
  expect(exactNumberOf('0.1234567890123456789')).toBeUndefined();
  expect(exactNumberOf('1000000000000000000000')).toBe(1e21);
  expect(exactNumberOf('0.30000000000000004')).toBe(0.30000000000000004);
  for (const text of ['NaN', 'Infinity', '', ' ', 'x']) expect(exactNumberOf(text)).toBeUndefined();
});

test('moments are read with their zone', () => {
  expect(momentOf('2026-01-02')).toBe(Date.UTC(2026, 0, 2));
  expect(momentOf('2026-01-02 03:04:05.5+02')).toBe(Date.UTC(2026, 0, 2, 1, 4, 5, 500));
  expect(momentOf('2026-01-02T03:04:05-05:30')).toBe(Date.UTC(2026, 0, 2, 8, 34, 5));
  expect(momentOf('infinity')).toBeUndefined();
  expect(momentOf('0044-03-15 00:00:00 BC')).toBeUndefined();
});

test('a cell is what the column says, as long as nothing is lost', () => {
  expect(cellOf('=1+1', 'text')).toBe('=1+1');
  expect(cellOf('007', 'text')).toBe('007');
  expect(cellOf('12345678901234567890', 'number')).toBe('12345678901234567890');
  expect(cellOf('f', 'boolean')).toBe(false);
  expect(cellOf('1850-01-01', 'date')).toBe('1850-01-01');
  expect(cellOf('2026-01-01', 'date')).toEqual(new Date('2026-01-01'));
  expect(cellOf('x'.repeat(40_000), 'text')).toHaveLength(32_767);
  expect(cellOf(null, 'number')).toBeNull();
  expect(sheetName('Orders: [EU/US]? of a rather long title')).toBe('Orders EU US of a rather long t');
  expect(sheetName('//')).toBe('Export');
});

test('what is written as CSV is read again, wherever it is cut', async () => {
  const field = fc.option(fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r', '\\', '.', 'é', ' ') }));
  await fc.assert(
    fc.asyncProperty(
      // One column of NULL alone is an empty line: two at least.
      fc.integer({ min: 2, max: 4 }).chain((n) => fc.array(fc.array(field, { minLength: n, maxLength: n }))),
      fc.integer({ min: 1, max: 9 }),
      async (rows, size) => {
        const data = Buffer.from(rows.map(csvRow).join(''));
        async function* chunks(): AsyncIterable<Buffer> {
          for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
        }
        const seen: (string | null)[][] = [];
        for await (const some of rowsOfCsv(chunks(), { header: false })) seen.push(...some);
        expect(seen).toEqual(rows);
      },
    ),
  );
});

describe('the chart of a report', () => {
  const at = { name: 'at', type: 'moment' } as const;
  const n = { name: 'n', type: 'number' } as const;
  const who = { name: 'who', type: 'text' } as const;
  const days = ['2026-01-03', '2026-01-02', '2026-01-01'];

  it('is lines where moments rise or fall with nothing but numbers beside them', () => {
    const rows = days.map((day, i) => [day, i === 1 ? null : String(i)]);
    expect(chartOf([at, n], rows)).toEqual({
      kind: 'lines',
      times: [...days].reverse().map((day) => Date.parse(day)),
      series: [{ name: 'n', values: [2, null, 0] }],
    });
  });

  it('is bars where a text names each row, and none for anything else', () => {
    const rows = ['x', 'y'].map((name, i) => [name, String(i)]);
    expect(chartOf([who, n], rows)).toMatchObject({ kind: 'bars', name: 'n', left: 0 });
    expect(chartOf([who, n], [...rows, ['x', '1']])).toBeNull();
    expect(chartOf([at, who, n], [['2026-01-01', 'x', '1']])).toBeNull();
    expect(chartOf([n], [['1'], ['2']])).toBeNull();
    expect(chartOf([], [])).toBeNull();
  });

  it('has round ticks that hold all values', () => {
    fc.assert(
      fc.property(
        fc.double({ min: -1e9, max: 1e9, noNaN: true }),
        fc.double({ min: 0, max: 1e9, noNaN: true }),
        (low, span) => {
          const ticks = ticksOf(low, low + span, 4);
          expect(ticks.length).toBeGreaterThan(1);
          expect(ticks.length).toBeLessThan(9);
          const grace = 1e-9 * Math.max(1, Math.abs(low), Math.abs(low + span));
          expect(ticks[0]).toBeLessThanOrEqual(low + grace);
          expect(ticks.at(-1)).toBeGreaterThanOrEqual(low + span - grace);
        },
      ),
    );
  });
});

describe('topics in code', () => {
  let stage: Stage;
  let node: StageNode;

  beforeEach(async () => {
    stage = await Stage.open();
    node = await stage.node('a');
  });

  afterEach(() => stage.close());

  const row = (id: number) => ({
    id,
    name: id % 2 === 0 ? `it's "${id}", =1+1` : null,
    when: new Date(Date.UTC(2026, 0, 1, 0, 0, id)),
    big: 9_007_199_254_740_993n,
    ok: id > 1,
    list: [id, 'x'],
  });

  async function* rows(count: number) {
    for (let id = 1; id <= count; id++) yield row(id);
  }

  it('are exported as csv, xlsx and pdf: the same rows', async () => {
    const topic = stage.serve('things', () => rows(2_345), { title: 'Things' });
    await stage.request(node, topic, 'csv');
    const csv = await stage.ended(node);
    expect(csv).toMatchObject({ state: 'ready', rows: 2_345, progress: 1 });
    expect(csv.pieces.length).toBeGreaterThan(1);
    const lines = (await stage.file(csv)).toString().split('\n');
    expect(lines.slice(0, 3)).toEqual([
      'id,name,when,big,ok,list',
      '1,,2026-01-01T00:00:01.000Z,9007199254740993,false,"[1,""x""]"',
      '2,"it\'s ""2"", =1+1",2026-01-01T00:00:02.000Z,9007199254740993,true,"[2,""x""]"',
    ]);
    expect(lines).toHaveLength(2_347);

    await stage.request(node, topic, 'xlsx');
    const xlsx = await stage.ended(node);
    expect(xlsx).toMatchObject({ state: 'ready', rows: 2_345, stage: 'made' });
    expect(xlsx.pieces).toHaveLength(1);
    const cells = [];
    for await (const { values } of streamXlsxRows(await stage.file(xlsx))) cells.push(values);
    expect(cells).toHaveLength(2_346);
    expect(cells[0]).toEqual(['id', 'name', 'when', 'big', 'ok', 'list']);
    expect(cells[2]).toEqual([2, `it's "2", =1+1`, '2026-01-01T00:00:02.000Z', '9007199254740993', true, '[2,"x"]']);
    // Nothing is left of the pieces that it was made of.
    const left = [];
    for await (const { path } of stage.storage.list('exports')) left.push(path);
    expect(left).toEqual(xlsx.pieces.map(({ path }) => path));

    await stage.request(node, topic, 'pdf');
    const pdf = await stage.ended(node);
    expect(pdf).toMatchObject({ state: 'ready', rows: 50 });
    const file = await stage.file(pdf);
    expect(file.subarray(0, 5).toString()).toBe('%PDF-');
    expect(file.toString('latin1')).toMatch(/\/Count 2\b/);
    expect(file.subarray(-6).toString()).toMatch(/%%EOF/);
  });

  it('fail with a code when their rows are not alike, or when they throw', async () => {
    const unlike = stage.serve('unlike', () => [{ a: 1 }, { a: 2, b: 3 }]);
    await stage.request(node, unlike, 'csv');
    expect((await stage.ended(node)).error).toMatchObject({
      code: 'QUERY_FAILED',
      message: expect.stringMatching(/columns of the first row \(a\).*got b in row 2/) as unknown,
    });
    const broken = stage.serve('broken', () => {
      throw new Error('a secret');
    });
    await stage.request(node, broken, 'xlsx');
    const { error } = await stage.ended(node);
    expect(error).toMatchObject({ code: 'QUERY_FAILED' });
    expect(JSON.stringify(error)).not.toMatch(/secret/);
  });

  it('without rows make an empty file in each format', async () => {
    const topic = stage.serve('nothing', () => []);
    for (const format of ['csv', 'xlsx', 'pdf'] as const) {
      await stage.request(node, topic, format);
      expect(await stage.ended(node)).toMatchObject({ state: 'ready', rows: 0, progress: 1 });
    }
  });
});
