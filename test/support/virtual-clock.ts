import type { Clock, Timer } from '../../src/kernel/clock.js';

interface Due {
  readonly at: number;
  readonly order: number;
  readonly clock: VirtualClock;
  run(): void;
}

/**
 * Time that passes only when a test says so. Several clocks may share it, one per node: each can be stepped and paused
 * by itself, as a machine's clock and a process's life can.
 */
export class VirtualTime {
  #now = 0;
  #order = 0;
  readonly #due = new Set<Due>();

  /** @param turns see `settle` */
  constructor(
    readonly epoch = Date.UTC(2026, 0, 1),
    readonly turns = 4,
  ) {}

  /** Ms that have passed. */
  get elapsed(): number {
    return this.#now;
  }

  /** Timers that are still to fire. */
  get pending(): number {
    return this.#due.size;
  }

  clock(): VirtualClock {
    return new VirtualClock(this);
  }

  /** Lets `ms` pass: fires what falls due in order, and after each lets everything happen that follows from it. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await settle(this.turns);
    for (let next = this.#next(until); next; next = this.#next(until)) {
      this.#now = Math.max(this.#now, next.at);
      this.#due.delete(next);
      next.run();
      await settle(this.turns);
    }
    // Several may wait side by side; nobody's wait takes time back.
    this.#now = Math.max(this.#now, until);
  }

  /** Lets time pass, in small steps, until `seen`. @throws Error after `deadlineMs` of virtual time */
  async until(
    seen: () => boolean | Promise<boolean>,
    what = 'the expected state',
    deadlineMs = 120_000,
  ): Promise<void> {
    const deadline = this.#now + deadlineMs;
    await settle();
    while (!(await seen())) {
      if (this.#now >= deadline) throw new Error(`${deadlineMs} ms of virtual time passed in vain for ${what}`);
      await this.advance(5);
    }
  }

  add(clock: VirtualClock, ms: number, run: () => void): Timer {
    const due: Due = { at: this.#now + Math.max(0, ms), order: this.#order++, clock, run };
    this.#due.add(due);
    return { cancel: () => void this.#due.delete(due) };
  }

  #next(until: number): Due | null {
    let first: Due | null = null;
    for (const due of this.#due) {
      if (due.clock.paused || due.at > until) continue;
      if (!first || due.at < first.at || (due.at === first.at && due.order < first.order)) first = due;
    }
    return first;
  }
}

/** One machine's clocks and timers. */
export class VirtualClock implements Clock {
  /** While true its timers do not fire; what fell due meanwhile fires, late, when it goes on: as after SIGCONT. */
  paused = false;
  #step = 0;

  constructor(readonly time: VirtualTime) {}

  now(): number {
    return this.time.epoch + this.time.elapsed + this.#step;
  }

  monotonic(): number {
    return this.time.elapsed;
  }

  after(ms: number, run: () => void): Timer {
    return this.time.add(this, ms, run);
  }

  /** Steps the wall clock, as an operator or a time server does. */
  step(ms: number): void {
    this.#step += ms;
  }
}

/** Lets promises, and what they hand to the event loop, run until nothing is left to do at this moment. */
export async function settle(turns = 4): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise((turn) => setImmediate(turn));
}
