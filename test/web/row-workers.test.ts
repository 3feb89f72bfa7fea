import { describe, expect, it } from '@jest/globals';
import { momentOf, ratesOf, withMoment, type Moment, type WorkerRow } from '../../web/src/rows/figures.js';

const lateness = (count: number, p95: number) => ({ count, p50: p95 / 2, p95, max: p95 * 2 });

function row(node: string, at: number, steps: number, more: Partial<WorkerRow> = {}): WorkerRow {
  return {
    ...{ worker: 'countdown', node, slices: 8, running: 100, started: 0, ended: 0, steps, statements: steps / 100 },
    ...{ conflicts: 0, crashes: 0, failing: 0, error: null, lateness: lateness(1, 20), response: lateness(1, 4) },
    ...{ cpuSeconds: at / 10_000, rssBytes: 50 * 2 ** 20, at },
    ...more,
  };
}

describe('what row workers do', () => {
  it('is told by rates between two looks, of each node by its own clock', () => {
    const rates = ratesOf([row('a', 1_000, 500), row('b', 90_000, 0)], [row('a', 3_000, 1_500), row('b', 91_000, 200)]);
    expect(rates.map(({ stepsPerSecond, statementsPerSecond }) => [stepsPerSecond, statementsPerSecond])).toEqual([
      [500, 5],
      [200, 2],
    ]);
    expect(rates[0]!.cpu).toBeCloseTo(10);
  });

  it('has no rates for a node that was not there before, or has begun anew', () => {
    const rates = ratesOf([row('a', 1_000, 500)], [row('a', 2_000, 10), row('b', 2_000, 900)]);
    expect(rates.map(({ stepsPerSecond }) => stepsPerSecond)).toEqual([0, 0]);
  });

  it('is one for the cluster: the sums, the latest of the nodes, each node once', () => {
    const rows = [
      row('a', 2_000, 100, { lateness: lateness(5, 40) }),
      row('b', 2_000, 100),
      row('b', 2_000, 300, { worker: 'other', lateness: lateness(0, 0) }),
    ];
    const before = rows.map((one) => ({ ...one, at: 1_000, steps: 0, cpuSeconds: 0.1 }));
    expect(momentOf(ratesOf(before, rows), 5_000)).toMatchObject({
      ...{ at: '1970-01-01T00:00:05.000Z', processes: 300, steps: 500, late_p95: 40, late_max: 80, memory: 100 },
    });
    expect(momentOf(ratesOf([], [rows[2]!]), 0).late_p95).toBeNull();
    expect(momentOf([], 0)).toMatchObject({ processes: 0, cpu: null, memory: null });
  });

  it('is kept for two minutes', () => {
    let past: readonly Moment[] = [];
    for (let at = 0; at < 150; at++) past = withMoment(past, momentOf([], at * 1_000));
    expect([past.length, past[0]!.at]).toEqual([120, '1970-01-01T00:00:30.000Z']);
  });
});
