import type { BatchSize } from './batch-size.js';
import type { Fault } from './faults.js';

/** Which of a statement's two forms is sent. */
export type FormName = 'many' | 'one';

/** What a statement brought: for the `one` form, `done` items were answered before the fault. */
export interface Ran<Row> {
  /** Lines by position in the batch; none for a position means that nothing changed there. */
  readonly rows: ReadonlyMap<number, Row>;
  readonly done: number;
  readonly elapsedMs: number;
  readonly bytes: number;
  readonly fault?: Fault;
}

export type Verdict<Row> =
  | { readonly kind: 'row'; readonly row: Row }
  | { readonly kind: 'same' }
  | { readonly kind: 'fault'; readonly fault: Fault };

/** What Postgres says of the two forms when it is asked to plan them. */
export type Diagnosis = 'both' | 'one only' | 'neither' | 'unknown';

export interface SweepOptions<Item, Row> {
  /** Time-out of one channel's query; a statement for many never gets more either. */
  readonly timeoutMs: number;
  /** How many statements may run side by side. */
  readonly lanes: number;
  readonly sizes: Readonly<Record<FormName, BatchSize>>;
  /** The form for a batch of several. */
  form(): FormName;
  /** Those that failed lately are asked one by one, after all others: they must not fail a batch again. */
  isSuspect(item: Item): boolean;
  /** Never rejects. Items of the `one` form are separate statements, up to the first that fails. */
  run(form: FormName, items: readonly Item[], timeoutMs: number): Promise<Ran<Row>>;
  /** Asked when a batch was refused as such; it must make `form()` answer `one` when it finds `one only`. */
  diagnose(): Promise<Diagnosis>;
  /** Called exactly once per item. */
  settle(item: Item, verdict: Verdict<Row>): void;
}

interface Batch<Item> {
  readonly items: readonly Item[];
  readonly form: FormName;
  readonly timeoutMs: number;
  /** Shared by a batch and all its parts. */
  readonly budget: { timedOutMs: number };
  readonly again: boolean;
}

/** How much slower than expected a batch may be before it is halved, once it is known what to expect. */
const PATIENCE = 20;
/** The same while a batch that timed out is being halved. */
const HALVING_PATIENCE = 10;
/** The part of the time-out that a statement for many always gets: first, and while halving. */
const LEAST = 1 / 4;
const HALVING_LEAST = 1 / 16;
/** Time-outs that may be spent on finding out who in a batch is slow. */
const BUDGET = 3;

/**
 * Asks for all items, in batches, and settles each.
 *
 * A batch that fails is halved until the one that fails is alone; the others get their rows. A batch that times out
 * is halved as well, but with time-outs that fit what such a batch usually takes: at most `timeoutMs` for the batch,
 * a sixteenth of it for each of the ten or so halvings and `timeoutMs` for the culprit, so about 2.6 time-outs.
 * Several slow ones in one batch would cost more; after three time-outs whoever is left under suspicion is told
 * QUERY_TIMEOUT. They are asked one by one in the next round (`isSuspect`), so an innocent is cleared at once.
 */
export async function sweep<Item, Row>(items: readonly Item[], options: SweepOptions<Item, Row>): Promise<void> {
  const run = new Sweep(items, options);
  await Promise.all(Array.from({ length: Math.max(1, options.lanes) }, () => run.lane()));
}

class Sweep<Item, Row> {
  readonly #fresh: Item[] = [];
  readonly #suspects: Item[] = [];
  readonly #parts: Batch<Item>[] = [];
  #next = 0;
  /** An outage, or a SELECT that is refused as such: what is left is told the same without being asked. */
  #forAll: Fault | undefined;

  constructor(
    items: readonly Item[],
    private readonly options: SweepOptions<Item, Row>,
  ) {
    for (const item of items) (options.isSuspect(item) ? this.#suspects : this.#fresh).push(item);
  }

  /** Takes batches until none is left. Parts of a batch stay with the lane that had it, or go to one that is free. */
  async lane(): Promise<void> {
    for (let batch = this.#take(); batch !== undefined; batch = this.#take()) {
      if (this.#forAll === undefined) await this.#ask(batch);
      else this.#fail(batch.items, this.#forAll);
    }
  }

  #take(): Batch<Item> | undefined {
    const part = this.#parts.pop();
    if (part !== undefined) return part;
    const remaining = this.#fresh.length - this.#next;
    if (remaining > 0) {
      const form = remaining === 1 ? 'one' : this.options.form();
      const items = this.#fresh.slice(this.#next, this.#next + this.options.sizes[form].next(remaining));
      this.#next += items.length;
      return this.#batch(items, items.length === 1 ? 'one' : form);
    }
    const suspect = this.#suspects.pop();
    return suspect === undefined ? undefined : this.#batch([suspect], 'one');
  }

  #batch(items: readonly Item[], form: FormName): Batch<Item> {
    const timeoutMs = this.#timeout(items.length, form, PATIENCE, LEAST);
    return { items, form, timeoutMs, budget: { timedOutMs: 0 }, again: false };
  }

