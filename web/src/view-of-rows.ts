/** What a topic nobody designed a panel for is best shown as, judged by its rows. */
import type { JsonValue, Row } from '../../client/index.js';
import { isMoment, momentMs } from './format.js';

export type GenericView =
  | { readonly kind: 'chart'; readonly time: string; readonly values: readonly string[] }
  | { readonly kind: 'number'; readonly value: string }
  | { readonly kind: 'table' };

/** A chart with more lines than this can no longer be read. */
const MOST_LINES = 5;

/**
 * Moments that rise or fall from row to row, and numbers beside them: a chart. One row with one number: a number.
 * Anything else, and a list of things that happen to carry a moment (texts beside it): a table.
 */
export function viewOfRows(rows: readonly Row[]): GenericView {
  const [first] = rows;
  if (first === undefined) return { kind: 'table' };
  const columns = Object.keys(first);
  const numbers = columns.filter((column) =>
    rows.every((row) => row[column] === null || typeof row[column] === 'number'),
  );
  const time = columns.find((column) => rows.every((row) => isMoment(row[column])));
  const values = numbers.filter((column) => rows.some((row) => row[column] !== null));
  const [only] = values;
  if (rows.length === 1 && columns.length === 1 && only !== undefined) return { kind: 'number', value: only };
  const rest = columns.length - values.length - (time === undefined ? 0 : 1);
  const drawable = values.length > 0 && values.length <= MOST_LINES && rest === 0;
  if (time !== undefined && drawable && rows.length > 2 && isOrdered(rows.map((row) => row[time]))) {
    return { kind: 'chart', time, values };
  }
  return { kind: 'table' };
}

function isOrdered(moments: readonly (JsonValue | undefined)[]): boolean {
  const steps = moments.slice(1).map((moment, i) => Math.sign(momentMs(moment) - momentMs(moments[i])));
  return steps.every((step) => step === 1) || steps.every((step) => step === -1);
}
