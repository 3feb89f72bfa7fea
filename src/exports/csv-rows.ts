import { parseRow, rowEnd } from './csv.js';

/** Fields of the rows of CSV that comes in chunks, without the header; all rows of a chunk at once. */
export async function* rowsOfCsv(
  chunks: AsyncIterable<Buffer>,
  { header }: { readonly header: boolean },
): AsyncIterable<(string | null)[][]> {
  let rest: Buffer = Buffer.alloc(0);
  let skip = header;
  for await (const chunk of chunks) {
    const data = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    const rows: (string | null)[][] = [];
    let from = 0;
    for (let end = rowEnd(data, 0); end >= 0; end = rowEnd(data, from)) {
      if (skip) skip = false;
      else rows.push(parseRow(data, from, end - 1));
      from = end;
    }
    rest = data.subarray(from);
    if (rows.length > 0) yield rows;
  }
}

/** One row as COPY writes it: nothing for NULL, quotes where a reader would stumble without. */
export function csvRow(fields: readonly (string | null)[]): string {
  return `${fields.map(csvField).join(',')}\n`;
}

function csvField(field: string | null): string {
  if (field === null) return '';
  return field === '' || field === '\\.' || /[",\n\r]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}
