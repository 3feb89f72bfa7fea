import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Column } from '../columns.js';
import type { Texts } from './chart.js';
import { fitted, type Doc } from './doc.js';
import { FONTS, INK, INK_2, INK_3, labelOf, MARGIN, RULE, RULE_STRONG, STRIPE } from './look.js';

const SIZE = 7.5;
const ROW = 15;
const GAP = 10;
const LEAST_WIDTH = 24;
const LEAST_TEXT = 56;
const MOST_WIDTH = 230;
/** Widths are measured by these. */
const SAMPLE = 60;

/** Prints the rows from `y` on, over as many pages as they take, each with the header. */
export async function drawTable(
  doc: Doc,
  columns: readonly Column[],
  rows: readonly Texts[],
  y: number,
): Promise<void> {
  const width = doc.page.width - 2 * MARGIN;
  const places = placesOf(doc, columns, rows, width);
  const bottom = doc.page.height - MARGIN - 14;
  let at = drawHead(doc, columns, places, y);
  for (const [n, row] of rows.entries()) {
    if (at + ROW > bottom) {
      doc.addPage();
      at = drawHead(doc, columns, places, MARGIN);
      // A page takes some milliseconds; whatever else the node does comes in between.
      await nextTurn();
    }
    if (n % 2 === 1) doc.rect(MARGIN, at, width, ROW).fill(STRIPE);
    doc.font(FONTS.plain, SIZE);
    places.forEach((place, i) => drawCell(doc, row[i] ?? null, columns[i]?.type === 'number', place, at + 2.5));
    at += ROW;
  }
  doc
    .moveTo(MARGIN, at)
    .lineTo(MARGIN + width, at)
    .lineWidth(0.5)
    .stroke(RULE);
  const hidden = columns.length - places.length;
  const said = [
    ...(rows.length === 0 ? ['No rows.'] : []),
    ...(hidden > 0 ? [`${hidden} further columns do not fit on the page; csv and xlsx have them.`] : []),
  ];
  if (said.length > 0) {
    doc.font(FONTS.plain, SIZE).fillColor(INK_3);
    doc.text(said.join(' '), MARGIN, at + 5, { lineBreak: false });
  }
}

interface Place {
  readonly x: number;
  readonly width: number;
}

/** Left to right, as wide as their contents if that can be had; those that do not fit at all are left out. */
function placesOf(doc: Doc, columns: readonly Column[], rows: readonly Texts[], width: number): Place[] {
  const sample = rows.slice(0, SAMPLE);
  const wanted: number[] = [];
  const needed: number[] = [];
  let free = width + GAP;
  for (const [i, { name, type }] of columns.entries()) {
    doc.font(FONTS.strong, SIZE);
    const head = doc.widthOfString(labelOf(name));
    doc.font(FONTS.plain, SIZE);
    const cells = sample.map((row) => doc.widthOfString((row[i] ?? '').slice(0, 80).replace(/\s+/g, ' ')));
    const own = Math.min(MOST_WIDTH, Math.max(LEAST_WIDTH, head, ...cells) + 1);
    // Half a number, or half a moment, is worse than none.
    const least = type === 'text' ? Math.min(own, LEAST_TEXT) : own;
    if (free < least + GAP) break;
    free -= least + GAP;
    wanted.push(own);
    needed.push(least);
  }
  let x = MARGIN;
  return shared(needed, wanted, free).map((own) => {
    const place = { x, width: own };
    x += own + GAP;
    return place;
  });
}

/** What is free goes in equal parts to those that want more, and what is left then to all. */
function shared(needed: readonly number[], wanted: readonly number[], free: number): number[] {
  const widths = [...needed];
  let left = free;
  for (let hungry = placesThatWant(widths, wanted); left > 0.1 && hungry.length > 0;) {
    const part = left / hungry.length;
    for (const i of hungry) {
      const given = Math.min(part, (wanted[i] as number) - (widths[i] as number));
      widths[i] = (widths[i] as number) + given;
      left -= given;
    }
    hungry = placesThatWant(widths, wanted);
  }
  return widths.map((own) => own + left / widths.length);
}

function placesThatWant(widths: readonly number[], wanted: readonly number[]): number[] {
  return widths.flatMap((own, i) => ((wanted[i] as number) - own > 0.1 ? [i] : []));
}

function drawHead(doc: Doc, columns: readonly Column[], places: readonly Place[], y: number): number {
  doc.font(FONTS.strong, SIZE).fillColor(INK_2);
  places.forEach(({ x, width }, i) => {
    const { name, type } = columns[i] as Column;
    drawText(doc, fitted(doc, labelOf(name), width), type === 'number', { x, width }, y + 2);
  });
  doc.moveTo(MARGIN, y + ROW).lineTo(doc.page.width - MARGIN, y + ROW);
  doc.lineWidth(0.8).stroke(RULE_STRONG);
  return y + ROW + 1;
}

function drawCell(doc: Doc, text: string | null, right: boolean, place: Place, y: number): void {
  doc.fillColor(text === null ? INK_3 : INK);
  drawText(doc, text === null ? '–' : fitted(doc, text, place.width), right, place, y);
}

function drawText(doc: Doc, text: string, right: boolean, { x, width }: Place, y: number): void {
  if (text === '') return;
  doc.text(text, right ? x + width - doc.widthOfString(text) : x, y, { lineBreak: false });
}
