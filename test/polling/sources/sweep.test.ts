import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { BatchSize } from '../../../src/polling/sources/batch-size.js';
import type { Fault } from '../../../src/polling/sources/faults.js';
import { sweep, type Diagnosis, type FormName, type Ran, type Verdict } from '../../../src/polling/sources/sweep.js';
import { range } from './support.js';

const cause = new Error('cause');
const failed: Fault = { kind: 'failed', sqlstate: '22012', cause };
const timeout: Fault = { kind: 'timeout', sqlstate: '57014', cause };
const structural: Fault = { kind: 'structural', sqlstate: '42P01', cause };
const lost: Fault = { kind: 'outage', lost: true, cause };
const gone: Fault = { kind: 'outage', lost: false, cause };

const TIMEOUT_MS = 1000;

interface World {
  /** What is wrong with an item when it is asked. */
  wrong?: (item: number, form: FormName) => Fault | undefined;
  /** What is wrong with the n-th statement, whoever is in it. */
  statement?: (n: number, form: FormName) => Fault | undefined;
  diagnosis?: Diagnosis;
  suspects?: ReadonlySet<number>;
  lanes?: number;
  max?: number;
}

interface Told {
  verdicts: Map<number, Verdict<number>>;
  statements: { form: FormName; items: readonly number[]; timeoutMs: number; fault?: Fault }[];
}

/** A database of which only the faults matter: an item takes 0.1 ms, and a time-out as long as the statement was given. */
async function sweepIn(world: World, items: readonly number[]): Promise<Told> {
  const told: Told = { verdicts: new Map(), statements: [] };
  const size = (): BatchSize => new BatchSize({ targetMs: 40, targetBytes: 1e9, max: world.max ?? 1000 });
  let oneByOne = false;
  await sweep<number, number>(items, {
    timeoutMs: TIMEOUT_MS,
    lanes: world.lanes ?? 2,
    sizes: { many: size(), one: size() },
    form: () => (oneByOne ? 'one' : 'many'),
    isSuspect: (item) => world.suspects?.has(item) ?? false,
    run: async (form, batch, timeoutMs): Promise<Ran<number>> => {
      const wrong = batch.findIndex((item) => world.wrong?.(item, form) !== undefined);
      const fault = world.statement?.(told.statements.length, form) ?? world.wrong?.(batch[wrong] as number, form);
      told.statements.push({ form, items: batch, timeoutMs, fault });
      await Promise.resolve();
      const rows = new Map(batch.map((item, i) => [i, item] as const).filter(([, item]) => item % 2 === 0));
      const done = fault === undefined ? batch.length : form === 'one' && wrong > 0 ? wrong : 0;
      return { rows, done, bytes: 0, elapsedMs: fault?.kind === 'timeout' ? timeoutMs : batch.length / 10, fault };
    },
    diagnose: () => {
      oneByOne = world.diagnosis === 'one only';
      return Promise.resolve(world.diagnosis ?? 'unknown');
    },
    settle: (item, verdict) => {
      if (told.verdicts.has(item)) throw new Error(`${item} was settled twice`);
      told.verdicts.set(item, verdict);
    },
  });
  return told;
}

function faulty({ verdicts }: Told): number[] {
  return [...verdicts]
    .filter(([, { kind }]) => kind === 'fault')
    .map(([item]) => item)
    .sort((a, b) => a - b);
}

function timedOutMs({ statements }: Told): number {
  return statements.reduce((sum, { fault, timeoutMs }) => sum + (fault?.kind === 'timeout' ? timeoutMs : 0), 0);
}

describe('sweep', () => {
  test('settles each item once, with its row or with none', async () => {
    const told = await sweepIn({}, range(2500));
    expect(told.verdicts.size).toBe(2500);
    expect(told.verdicts.get(4)).toEqual({ kind: 'row', row: 4 });
    expect(told.verdicts.get(5)).toEqual({ kind: 'same' });
    expect(told.statements.length).toBeLessThan(20);
  });

  test('finds exactly those that fail, whoever and however many they are', async () => {
    const cases = fc.record({
      count: fc.integer({ min: 1, max: 300 }),
      bad: fc.uniqueArray(fc.integer({ min: 0, max: 299 }), { maxLength: 12 }),
      lanes: fc.integer({ min: 1, max: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ count, bad, lanes }) => {
        const told = await sweepIn({ lanes, wrong: (item) => (bad.includes(item) ? failed : undefined) }, range(count));
        expect(told.verdicts.size).toBe(count);
        expect(faulty(told)).toEqual(bad.filter((item) => item < count).sort((a, b) => a - b));
      }),
    );
  });

  test('finds one that is slow for less than three time-outs, and gives it its whole time', async () => {
    for (const slow of [0, 1, 137, 512, 998]) {
      const told = await sweepIn({ wrong: (item) => (item === slow ? timeout : undefined) }, range(1000));
      expect(faulty(told)).toEqual([slow]);
      expect(timedOutMs(told)).toBeLessThan(3 * TIMEOUT_MS);
      expect(told.statements.filter(({ items }) => items.length === 1 && items[0] === slow)).toEqual([
        { form: 'one', items: [slow], timeoutMs: TIMEOUT_MS, fault: timeout },
      ]);
    }
  });

  test('does not spend much more on a batch in which all are slow', async () => {
    const told = await sweepIn({ max: 8, lanes: 1, wrong: () => timeout }, range(8));
    expect(faulty(told)).toEqual(range(8));
    expect(timedOutMs(told)).toBeLessThan(9 * TIMEOUT_MS);
  });

  test('asks suspects last and one by one', async () => {
    const told = await sweepIn({ suspects: new Set([3, 7]), lanes: 1 }, range(20));
    expect(told.statements.slice(-2).map(({ items, form }) => [items, form])).toEqual([
      [[7], 'one'],
      [[3], 'one'],
    ]);
    expect(told.verdicts.size).toBe(20);
  });

  test('sends a batch again when its connection broke, but only once', async () => {
    const once = await sweepIn({ lanes: 1, statement: (n) => (n === 0 ? lost : undefined) }, range(8));
    expect(faulty(once)).toEqual([]);
    expect(once.statements).toHaveLength(2);
    const ever = await sweepIn({ lanes: 1, statement: () => lost }, range(50));
    expect(faulty(ever)).toEqual(range(50));
    expect(ever.statements).toHaveLength(2);
  });

  test('asks nobody any more once the database is away', async () => {
    const told = await sweepIn({ lanes: 1, statement: (n) => (n === 1 ? gone : undefined) }, range(100));
    expect(told.statements).toHaveLength(2);
    expect(faulty(told)).toEqual(range(100).slice(8));
  });

  test('goes on with single statements when many cannot share one', async () => {
    const told = await sweepIn(
      {
        diagnosis: 'one only',
        lanes: 1,
        wrong: (item, form) => (form === 'many' ? structural : item === 9 ? failed : undefined),
      },
      range(40),
    );
    expect(faulty(told)).toEqual([9]);
    expect(told.statements.filter(({ form }) => form === 'many')).toHaveLength(1);
  });

  test('fails all when the SELECT itself is refused, and one when it only looks so', async () => {
    const all = await sweepIn({ diagnosis: 'neither', lanes: 1, wrong: () => structural }, range(100));
    expect(faulty(all)).toEqual(range(100));
    expect(all.statements).toHaveLength(1);
    const one = await sweepIn({ diagnosis: 'both', wrong: (item) => (item === 5 ? structural : undefined) }, range(8));
    expect(faulty(one)).toEqual([5]);
  });
});
