import { parse } from 'libpg-query';
import { z } from 'zod';
import { PollcastError } from '../errors.js';
import { didYouMean } from '../topics/nearest.js';
import { durationRange, tryDuration } from '../topics/duration.js';
import type { RowSteps } from './row-worker.decorator.js';
import { SLOT_MS } from './wheel.js';

/** A row worker, checked. */
export interface WorkerDefinition {
  readonly name: string;
  readonly table: string;
  readonly key: string;
  readonly match: string;
  readonly everyMs: number;
  readonly lookMs: number;
  readonly limit: number;
  readonly spread: boolean;
  readonly timeoutMs: number;
  readonly steps: RowSteps<never>;
}

const DAY_MS = 86_400_000;
const MOST_AT_A_TIME = 1_000_000;
const NAME = /^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$/;
const TABLE = /^[A-Za-z_][\w$]*(\.[A-Za-z_][\w$]*)?$/;

const text = (what: string, pattern: RegExp, length: number) =>
  z
    .string({ error: `expected ${what}` })
    .max(length)
    .regex(pattern, { error: `expected ${what}` });

const duration = (min: number, max: number) =>
  z.string({ error: `expected ${durationRange({ min, max })}` }).transform((given, context) => {
    const ms = tryDuration(given);
    if (ms !== undefined && ms >= min && ms <= max) return ms;
    context.addIssue({
      code: 'custom',
      message: `expected ${durationRange({ min, max })}, got "${given.slice(0, 60)}"`,
    });
    return z.NEVER;
  });

const OPTIONS = z.strictObject({
  name: text('a name such as countdown, of a–z, 0–9, _ and dots', NAME, 80),
  table: text('a table such as orders or shop.orders', TABLE, 130),
  key: text('the name of a column', /^[A-Za-z_][\w$]*$/, 63).default('id'),
  match: z
    .string({ error: 'expected an SQL condition such as value > 0' })
    .trim()
    .min(1, { error: 'expected an SQL condition, got nothing' }),
  every: duration(SLOT_MS, DAY_MS),
  look: duration(100, DAY_MS).default(2_000),
  limit: z.int({ error: 'expected a whole number' }).min(1).max(MOST_AT_A_TIME).default(10_000),
  spread: z.boolean({ error: 'expected true or false' }).default(false),
  timeout: duration(100, 600_000).default(10_000),
});

/**
 * @param where the class, for people
 * @throws PollcastError `BAD_REQUEST` with all that is wrong
 */
export async function defineWorker(options: unknown, steps: object, where: string): Promise<WorkerDefinition> {
  const read = OPTIONS.safeParse(options);
  const wrong = read.success ? [] : read.error.issues.flatMap(faultOf);
  if (read.success) {
    const fault = await faultInCondition(read.data.match);
    if (fault !== undefined) wrong.push(`match: ${fault}`);
  }
  if (typeof (steps as Partial<RowSteps>).step !== 'function') wrong.push('expected a method step(row)');
  if (!read.success || wrong.length > 0) {
    throw new PollcastError('BAD_REQUEST', `The row worker ${where} is not right:\n  ${wrong.join('\n  ')}`);
  }
  const { every, look, timeout, ...rest } = read.data;
  return { ...rest, everyMs: every, lookMs: look, timeoutMs: timeout, steps: steps as RowSteps<never> };
}

function faultOf(issue: z.core.$ZodIssue): string[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => `${key}: there is no such option${didYouMean(key, Object.keys(OPTIONS.shape))}`);
  }
  return [`${issue.path.join('.')}: ${issue.message}`];
}

/** A condition, and not the end of one statement and the begin of another. */
async function faultInCondition(match: string): Promise<string | undefined> {
  const begin = 'SELECT WHERE (';
  try {
    const { stmts = [] } = (await parse(`${begin}${match}\n)`)) as { stmts?: { stmt: { SelectStmt?: object } }[] };
    const [only, ...more] = stmts;
    const clauses = Object.keys(only?.stmt.SelectStmt ?? {}).filter(
      (clause) => !['limitOption', 'op'].includes(clause),
    );
    if (more.length === 0 && clauses.join() === 'whereClause') return undefined;
    return `expected one SQL condition, got "${match.slice(0, 60)}"`;
  } catch (error) {
    return `expected an SQL condition: ${(error as Error).message}`;
  }
}
