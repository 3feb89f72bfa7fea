import { PollcastError } from '../errors.js';

const UNITS = [
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
] as const;

/** What a duration looks like, for the sentences of other errors. */
export const DURATION_FORM = 'a duration such as 250ms, 5s, 10m or 1h';

/** `250ms`, `5s`, `10m`, `1h` → milliseconds; undefined when `given` is not written that way. */
export function tryDuration(given: unknown): number | undefined {
  if (typeof given !== 'string') return undefined;
  const match = /^(\d{1,12})(ms|s|m|h)$/.exec(given.trim());
  const unit = UNITS.find(([suffix]) => suffix === match?.[2]);
  if (!match || !unit) return undefined;
  const ms = Number(match[1]) * unit[1];
  return Number.isSafeInteger(ms) ? ms : undefined;
}

/**
 * `250ms`, `5s`, `10m`, `1h` → milliseconds.
 *
 * @param what   what the value is for, as the error's subject: `every`, `EXPORT_TTL`
 * @param bounds smallest and largest value accepted, in milliseconds
 * @throws PollcastError `BAD_REQUEST` that says what was expected and what was got
 */
export function parseDuration(given: unknown, what = 'duration', bounds: { min?: number; max?: number } = {}): number {
  const ms = tryDuration(given);
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = bounds;
  if (ms !== undefined && ms >= min && ms <= max) return ms;
  throw new PollcastError('BAD_REQUEST', `${what}: expected ${durationRange(bounds)}, got ${shown(given)}`);
}

/** `a duration such as …, from 50ms to 24h`. */
export function durationRange(bounds: { min?: number; max?: number }): string {
  const parts = [DURATION_FORM];
  if (bounds.min !== undefined && bounds.max !== undefined) {
    parts.push(`from ${formatDuration(bounds.min)} to ${formatDuration(bounds.max)}`);
  } else if (bounds.min !== undefined) parts.push(`at least ${formatDuration(bounds.min)}`);
  else if (bounds.max !== undefined) parts.push(`at most ${formatDuration(bounds.max)}`);
  return parts.join(', ');
}

/** Milliseconds → the shortest exact way to write them: 90000 → `90s`, 60000 → `1m`. */
export function formatDuration(ms: number): string {
  if (!Number.isSafeInteger(ms) || ms < 0) {
    throw new RangeError(`expected a whole number of milliseconds that is not negative, got ${ms}`);
  }
  if (ms === 0) return '0s';
  const [suffix, size] = UNITS.find(([, unit]) => ms % unit === 0) ?? ['ms', 1];
  return `${ms / size}${suffix}`;
}

function shown(given: unknown): string {
  if (typeof given === 'string') return `"${given.slice(0, 60)}"`;
  if (typeof given === 'number') return `${given} (the unit is missing)`;
  return given === undefined ? 'nothing' : typeof given;
}
