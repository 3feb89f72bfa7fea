import { performance } from 'node:perf_hooks';
import { spread } from '../support/stats.js';
import type { Load } from './protocol.js';

/** More than this is thinned out evenly: percentiles do not need all of them. */
const MOST_SAMPLES = 1_000_000;

/** What a generator has seen since `begin`. */
export class Tally {
  messages = 0;
  bytes = 0;
  resumed = 0;
  #errors: Record<string, number> = {};
  #latencies = new Float64Array(MOST_SAMPLES);
  #count = 0;
  #returned: number[] = [];
  #began = 0;
  #cpu = process.cpuUsage();
  #epoch = wallOffset();

  /** Ms since 1970, finer than `Date.now()`. */
  now(): number {
    return this.#epoch + performance.now();
  }

  begin(): void {
    this.messages = 0;
    this.bytes = 0;
    this.resumed = 0;
    this.#errors = {};
    this.#count = 0;
    this.#returned = [];
    this.#epoch = wallOffset();
    this.#cpu = process.cpuUsage();
    this.#began = performance.now();
  }

  latency(ms: number): void {
    this.#latencies[this.#count % MOST_SAMPLES] = ms;
    this.#count += 1;
  }

  returned(ms: number): void {
    this.#returned.push(ms);
  }

  get returnedCount(): number {
    return this.#returned.length;
  }

  error(kind: string): void {
    this.#errors[kind] = (this.#errors[kind] ?? 0) + 1;
  }

  get errors(): Readonly<Record<string, number>> {
    return { ...this.#errors };
  }

  end(): Load {
    const seconds = (performance.now() - this.#began) / 1000;
    const { user, system } = process.cpuUsage(this.#cpu);
    return {
      messages: this.messages,
      bytes: this.bytes,
      seconds,
      latency: spread(this.#latencies.subarray(0, Math.min(this.#count, MOST_SAMPLES))),
      errors: this.errors,
      cpuSeconds: (user + system) / 1e6,
      returned: spread(this.#returned),
      resumed: this.resumed,
    };
  }
}

/** What to add to the monotonic clock to get the wall clock, which is read at the moment it moves on to a new ms. */
function wallOffset(): number {
  const before = Date.now();
  let wall = before;
  while (wall === before) wall = Date.now();
  return wall - performance.now();
}
