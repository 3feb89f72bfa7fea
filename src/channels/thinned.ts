import type { Clock, Timer } from '../kernel/clock.js';
import type { SharedFrame } from './shared-frame.js';

/** Lets a viewer's frames of one channel through at most once in `everyMs`; the newest one always arrives in the end. */
export class Thinner {
  #last = -Infinity;
  #pending: SharedFrame | null = null;
  #timer: Timer | null = null;

  constructor(
    private readonly clock: Clock,
    readonly everyMs: number,
    private readonly deliver: (frame: SharedFrame) => void,
  ) {}

  frame(frame: SharedFrame): void {
    this.#pending = frame;
    if (this.#timer) return;
    const wait = this.#last + this.everyMs - this.clock.monotonic();
    if (wait <= 0) this.#send();
    else this.#timer = this.clock.after(wait, () => this.#send());
  }

  /** The viewer has just been given the channel's state by other means. */
  began(): void {
    this.#last = this.clock.monotonic();
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#pending = null;
  }

  #send(): void {
    this.#timer = null;
    this.#last = this.clock.monotonic();
    const frame = this.#pending;
    this.#pending = null;
    if (frame) this.deliver(frame);
  }
}
