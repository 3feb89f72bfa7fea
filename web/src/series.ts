/** Rows as columns of numbers over time, in the form that the chart draws. */
import type { Row } from '../../client/index.js';
import { momentMs } from './format.js';

export interface Series {
  /** Seconds since 1970, rising. */
  readonly times: readonly number[];
  /** One for each value column, in their order. */
  readonly values: readonly (readonly (number | null)[])[];
  /** Distance between two times, in seconds; 0 with fewer than two. */
  readonly bucketSeconds: number;
}

export const NO_SERIES: Series = { times: [], values: [], bucketSeconds: 0 };

export function seriesOf(rows: readonly Row[], time: string, columns: readonly string[]): Series {
  const points = rows
    .map((row) => ({ at: momentMs(row[time]) / 1000, row }))
    .filter((point) => !Number.isNaN(point.at))
    .sort((a, b) => a.at - b.at);
  const times = points.map((point) => point.at);
  const values = columns.map((column) => points.map(({ row }) => numberOf(row[column])));
  return { times, values, bucketSeconds: smallestStep(times) };
}

function numberOf(value: Row[string] | undefined): number | null {
  return typeof value === 'number' ? value : null;
}

function smallestStep(times: readonly number[]): number {
  let smallest = Number.POSITIVE_INFINITY;
  for (let i = 1; i < times.length; i += 1) {
    const step = (times[i] ?? 0) - (times[i - 1] ?? 0);
    if (step > 0 && step < smallest) smallest = step;
  }
  return Number.isFinite(smallest) ? smallest : 0;
}

/**
 * Without the bucket that is still filling: as a point of a line it would look like a fall. Bars may keep it, since a bar
 * that grows reads as what it is.
 */
export function completeOnly(series: Series, nowSeconds: number): Series {
  const last = series.times.at(-1);
  if (last === undefined || series.bucketSeconds === 0 || last + series.bucketSeconds <= nowSeconds) return series;
  return {
    ...series,
    times: series.times.slice(0, -1),
    values: series.values.map((column) => column.slice(0, -1)),
  };
}

/** Each column on top of those before it. */
export function stacked(series: Series): Series {
  const sums = series.times.map(() => 0);
  const values = series.values.map((column) => column.map((value, i) => (sums[i] = (sums[i] ?? 0) + (value ?? 0))));
  return { ...series, values };
}

export interface Span {
  readonly min: number;
  readonly max: number;
}

/**
 * The part of time that is shown. Live data (the last point is about now) follows the clock, so that it glides; data of
 * the past stands still.
 */
export function spanOf(series: Series, nowSeconds: number, withRoomForBar: boolean): Span {
  const first = series.times[0];
  const last = series.times.at(-1);
  if (first === undefined || last === undefined) return { min: nowSeconds - 60, max: nowSeconds };
  const { bucketSeconds } = series;
  const end = last + (withRoomForBar ? bucketSeconds : 0);
  const lag = nowSeconds - last;
  const live = lag >= -bucketSeconds && lag <= 3 * bucketSeconds;
  if (!live || bucketSeconds === 0) return { min: first, max: Math.max(end, first + 1) };
  const length = last - first;
  const max = withRoomForBar ? nowSeconds + bucketSeconds : nowSeconds - bucketSeconds;
  return { min: max - length + bucketSeconds, max };
}

/** The next round number at or above: an axis that ends there changes rarely. */
export function roundUp(value: number): number {
  if (value <= 0) return 1;
  const magnitude = 10 ** Math.floor(Math.log10(value));
  const step = [1, 1.2, 1.6, 2, 2.5, 3, 4, 5, 6, 8, 10].find((factor) => factor * magnitude >= value) ?? 10;
  return step * magnitude;
}
