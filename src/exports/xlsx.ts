import { Readable } from 'node:stream';
import { writeXlsxStream } from 'hucre/xlsx';
import { exactNumberOf, momentOf, type Column, type ColumnType } from './columns.js';

/** What a cell can hold. */
const MOST_CHARS = 32_767;
/** The first day that spreadsheets count right. */
const FIRST_MOMENT = Date.UTC(1900, 2, 1);
const LAST_MOMENT = Date.UTC(10_000, 0, 1);

const LOOKS: Readonly<Record<ColumnType, { width: number; numFmt?: string }>> = {
  number: { width: 14 },
  boolean: { width: 9 },
  date: { width: 12, numFmt: 'yyyy-mm-dd' },
  moment: { width: 20, numFmt: 'yyyy-mm-dd hh:mm:ss' },
  text: { width: 28 },
};

/**
 * A workbook, written while its rows are read: memory does not grow with them. What is text stays text (nothing that
 * begins with `=` becomes a formula), and so do numbers that a spreadsheet would round.
 */
export function xlsxOf(
  title: string,
  columns: readonly Column[],
  rows: AsyncIterable<readonly (readonly (string | null)[])[]>,
): Readable {
  async function* cells(): AsyncIterable<(string | number | boolean | Date | null)[]> {
    for await (const some of rows) {
      for (const row of some) yield row.map((text, i) => cellOf(text, columns[i]?.type ?? 'text'));
    }
  }
  return Readable.fromWeb(
    writeXlsxStream(cells(), {
      name: sheetName(title),
      columns: columns.map(({ name, type }) => ({ header: name, ...LOOKS[type] })),
      freezePane: { rows: 1 },
      // Without it a sheet of more than 4 GB would fail at its very end.
      zip64: true,
    }) as Parameters<typeof Readable.fromWeb>[0],
  );
}

export function cellOf(text: string | null, type: ColumnType): string | number | boolean | Date | null {
  if (text === null) return null;
  if (type === 'number') return exactNumberOf(text) ?? text;
  if (type === 'boolean') return text === 't' || text === 'true';
  if (type === 'date' || type === 'moment') {
    const at = momentOf(text);
    return at === undefined || at < FIRST_MOMENT || at >= LAST_MOMENT ? text : new Date(at);
  }
  return text.length > MOST_CHARS ? `${text.slice(0, MOST_CHARS - 1)}…` : text;
}

/** At most 31 characters, none of those that a sheet's name must not have. */
export function sheetName(title: string): string {
  const name = title
    .replace(/[[\]:*?/\\']/g, ' ')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, 31)
    .trim();
  return name === '' ? 'Export' : name;
}
