import type { Clock, Timer } from '../kernel/clock.js';

/** How long newcomers wait for each other at most, while others are being asked for or many come. */
const PATIENCE_MS = 30;
/** So many at once are a rush: thousands may join together, and each statement for a few of them costs as much as one for all. */
const MANY = 4;

/**
 * When those are asked for who wait for their first answer: one at once, together with all who come in the same moment. Who
 * comes while others are being asked for waits until that is done, and in a rush all wait a little for each other.
 */
export class Newcomers {
  #timer: Timer | null = null;
  #rush = false;
  #closed = false;

  constructor(
    private readonly clock: Clock,
    /** Returns how many it has asked for. */
    private readonly ask: () => number,
    /** Whether some are being asked for. */
    private readonly asking: () => boolean,
  ) {}

  /** Somebody has come. */
  came(): void {
    if (this.#timer || this.#closed) return;
    this.#timer = this.clock.after(this.#rush || this.asking() ? PATIENCE_MS : 0, () => {
      this.#timer = null;
      this.#rush = this.ask() >= MANY;
    });
  }

  /** Some who were asked for are through. */
  through(): void {
    if (!this.#timer || this.#rush || this.asking()) return;
    this.#timer.cancel();
    this.#timer = null;
    this.came();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }
}
