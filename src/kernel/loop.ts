import type { Clock, Timer } from './clock.js';

/** Runs a step again and again, never twice at once, each time `everyMs()` after the last one ended. */
export class Loop {
  #timer: Timer | null = null;
  #running = false;
  #again = false;
  #closed = false;

  constructor(
    private readonly clock: Clock,
    private readonly everyMs: () => number,
    private readonly step: () => Promise<void>,
    private readonly failed: (error: unknown) => void,
  ) {
    this.#arm();
  }

  /** Runs it now; if it is running, once more right afterwards. */
  kick(): void {
    if (this.#running) this.#again = true;
    else this.#run();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #arm(): void {
    if (!this.#closed) this.#timer = this.clock.after(this.everyMs(), () => this.#run());
  }

  #run(): void {
    if (this.#closed) return;
    this.#timer?.cancel();
    this.#running = true;
    this.step()
      .catch(this.failed)
      .finally(() => {
        this.#running = false;
        if (this.#again) {
          this.#again = false;
          this.#run();
        } else this.#arm();
      });
  }
}
