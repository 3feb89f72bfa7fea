import { ticksOf, type Chart } from './chart.js';
import { fitted, type Box, type Doc } from './doc.js';
import { ACCENT, ACCENT_SOFT, FONTS, formatNumber, INK, INK_2, INK_3, labelOf, RULE, SERIES } from './look.js';

const SIZE = 7.5;
const LINES_HEIGHT = 190;
const BAR_HEIGHT = 17;

/** Draws it at the top of the box; returns how high it is. */
export function drawChart(doc: Doc, chart: Chart, box: Box): number {
  return chart.kind === 'lines' ? drawLines(doc, chart, box) : drawBars(doc, chart, box);
}

function drawLines(doc: Doc, { times, series }: Chart & { kind: 'lines' }, { x, y, width }: Box): number {
  const all = series.flatMap(({ values }) => values.filter((value) => value !== null));
  const ticks = ticksOf(Math.min(0, ...all), Math.max(...all, 0), 4);
  const [low, high] = [ticks[0] as number, ticks.at(-1) as number];
  doc.font(FONTS.plain, SIZE);
  const gutter = Math.max(...ticks.map((tick) => doc.widthOfString(formatNumber(tick)))) + 8;
  const legend = drawLegend(doc, series, x + gutter, y);
  const plot = { x: x + gutter, y: y + legend + 4, width: width - gutter, height: LINES_HEIGHT - legend - 24 };
  const toY = (value: number): number => plot.y + plot.height * (1 - (value - low) / (high - low));
  const [first, last] = [times[0] as number, times.at(-1) as number];
  const toX = (at: number): number => plot.x + (plot.width * (at - first)) / (last - first);
  for (const tick of ticks) {
    doc.moveTo(plot.x, toY(tick)).lineTo(plot.x + plot.width, toY(tick));
    doc.lineWidth(tick === 0 ? 0.8 : 0.4).stroke(RULE);
    const text = formatNumber(tick);
    doc.fillColor(INK_3).text(text, plot.x - 6 - doc.widthOfString(text), toY(tick) - 5, { lineBreak: false });
  }
  series.forEach(({ values }, i) => {
    let drawing = false;
    values.forEach((value, n) => {
      if (value !== null) doc[drawing ? 'lineTo' : 'moveTo'](toX(times[n] as number), toY(value));
      drawing = value !== null;
    });
    doc.lineJoin('round').lineWidth(1.2).stroke(colourOf(i));
  });
  doc.font(FONTS.plain, SIZE).fillColor(INK_3);
  const bottom = plot.y + plot.height + 5;
  const [left, right] = [momentText(first, last - first), momentText(last, last - first)];
  doc.text(left, plot.x, bottom, { lineBreak: false });
  doc.text(right, plot.x + plot.width - doc.widthOfString(right), bottom, { lineBreak: false });
  return LINES_HEIGHT;
}

function drawLegend(doc: Doc, series: readonly { name: string }[], x: number, y: number): number {
  let at = x;
  series.forEach(({ name }, i) => {
    const text = labelOf(name);
    doc.rect(at, y + 2.5, 7, 7).fill(colourOf(i));
    doc.fillColor(INK_2).text(text, at + 11, y, { lineBreak: false });
    at += 11 + doc.widthOfString(text) + 16;
  });
  return 16;
}

function drawBars(doc: Doc, { name, bars, left }: Chart & { kind: 'bars' }, { x, y, width }: Box): number {
  doc.font(FONTS.plain, SIZE).fillColor(INK_3);
  const beyond = left > 0 ? ` · the first ${bars.length} rows of ${bars.length + left}` : '';
  doc.text(`${labelOf(name)}${beyond}`, x, y, { lineBreak: false });
  const labels = Math.min(width * 0.3, Math.max(...bars.map(({ label }) => doc.widthOfString(label))) + 1);
  const numbers = Math.max(...bars.map(({ value }) => doc.widthOfString(formatNumber(value)))) + 1;
  const track = width - labels - numbers - 20;
  const most = Math.max(...bars.map(({ value }) => Math.abs(value))) || 1;
  bars.forEach(({ label, value }, i) => {
    const top = y + 16 + i * BAR_HEIGHT;
    doc.fillColor(INK).text(fitted(doc, label, labels), x, top, { lineBreak: false });
    doc.rect(x + labels + 10, top + 1.5, track, 8).fill(ACCENT_SOFT);
    doc.rect(x + labels + 10, top + 1.5, (track * Math.abs(value)) / most, 8).fill(value < 0 ? SERIES[1] : ACCENT);
    const text = formatNumber(value);
    doc.fillColor(INK).text(text, x + width - doc.widthOfString(text), top, { lineBreak: false });
  });
  return 16 + bars.length * BAR_HEIGHT + 6;
}

function colourOf(series: number): string {
  return SERIES[series % SERIES.length] as string;
}

const DAY_MS = 86_400_000;

/** No seconds where days are between the ends. */
function momentText(at: number, spanMs: number): string {
  const text = new Date(at).toISOString();
  const day = text.slice(0, 10);
  return spanMs > 60 * DAY_MS ? day : `${day} ${text.slice(11, spanMs > DAY_MS ? 16 : 19)} UTC`;
}
