import PDFDocument from 'pdfkit';
import type { ParamValue } from '../../topics/topic.js';
import type { Column } from '../columns.js';
import { chartOf, type Texts } from './chart.js';
import { fitted, type Doc } from './doc.js';
import { drawChart } from './draw-chart.js';
import { ACCENT, FONTS, formatCount, INK, INK_2, INK_3, labelOf, MARGIN, RULE } from './look.js';
import { drawTable } from './table.js';

export interface Report {
  readonly title: string;
  readonly topic: string;
  readonly params: Readonly<Record<string, ParamValue>>;
  /** When it was asked for, ms since 1970. */
  readonly at: number;
  readonly columns: readonly Column[];
  readonly rows: readonly Texts[];
  /** There are rows that are not in it. */
  readonly more: boolean;
}

/** More columns than this are given the long side of the paper. */
const UPRIGHT_COLUMNS = 6;

/** A report on paper: title, parameters, time, a chart if the rows are one, and the table. Its rows are all in memory. */
export async function* pdfOf(report: Report): AsyncIterable<Buffer> {
  const doc = new PDFDocument({
    size: 'A4',
    layout: report.columns.length > UPRIGHT_COLUMNS ? 'landscape' : 'portrait',
    margin: MARGIN,
    // The number of pages stands on each of them.
    bufferPages: true,
    info: { Title: report.title, Creator: 'Pollcast', CreationDate: new Date(report.at) },
    lang: 'en',
    displayTitle: true,
  });
  // Nothing flows: whatever is written stands where it was put, also below the margin.
  doc.page.margins.bottom = 0;
  doc.on('pageAdded', () => (doc.page.margins.bottom = 0));
  const drawing = draw(doc, report).then(
    () => doc.end(),
    (error: unknown) => void doc.destroy(error as Error),
  );
  yield* doc as AsyncIterable<Buffer>;
  await drawing;
}

async function draw(doc: Doc, report: Report): Promise<void> {
  const box = { x: MARGIN, width: doc.page.width - 2 * MARGIN };
  let y = drawTitle(doc, report, box.width);
  const chart = chartOf(report.columns, report.rows);
  if (chart) y += drawChart(doc, chart, { ...box, y }) + 12;
  await drawTable(doc, report.columns, report.rows, y);
  drawFeet(doc, report);
}

function drawTitle(doc: Doc, { title, topic, at, rows, more, params }: Report, width: number): number {
  doc.rect(MARGIN, MARGIN - 12, 28, 3).fill(ACCENT);
  doc.font(FONTS.strong, 19).fillColor(INK);
  doc.text(fitted(doc, title, width), MARGIN, MARGIN, { lineBreak: false });
  const time = `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
  const count = more ? `the first ${formatCount(rows.length)}; csv and xlsx have all` : formatCount(rows.length);
  doc.font(FONTS.plain, 8.5).fillColor(INK_3);
  const facts = [...(topic === title ? [] : [topic]), time, count].join('  ·  ');
  doc.text(fitted(doc, facts, width), MARGIN, MARGIN + 28, { lineBreak: false });
  return drawParams(doc, params, MARGIN + 46, width) + 10;
}

function drawParams(doc: Doc, params: Report['params'], y: number, width: number): number {
  const names = Object.keys(params);
  if (names.length === 0) return y;
  let [x, line] = [MARGIN, y];
  for (const name of names) {
    doc.font(FONTS.strong, 8.5);
    const label = labelOf(name);
    const labelWidth = doc.widthOfString(label) + 5;
    doc.font(FONTS.plain, 8.5);
    const value = fitted(doc, textOf(params[name] ?? null), width - labelWidth);
    const valueWidth = doc.widthOfString(value);
    if (x > MARGIN && x + labelWidth + valueWidth > MARGIN + width) [x, line] = [MARGIN, line + 14];
    doc.font(FONTS.strong, 8.5).fillColor(INK_2).text(label, x, line, { lineBreak: false });
    doc
      .font(FONTS.plain, 8.5)
      .fillColor(INK)
      .text(value, x + labelWidth, line, { lineBreak: false });
    x += labelWidth + valueWidth + 18;
  }
  return line + 14;
}

function textOf(value: ParamValue): string {
  if (value === null) return 'none';
  return Array.isArray(value) ? value.map(String).join(', ') : String(value);
}

function drawFeet(doc: Doc, { title }: Report): void {
  const { start, count } = doc.bufferedPageRange();
  for (let page = 0; page < count; page++) {
    doc.switchToPage(start + page);
    const y = doc.page.height - MARGIN + 6;
    const width = doc.page.width - 2 * MARGIN;
    doc.moveTo(MARGIN, y - 6).lineTo(MARGIN + width, y - 6);
    doc.lineWidth(0.5).stroke(RULE);
    const text = `${page + 1} / ${count}`;
    doc.font(FONTS.plain, 7.5).fillColor(INK_3);
    const numberWidth = doc.widthOfString(text);
    doc.text(fitted(doc, title, width - numberWidth - 20), MARGIN, y, { lineBreak: false });
    doc.text(text, MARGIN + width - numberWidth, y, { lineBreak: false });
  }
}
