import type { Outcome, RowMetrics } from './metrics.js';

/** Histogram of one per ms up to this, then everything above it in the last place: a fixed size, however many are counted. */
const MOST_MS = 2_000;

/** How late things were since the last look, in ms. */
export interface Lateness {
  readonly count: number;
  readonly p50: number;
  readonly p95: number;
  readonly max: number;
}

class LatenessWindow {
  readonly #counts = new Uint32Array(MOST_MS + 1);
  #count = 0;
  #max = 0;

  add(ms: number): void {
    const place = Math.min(MOST_MS, Math.max(0, Math.ceil(ms)));
    this.#counts[place] = (this.#counts[place] as number) + 1;
    this.#count += 1;
    if (ms > this.#max) this.#max = ms;
  }

  take(): Lateness {
    const taken = { count: this.#count, p50: this.#at(0.5), p95: this.#at(0.95), max: Math.ceil(this.#max) };
    this.#counts.fill(0);
    this.#count = this.#max = 0;
    return taken;
  }

  #at(part: number): number {
    const rank = Math.ceil(this.#count * part);
    let sum = 0;
    for (let ms = 0; ms <= MOST_MS && rank > 0; ms++) {
      sum += this.#counts[ms] as number;
      if (sum >= rank) return Math.min(ms, Math.ceil(this.#max));
    }
    return 0;
  }
}

/** What one node has done for one worker: sums since it began, and the lateness since it was last asked. */
export interface NodeFigures {
  readonly node: string;
  readonly running: number;
  readonly started: number;
  readonly ended: number;
  readonly steps: number;
  readonly statements: number;
  readonly conflicts: number;
  readonly crashes: number;
  /** From a row's own due time to its write. */
  readonly lateness: Lateness;
  /** From the begin of the slot in which it fell due to its write. */
  readonly response: Lateness;
  /** CPU seconds of the node's process since it began. */
  readonly cpuSeconds: number;
  readonly rssBytes: number;
  /** When this was read (wall clock ms). */
  readonly at: number;
}

/** Counts what a node does for a worker, for its metrics and for whoever asks. */
export class Figures {
  readonly #lateness = new LatenessWindow();
  readonly #response = new LatenessWindow();
  #started = 0;
  #ended = 0;
  #steps = 0;
  #statements = 0;
  #conflicts = 0;
  #crashes = 0;

  constructor(
    private readonly worker: string,
    private readonly metrics: RowMetrics,
  ) {}

  started(): void {
    this.#started += 1;
  }

  ended(): void {
    this.#ended += 1;
  }

  count(outcome: Outcome): void {
    if (outcome === 'written' || outcome === 'nothing') this.#steps += 1;
    else if (outcome === 'conflict') this.#conflicts += 1;
    else if (outcome === 'crashed') this.#crashes += 1;
    this.metrics.step(this.worker, outcome);
  }

  statement(rows: number, ms: number): void {
    this.#statements += 1;
    this.metrics.group(this.worker, rows, ms / 1000);
  }

  late(latenessMs: number, responseMs: number): void {
    this.#lateness.add(latenessMs);
    this.#response.add(responseMs);
    this.metrics.late(this.worker, latenessMs / 1000, responseMs / 1000);
  }

  take(node: string, running: number, at: number): NodeFigures {
    const { user, system } = process.cpuUsage();
    return {
      node,
      running,
      started: this.#started,
      ended: this.#ended,
      steps: this.#steps,
      statements: this.#statements,
      conflicts: this.#conflicts,
      crashes: this.#crashes,
      lateness: this.#lateness.take(),
      response: this.#response.take(),
      cpuSeconds: (user + system) / 1e6,
      rssBytes: process.memoryUsage.rss(),
      at,
    };
  }
}
