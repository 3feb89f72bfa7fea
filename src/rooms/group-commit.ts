import { sleep, type Clock } from '../kernel/clock.js';
import { PollcastError } from '../errors.js';

/** One write of a state, with the events that made it out of the last one that was written. */
export interface Group<S, E> {
  readonly state: S;
  readonly events: readonly E[];
}

export interface GroupCommitOptions<S, E> {
  readonly clock: Clock;
  /** `false`: somebody else writes now. Rejects with `UNAVAILABLE`: nobody knows whether it was written; it is tried again. */
  write(group: Group<S, E>): Promise<boolean>;
  /** Whether writing is allowed at this moment. */
  mayWrite(): boolean;
  /** Somebody else writes now, or writing failed by a bug: nothing is written any more. */
  failed(error: unknown): void;
}

interface Waiting<S, E> {
  state: S;
  readonly events: E[];
  readonly written: Promise<void>;
  settle(error?: PollcastError): void;
}

const RETRY_MS = 50;

/**
 * Writes what happens in groups: while one is being written, the next one gathers. What has happened in memory is told to
 * nobody before it is written, so a state that is lost was never seen.
 *
 * A write whose answer is lost is repeated until there is an answer: to write something else instead, one would have to know.
 */
export class GroupCommit<S, E> {
  #present: S;
  #written: S;
  #under: Waiting<S, E> | null = null;
  #next: Waiting<S, E> | null = null;
  #over: PollcastError | null = null;
  #busy = false;
  #running: Promise<void> = Promise.resolve();
  readonly #abort = new AbortController();

  constructor(
    written: S,
    private readonly options: GroupCommitOptions<S, E>,
  ) {
    this.#present = written;
    this.#written = written;
  }

  /** With all that has happened, written or not: what the next event is made on. */
  get present(): S {
    return this.#present;
  }

  /** What may be told. */
  get written(): S {
    return this.#written;
  }

  /** Events that are not written yet. */
  get waiting(): number {
    return (this.#under?.events.length ?? 0) + (this.#next?.events.length ?? 0);
  }

  /** Something happened. Resolves once it is written; rejects with `UNAVAILABLE` when that is not to be known any more. */
  add(state: S, event: E): Promise<void> {
    if (this.#over) return Promise.reject(this.#over);
    this.#present = state;
    this.#next ??= waiting(state);
    this.#next.state = state;
    this.#next.events.push(event);
    const { written } = this.#next;
    this.#start();
    return written;
  }

  /** Writes the present state again, in case that it was lost. */
  repeat(): void {
    if (this.#over || this.waiting > 0) return;
    this.#next = waiting(this.#present);
    this.#start();
  }

  /** Resolves once all that has happened so far is written. */
  settled(): Promise<void> {
    return this.#next?.written ?? this.#under?.written ?? Promise.resolve();
  }

  /** Gives up what is not written yet. Nothing is written after it resolves. */
  async abort(error: PollcastError): Promise<void> {
    this.#over ??= error;
    this.#abort.abort();
    await this.#running;
  }

  #start(): void {
    if (this.#busy) return;
    this.#busy = true;
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    // Who comes in the same turn comes along.
    await Promise.resolve();
    for (; this.#next && !this.#over; this.#under = null) {
      const group = (this.#under = this.#next);
      this.#next = null;
      if (await this.#write(group)) {
        this.#written = group.state;
        group.settle();
      }
    }
    // In the same turn as the last look: whoever comes now begins anew.
    this.#busy = false;
    const error = this.#over;
    if (!error) return;
    this.#under?.settle(error);
    this.#next?.settle(error);
    this.#under = this.#next = null;
  }

  async #write(group: Waiting<S, E>): Promise<boolean> {
    const { options } = this;
    while (!this.#over) {
      try {
        if (options.mayWrite()) {
          if (await options.write(group)) return true;
          this.#over = new PollcastError('UNAVAILABLE', 'somebody else has taken over meanwhile; try again');
          options.failed(new Error('another owner has written meanwhile'));
          break;
        }
      } catch (error) {
        if (!(error instanceof PollcastError) || error.code !== 'UNAVAILABLE') {
          this.#over = new PollcastError('UNAVAILABLE', 'this could not be saved; try again');
          options.failed(error);
          break;
        }
      }
      await sleep(options.clock, RETRY_MS, this.#abort.signal);
    }
    group.settle(this.#over ?? undefined);
    return false;
  }
}

function waiting<S, E>(state: S): Waiting<S, E> {
  let settle!: (error?: PollcastError) => void;
  const written = new Promise<void>((resolve, reject) => {
    settle = (error) => (error ? reject(error) : resolve());
  });
  // Those that nobody waits for are nobody's failure.
  written.catch(() => undefined);
  return { state, events: [], written, settle };
}
