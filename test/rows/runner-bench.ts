import { systemClock } from '../../src/kernel/clock.js';
import { silent } from '../../src/kernel/log.js';
import type { Outcome } from '../../src/rows/metrics.js';
import { SLICES, sliceName } from '../../src/rows/names.js';
import { Slice } from '../../src/rows/row-process.js';
import { RowRunner } from '../../src/rows/row-runner.js';
import type { RowSteps, RowWorkerOptions } from '../../src/rows/row-worker.decorator.js';
import { eventually } from '../support/eventually.js';
import { openTable, type Counter, type Counters } from './counters.js';

let fence = 1;

/** One node's part of a row worker, with all slices, on a real database; what it tells its metrics is kept. */
export class RunnerBench {
  readonly slices: Slice[] = [];
  readonly outcomes = new Map<Outcome, number>();
  readonly groups: number[] = [];
  readonly lost: unknown[] = [];
  owns = true;

  private constructor(
    readonly runner: RowRunner,
    private readonly release: () => Promise<void>,
  ) {}

  static async start(
    counters: Pick<Counters, 'database'>,
    options: Partial<RowWorkerOptions> = {},
    steps?: RowSteps<Counter>,
  ): Promise<RunnerBench> {
    const { table, definition } = await openTable(counters, options, steps);
    const seen = { step: (_outcome: Outcome): void => undefined, group: (_rows: number): void => undefined };
    const runner = new RowRunner({
      ...{ definition, table, node: 'test', clock: systemClock, log: silent, random: () => 0.5 },
      metrics: {
        step: (_worker, outcome) => seen.step(outcome),
        group: (_worker, rows) => seen.group(rows),
        late: () => undefined,
        running: () => undefined,
      },
    });
    const bench = new RunnerBench(runner, async () => {
      await bench.leave();
      runner.close();
      await table.close();
    });
    seen.step = (outcome) => bench.outcomes.set(outcome, bench.seen(outcome) + 1);
    seen.group = (rows) => bench.groups.push(rows);
    fence += 1;
    const context = { owns: () => bench.owns, signal: new AbortController().signal };
    for (let number = 0; number < SLICES; number++) {
      const slice = new Slice(number, sliceName(definition.name, number), fence, context, (error) =>
        bench.lost.push(error),
      );
      await runner.attach(slice);
      bench.slices.push(slice);
    }
    return bench;
  }

  seen(outcome: Outcome): number {
    return this.outcomes.get(outcome) ?? 0;
  }

  /** As the monitor does it at each look, in proportion or not: the runner shares what its slices get. */
  async fill(most: number): Promise<void> {
    await Promise.all(this.slices.map((slice, i) => this.runner.fill(slice, i === 0 ? most : 0)));
  }

  idle(): Promise<unknown> {
    return eventually(() => this.runner.running === 0, { what: 'no row to have a process', deadlineMs: 60_000 });
  }

  async until(outcome: Outcome, times: number): Promise<void> {
    await eventually(() => this.seen(outcome) >= times, { what: `${times} × ${outcome}`, deadlineMs: 60_000 });
  }

  /** Hands over all slices. */
  async leave(): Promise<void> {
    await Promise.all(this.slices.splice(0).map((slice) => this.runner.detach(slice, 'handover')));
  }

  stop(): Promise<void> {
    return this.release();
  }
}