  /** One channel always gets its whole time; so does every statement of the `one` form. */
  #timeout(count: number, form: FormName, patience: number, least: number): number {
    const { timeoutMs, sizes } = this.options;
    if (count === 1 || form === 'one') return timeoutMs;
    const expected = sizes.many.expectedMs(count);
    if (expected === undefined) return patience === PATIENCE ? timeoutMs : timeoutMs * least;
    return Math.min(timeoutMs, Math.max(expected * patience, timeoutMs * least));
  }

  async #ask(batch: Batch<Item>): Promise<void> {
    const { items, form } = batch;
    const ran = await this.options.run(form, items, batch.timeoutMs);
    if (ran.fault === undefined) {
      this.options.sizes[form].record(items.length, ran.elapsedMs, ran.bytes);
      this.#accept(items, ran.rows);
      return;
    }
    if (form === 'one') this.#accept(items.slice(0, ran.done), ran.rows);
    await this.#blame(form === 'one' ? { ...batch, items: items.slice(ran.done) } : batch, ran.fault, ran.elapsedMs);
  }

  #accept(items: readonly Item[], rows: ReadonlyMap<number, Row>): void {
    items.forEach((item, i) => {
      const row = rows.get(i);
      this.options.settle(item, row === undefined ? { kind: 'same' } : { kind: 'row', row });
    });
  }

  async #blame(batch: Batch<Item>, fault: Fault, elapsedMs: number): Promise<void> {
    switch (fault.kind) {
      case 'outage':
        if (fault.lost && !batch.again) return this.#requeue({ ...batch, again: true });
        this.#forAll = fault;
        return this.#fail(batch.items, fault);
      case 'again':
        if (!batch.again) return this.#requeue({ ...batch, again: true });
        return this.#narrow(batch, fault);
      case 'locked':
        return this.#fail(batch.items, fault);
      case 'timeout':
        if (batch.form === 'many') this.options.sizes.many.shrink(batch.items.length);
        batch.budget.timedOutMs += elapsedMs;
        return this.#narrow(batch, fault);
      case 'structural':
        return this.#structural(batch, fault);
      case 'failed':
        return this.#narrow(batch, fault);
    }
  }

  /** Closes in on who is to blame: the first of separate statements, one of the halves of a statement for many. */
  #narrow(batch: Batch<Item>, fault: Fault): void {
    const { items, form } = batch;
    if (form === 'one' || items.length === 1) {
      this.#fail(items.slice(0, 1), fault);
      return this.#requeue({ ...batch, items: items.slice(1) });
    }
    if (fault.kind === 'timeout' && batch.budget.timedOutMs >= BUDGET * this.options.timeoutMs) {
      return this.#fail(items, fault);
    }
    const middle = Math.ceil(items.length / 2);
    for (const half of [items.slice(middle), items.slice(0, middle)]) {
      const timeoutMs =
        fault.kind === 'timeout' ? this.#timeout(half.length, form, HALVING_PATIENCE, HALVING_LEAST) : batch.timeoutMs;
      this.#requeue({ ...batch, items: half, timeoutMs });
    }
  }

  async #structural(batch: Batch<Item>, fault: Fault): Promise<void> {
    const diagnosis = await this.options.diagnose();
    if (diagnosis === 'neither') {
      this.#forAll = fault;
      return this.#fail(batch.items, fault);
    }
    if (diagnosis === 'one only' && batch.form === 'many') {
      return this.#requeue({ ...batch, form: 'one', timeoutMs: this.options.timeoutMs });
    }
    // What was sent can be planned, so this was raised while it ran: by one channel's values.
    return this.#narrow(batch, fault);
  }

  /** Whoever is alone is asked in the form for one, and gets its whole time. */
  #requeue(batch: Batch<Item>): void {
    if (batch.items.length === 0) return;
    const alone = batch.items.length === 1 && batch.form === 'many';
    this.#parts.push(alone ? { ...batch, form: 'one', timeoutMs: this.options.timeoutMs } : batch);
  }

  #fail(items: readonly Item[], fault: Fault): void {
    for (const item of items) this.options.settle(item, { kind: 'fault', fault });
  }
}
