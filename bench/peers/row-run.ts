import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** What both contenders of the scenario `rows` are told. */
export interface RowsSettings {
  readonly hub: string;
  readonly databaseUrl: string;
  readonly atATime: number;
  readonly everyMs: number;
  readonly lookMs: number;
  /** The rows' first steps lie anywhere within the first interval, instead of all at its end. */
  readonly spread: boolean;
}

/** What a contender tells when all rows are at 0. */
export interface RowsRun {
  /** From a row's own due time until its write is answered, ms. */
  readonly lateness: readonly number[];
  /** From when the program's timer was to wake it until its write is answered, ms. */
  readonly response: readonly number[];
  readonly seconds: number;
  /** Of the heap after a collection: before, with all processes, after. */
  readonly heap: readonly [number, number, number];
  /** The most that was resident. */
  readonly rssPeak: number;
}

setFlagsFromString('--expose_gc');
const collect = runInNewContext('gc') as () => void;

async function heap(): Promise<number> {
  for (let turns = 0; turns < 3; turns++) {
    await new Promise((wake) => setImmediate(wake));
    collect();
  }
  return process.memoryUsage().heapUsed;
}

/** Keeps the times of the writes of a run, and tells the bench when all are made. */
export class RowsClock {
  #lateness = new Float64Array(0);
  #response = new Float64Array(0);
  #written = 0;
  #began = 0;
  #before = 0;
  #peak = 0;
  #rssPeak = 0;

  async begin(writes: number): Promise<void> {
    this.#lateness = new Float64Array(writes);
    this.#response = new Float64Array(writes);
    this.#written = this.#peak = this.#rssPeak = 0;
    this.#before = await heap();
    this.#began = performance.now();
  }

  /** All processes that can be are there. */
  crowded(): void {
    this.#peak = Math.max(this.#peak, process.memoryUsage().heapUsed);
    this.#rssPeak = Math.max(this.#rssPeak, process.memoryUsage.rss());
  }

  written(latenessMs: number, responseMs: number): void {
    this.#lateness[this.#written] = latenessMs;
    this.#response[this.#written] = responseMs;
    this.#written += 1;
    if (this.#written % 1_000 === 0) this.#rssPeak = Math.max(this.#rssPeak, process.memoryUsage.rss());
    if (this.#written === this.#lateness.length) void this.#tell((performance.now() - this.#began) / 1000);
  }

  async #tell(seconds: number): Promise<void> {
    process.send?.('written');
    // Whatever ends with the last rows has ended by then.
    await new Promise((wake) => setTimeout(wake, 500));
    // Before the answer is made, which is larger than what is looked for.
    const after = await heap();
    const run: RowsRun = {
      lateness: [...this.#lateness],
      response: [...this.#response],
      seconds,
      heap: [this.#before, this.#peak, after],
      rssPeak: this.#rssPeak,
    };
    process.send?.(run);
  }
}

/** Calls `begin` when the bench says so, once the clock runs: first to warm up, then for the run that counts. */
export function onBegin(clock: RowsClock, begin: () => Promise<void>): void {
  process.on('message', (order: { writes: number }) => {
    clock
      .begin(order.writes)
      .then(begin)
      .catch((error: unknown) => {
        process.stderr.write(`${String(error)}\n`);
        process.exit(1);
      });
  });
}
