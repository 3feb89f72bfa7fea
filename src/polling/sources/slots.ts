/**
 * Lets at most `size` in at a time, first come first served. The pool's own queue would count waiting behind our own
 * statements as a failure to connect, and that as an outage of the database.
 */
export class Slots {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(private readonly size: number) {
    this.#free = size;
  }

  get taken(): number {
    return this.size - this.#free;
  }

  /** Those that wait to be let in. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Resolves to the function that lets the next one in, to be called once; to undefined when `signal` fires first. */
  enter(signal: AbortSignal): Promise<(() => void) | undefined> {
    if (signal.aborted) return Promise.resolve(undefined);
    if (this.#free > 0) {
      this.#free -= 1;
      return Promise.resolve(() => this.#leave());
    }
    return new Promise((resolve) => {
      const admit = (): void => {
        signal.removeEventListener('abort', giveUp);
        resolve(() => this.#leave());
      };
      const giveUp = (): void => {
        this.#waiting.delete(admit);
        resolve(undefined);
      };
      this.#waiting.add(admit);
      signal.addEventListener('abort', giveUp, { once: true });
    });
  }

  /** A slot goes straight to whoever waits longest: in between nobody else could take it. */
  #leave(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free += 1;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
