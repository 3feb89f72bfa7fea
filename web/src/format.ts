/** Values as people read them. Widths stay put while values change: tabular digits, fixed numbers of decimals per format. */
import type { JsonValue } from '../../client/index.js';

export type Format = 'number' | 'whole' | 'compact' | 'money' | 'milliseconds' | 'percent' | 'time' | 'ago' | 'text';

const LOCALE = 'en';
const whole = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 0 });
const decimal = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 2 });
const compact = new Intl.NumberFormat(LOCALE, { notation: 'compact', maximumFractionDigits: 2 });
const cents = new Intl.NumberFormat(LOCALE, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const shortClock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });

export const NOTHING = '–';

/** ISO 8601 with a date and a time, as Postgres's JSON has it. */
const MOMENT = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d/;
const DATE = /^\d{4}-\d\d-\d\d$/;

export function isMoment(value: JsonValue | undefined): value is string {
  return typeof value === 'string' && MOMENT.test(value) && !Number.isNaN(Date.parse(value));
}

export function isDate(value: JsonValue | undefined): value is string {
  return typeof value === 'string' && DATE.test(value);
}

export function formatNumber(value: number, format: Format = 'number'): string {
  switch (format) {
    case 'money':
      return Math.abs(value) < 1000 ? cents.format(value) : whole.format(value);
    case 'whole':
      return whole.format(value);
    case 'compact':
      return compact.format(value);
    case 'milliseconds':
      return value < 10_000 ? `${whole.format(value)} ms` : `${decimal.format(value / 1000)} s`;
    case 'percent':
      return `${decimal.format(value)} %`;
    default:
      return Number.isInteger(value) ? whole.format(value) : decimal.format(value);
  }
}

/** Milliseconds since 1970; NaN when it is no moment. */
export function momentMs(value: JsonValue | undefined): number {
  return typeof value === 'string' ? Date.parse(value) : Number.NaN;
}

export function textOf(value: JsonValue | undefined): string {
  if (value === null || value === undefined || value === '') return NOTHING;
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** @param now milliseconds since 1970, for moments: those of another day carry their date */
export function formatValue(value: JsonValue | undefined, format: Format | undefined, now: number): string {
  if (value === null || value === undefined || value === '') return NOTHING;
  if (typeof value === 'number') return formatNumber(value, format);
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'object') return JSON.stringify(value);
  if (format === 'ago' && isMoment(value)) return formatAge(now - Date.parse(value));
  if (format !== 'text' && isMoment(value)) return formatMoment(Date.parse(value), now);
  if (format !== 'text' && isDate(value)) return day.format(Date.parse(`${value}T12:00`));
  return value;
}

function formatMoment(ms: number, now: number): string {
  const sameDay = new Date(ms).toDateString() === new Date(now).toDateString();
  return sameDay ? clock.format(ms) : `${day.format(ms)}, ${shortClock.format(ms)}`;
}

/** A length of time as one number: `now`, `4 s`, `3 min`, `2 h`, `5 d`. */
export function formatAge(ms: number): string {
  if (ms < 1000) return 'now';
  if (ms < 60_000) return `${Math.floor(ms / 1000)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min`;
  if (ms < 172_800_000) return `${Math.floor(ms / 3_600_000)} h`;
  return `${Math.floor(ms / 86_400_000)} d`;
}

/** Time on an axis: seconds only where the ticks are closer than a minute. */
export function formatTick(seconds: number, stepSeconds: number): string {
  const ms = seconds * 1000;
  if (stepSeconds >= 86_400) return day.format(ms);
  return stepSeconds < 60 ? clock.format(ms) : shortClock.format(ms);
}

export function formatClock(ms: number): string {
  return clock.format(ms);
}

/** A change between two numbers, in per cent of the first, with its sign: `+3.2 %`. */
export function formatChange(from: number, to: number): string {
  if (from === 0) return to === 0 ? '0 %' : 'new';
  const percent = ((to - from) / Math.abs(from)) * 100;
  const rounded = Math.abs(percent) < 10 ? Math.round(percent * 10) / 10 : Math.round(percent);
  if (rounded === 0) return '0 %';
  return `${rounded > 0 ? '+' : '−'}${decimal.format(Math.abs(rounded))} %`;
}

/** A column's name as a label: `p95_ms` → `P95 ms`, `average_order` → `Average order`. */
export function labelOf(column: string): string {
  const words = column.replaceAll('_', ' ').trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
