import type PDFDocument from 'pdfkit';

export type Doc = InstanceType<typeof PDFDocument>;

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
}

/** The text on one line, in the font that is set; cut with an ellipsis where it is too long. */
export function fitted(doc: Doc, text: string, width: number): string {
  const line = text.replace(/\s+/g, ' ');
  if (doc.widthOfString(line) <= width) return line;
  const letters = Array.from(line);
  let [fits, tooLong] = [0, letters.length];
  while (tooLong - fits > 1) {
    const half = (fits + tooLong) >> 1;
    if (doc.widthOfString(`${letters.slice(0, half).join('')}…`) <= width) fits = half;
    else tooLong = half;
  }
  return `${letters.slice(0, fits).join('')}…`;
}
