import { PollcastError } from '../../src/errors.js';
import { durationRange, tryDuration } from '../../src/topics/duration.js';

export interface Scenario {
  readonly every: string;
  readonly rows: number;
  readonly limit: number;
}

const EVERY = { min: 20, max: 86_400_000 };
const MOST = 1_000_000;

/**
 * The known demonstration, unless the environment says otherwise.
 *
 * @throws PollcastError `BAD_REQUEST` with all that is wrong
 */
export function readScenario({
  EVERY: every = '1s',
  ROWS = '20000',
  LIMIT = '10000',
}: Readonly<Record<string, string | undefined>>): Scenario {
  const wrong: string[] = [];
  const whole = (name: string, given: string): number => {
    const value = /^\d{1,7}$/.test(given.trim()) ? Number(given) : 0;
    if (value < 1 || value > MOST) wrong.push(`${name}: expected a whole number from 1 to ${MOST}, got "${given}"`);
    return value;
  };
  const ms = tryDuration(every);
  if (ms === undefined || ms < EVERY.min || ms > EVERY.max)
    wrong.push(`EVERY: expected ${durationRange(EVERY)}, got "${every}"`);
  const scenario = { every, rows: whole('ROWS', ROWS), limit: whole('LIMIT', LIMIT) };
  if (wrong.length === 0) return scenario;
  throw new PollcastError('BAD_REQUEST', `The environment is not right:\n  ${wrong.join('\n  ')}`);
}
