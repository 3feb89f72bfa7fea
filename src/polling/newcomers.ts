import type { Clock, Timer } from '../kernel/clock.js';

/**
 * While newcomers are being asked for, those who come meanwhile wait for each other until that is done, but no longer than
 * this: thousands may join at once.
 */
const PATIENCE_MS = 30;

/** When those are asked for who wait for their first answer: at once, together with all who come in the same moment. */
export class Newcomers {
  #timer: Timer | null = null;
  #closed = false;

  constructor(
    private readonly clock: Clock,
    private readonly ask: () => void,
    /** Whether some are being asked for. */
    private readonly asking: () => boolean,
  ) {}

  /** Somebody has come. */
  came(): void {
    if (this.#timer || this.#closed) return;
    this.#timer = this.clock.after(this.asking() ? PATIENCE_MS : 0, () => {
      this.#timer = null;
      this.ask();
    });
  }

  /** Some who were asked for are through. */
  through(): void {
    if (!this.#timer || this.asking()) return;
    this.#timer.cancel();
    this.#timer = null;
    this.came();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }
}
