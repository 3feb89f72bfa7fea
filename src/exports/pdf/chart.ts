import { exactNumberOf, momentOf, type Column } from '../columns.js';

export type Texts = readonly (string | null)[];

export type Chart =
  | {
      readonly kind: 'lines';
      /** Ms since 1970, rising. */
      readonly times: readonly number[];
      readonly series: readonly { readonly name: string; readonly values: readonly (number | null)[] }[];
    }
  | {
      readonly kind: 'bars';
      readonly name: string;
      readonly bars: readonly { readonly label: string; readonly value: number }[];
      /** Further rows that have no bar. */
      readonly left: number;
    };

const MOST_LINES = 5;
const MOST_BARS = 12;

/**
 * Moments that rise or fall from row to row, with nothing but numbers beside them: lines. A text that names each row, and a
 * number: bars. Anything else is a table only.
 */
export function chartOf(columns: readonly Column[], rows: readonly Texts[]): Chart | null {
  return linesOf(columns, rows) ?? barsOf(columns, rows);
}

function linesOf(columns: readonly Column[], rows: readonly Texts[]): Chart | null {
  const time = columns.findIndex(({ type }) => type === 'moment' || type === 'date');
  const values = placesOf(columns, 'number');
  if (time < 0 || rows.length < 3 || values.length === 0 || values.length > MOST_LINES) return null;
  if (columns.length !== values.length + 1) return null;
  const times = rows.map((row) => momentOf(row[time] ?? ''));
  if (!times.every((at) => at !== undefined)) return null;
  const steps = times.slice(1).map((at, i) => Math.sign(at - (times[i] as number)));
  if (!steps.every((step) => step !== 0 && step === steps[0])) return null;
  const falling = steps[0] === -1;
  const inOrder = <T>(list: readonly T[]): readonly T[] => (falling ? [...list].reverse() : list);
  const series = values.map((place) => ({
    name: columns[place]?.name ?? '',
    values: inOrder(rows.map((row) => numberOf(row[place] ?? null))),
  }));
  return { kind: 'lines', times: inOrder(times), series };
}

function barsOf(columns: readonly Column[], rows: readonly Texts[]): Chart | null {
  if (rows.length < 2 || columns.some(({ type }) => type === 'moment' || type === 'date')) return null;
  const label = columns.findIndex(({ type }) => type === 'text');
  const value = columns.findIndex(({ type }) => type === 'number');
  const shown = rows.slice(0, MOST_BARS);
  const labels = shown.map((row) => row[label] ?? '');
  if (label < 0 || value < 0 || new Set(labels).size < labels.length) return null;
  const bars = shown.map((row, i) => ({ label: labels[i] as string, value: numberOf(row[value] ?? null) ?? 0 }));
  return { kind: 'bars', name: columns[value]?.name ?? '', bars, left: rows.length - bars.length };
}

function placesOf(columns: readonly Column[], type: Column['type']): number[] {
  return columns.flatMap((column, place) => (column.type === type ? [place] : []));
}

function numberOf(text: string | null): number | null {
  if (text === null) return null;
  const value = exactNumberOf(text) ?? Number(text);
  return Number.isFinite(value) ? value : null;
}

/** Round values from at or below `least` to at or above `most`, about `wanted` of them. */
export function ticksOf(least: number, most: number, wanted: number): number[] {
  // No thinner than what a double can still tell apart.
  const span = Math.max(most - least, 1e-6 * Math.max(Math.abs(least), Math.abs(most)), 1e-9);
  const rough = span / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power;
  const first = Math.floor(least / step);
  const last = Math.max(Math.ceil(most / step), first + 1);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}
