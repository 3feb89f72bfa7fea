import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Outcome, RowMetrics } from '../rows/metrics.js';

/** From one slot of the wheel to what is late enough for an alarm. */
const LATE_BUCKETS = [0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10];
const GROUP_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];

/** What row workers count. */
export class RowCounts implements RowMetrics {
  /** A child of each outcome: to find it by its labels at each step would cost more than the step. */
  readonly #outcomes = new Map<string, Map<Outcome, Counter.Internal>>();
  readonly #lateOf = new Map<string, Histogram.Internal<'worker'>>();
  readonly #running = new Map<string, () => number>();
  readonly #steps: Counter<'worker' | 'outcome'>;
  readonly #rows: Counter<'worker'>;
  readonly #groups: Histogram<'worker'>;
  readonly #late: Histogram<'worker'>;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#steps = new Counter({
      name: 'pollcast_row_steps_total',
      help: 'Steps of rows, by what came of them.',
      labelNames: ['worker', 'outcome'],
      registers,
    });
    this.#rows = new Counter({
      name: 'pollcast_rows_written_total',
      help: 'Rows in statements that were answered.',
      labelNames: ['worker'],
      registers,
    });
    this.#groups = new Histogram({
      name: 'pollcast_row_group_seconds',
      help: 'How long the statements take that write rows in groups.',
      labelNames: ['worker'],
      buckets: GROUP_BUCKETS,
      registers,
    });
    this.#late = new Histogram({
      name: 'pollcast_row_lateness_seconds',
      help: 'From the time when a row was due to its write.',
      labelNames: ['worker'],
      buckets: LATE_BUCKETS,
      registers,
    });
    const running = this.#running;
    new Gauge({
      name: 'pollcast_rows_running',
      help: 'Rows that have a process on this node.',
      labelNames: ['worker'],
      registers,
      collect() {
        for (const [worker, read] of running) this.set({ worker }, read());
      },
    });
  }

  step(worker: string, outcome: Outcome): void {
    let outcomes = this.#outcomes.get(worker);
    if (!outcomes) this.#outcomes.set(worker, (outcomes = new Map<Outcome, Counter.Internal>()));
    let counter = outcomes.get(outcome);
    if (!counter) outcomes.set(outcome, (counter = this.#steps.labels(worker, outcome)));
    counter.inc();
  }

  group(worker: string, rows: number, seconds: number): void {
    this.#rows.inc({ worker }, rows);
    this.#groups.observe({ worker }, seconds);
  }

  late(worker: string, seconds: number): void {
    let histogram = this.#lateOf.get(worker);
    if (!histogram) this.#lateOf.set(worker, (histogram = this.#late.labels(worker)));
    histogram.observe(seconds);
  }

  running(worker: string, read: () => number): void {
    this.#running.set(worker, read);
  }
}
