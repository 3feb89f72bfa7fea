import { Readable } from 'node:stream';
import type { Storage } from '../storage/storage.js';
import type { Topic } from '../topics/topic.js';
import { rowsOfCsv } from './csv-rows.js';
import { piecesOf } from './pieces.js';
import type { ExportRecord, Piece } from './record.js';

export interface MakeOptions {
  readonly storage: Storage;
  readonly path: string;
  /** Of a report; what is beyond is named, not printed. */
  readonly mostRows: number;
  readonly signal: AbortSignal;
  /** Told how many rows are in the file. */
  done(rows: number): void;
}

type Rows = readonly (readonly (string | null)[])[];

/** Makes the one file of an export's pieces of CSV. Resolves when it is stored. */
export async function makeFile(record: ExportRecord, topic: Topic, options: MakeOptions): Promise<Piece> {
  const { storage, path, signal } = options;
  if (record.format === 'pdf') return makeReport(record, topic, options);
  // Only who wants a workbook loads what writes it.
  const { xlsxOf } = await import('./xlsx.js');
  let rows = 0;
  async function* counted(): AsyncIterable<Rows> {
    for await (const some of gathered(record, options)) {
      yield some;
      rows += some.length;
      options.done(rows);
    }
  }
  const bytes = await storage.write(path, xlsxOf(topic.title, record.columns, counted()), signal);
  return { path, bytes, rows };
}

async function makeReport(record: ExportRecord, topic: Topic, options: MakeOptions): Promise<Piece> {
  const { storage, path, mostRows, signal } = options;
  const rows: (readonly (string | null)[])[] = [];
  for await (const some of gathered(record, options)) {
    rows.push(...some.slice(0, mostRows - rows.length).map(shortened));
  }
  const { pdfOf } = await import('./pdf/report.js');
  const { columns, params, requestedAt } = record;
  const report = pdfOf({
    title: topic.title,
    topic: topic.name,
    params,
    at: requestedAt,
    columns,
    rows,
    more: record.kept > rows.length,
  });
  const bytes = await storage.write(path, Readable.from(report), signal);
  return { path, bytes, rows: rows.length };
}

function gathered({ pieces }: ExportRecord, { storage, signal }: MakeOptions): AsyncIterable<(string | null)[][]> {
  return rowsOfCsv(piecesOf(storage, pieces, signal), { header: true });
}

/** No cell on paper shows more; a report of long documents would fill the memory. */
const PRINTED_CHARS = 200;

function shortened(row: readonly (string | null)[]): (string | null)[] {
  return row.map((text) => (text === null || text.length <= PRINTED_CHARS ? text : text.slice(0, PRINTED_CHARS)));
}
