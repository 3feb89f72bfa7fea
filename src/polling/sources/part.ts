import { BatchSize } from './batch-size.js';
import type { Forms } from './forms.js';
import type { FormName } from './sweep.js';

export interface PartOptions {
  /** How long one statement should take, in ms. */
  readonly targetMs: number;
  /** Most channels of one statement. */
  readonly maxBatch: number;
}

/** Bytes that one statement should bring back at most: more only adds latency and memory. */
const TARGET_BYTES = 2 * 1024 * 1024;
/** Most statements for one channel each that share a transaction. */
const MAX_ONES = 100;
const MAX_SUSPECTS = 10_000;
/** Below this time per channel sharing a statement is always cheaper: a statement of one's own costs about as much. */
const WORTH_COMPARING_MS = 1;
/** The first statement of a poller pays for the connection, the plan and what is not in memory yet: it says nothing of the form. */
const WARM = 2;
/** How much cheaper single statements must be to be preferred. */
const CLEARLY = 0.7;
/** Every so often the form that is not preferred is measured again. */
const REMEASURE = 64;

/** What is remembered of one part (its SELECT, or its `changed:`) of one version of a topic. */
export class Part {
  readonly sizes: Readonly<Record<FormName, BatchSize>>;
  /** Postgres refuses to plan the form for many, or would answer it wrongly. */
  oneByOne: boolean;
  readonly #suspects = new Set<string>();
  #choices = 0;

  constructor(
    readonly forms: Forms,
    { targetMs, maxBatch }: PartOptions,
  ) {
    this.oneByOne = forms.alone !== undefined;
    this.sizes = {
      many: new BatchSize({ targetMs, max: maxBatch, targetBytes: TARGET_BYTES }),
      one: new BatchSize({ targetMs, max: Math.min(maxBatch, MAX_ONES), targetBytes: TARGET_BYTES }),
    };
  }

  /** The form in which several channels are best asked. */
  get preferred(): FormName {
    const many = this.sizes.many.quickestMs;
    const one = this.sizes.one.quickestMs;
    if (this.oneByOne) return 'one';
    if (many === undefined || many < WORTH_COMPARING_MS || one === undefined) return 'many';
    return one < many * CLEARLY ? 'one' : 'many';
  }

  /**
   * The form for the next batch. Sharing a statement saves its fixed costs, but is planned without the values: where
   * `:region = 'all' OR …` lets single statements skip most of the work, they win. Where the SELECT computes something
   * that does not depend on its parameters, it is computed once for all channels, and sharing wins by far. Nothing but
   * the time tells, so once it is worth while both are measured.
   */
  choose(): FormName {
    if (this.oneByOne) return 'one';
    const many = this.sizes.many.quickestMs;
    if (many === undefined || many < WORTH_COMPARING_MS || this.sizes.many.measured < WARM) return 'many';
    if (this.sizes.one.quickestMs === undefined) return 'one';
    this.#choices += 1;
    const other = this.preferred === 'many' ? 'one' : 'many';
    return this.#choices % REMEASURE === 0 ? other : this.preferred;
  }

  isSuspect(channel: string): boolean {
    return this.#suspects.has(channel);
  }

  suspect(channel: string): void {
    if (this.#suspects.size < MAX_SUSPECTS) this.#suspects.add(channel);
  }

  clear(channel: string): void {
    if (this.#suspects.size > 0) this.#suspects.delete(channel);
  }
}
