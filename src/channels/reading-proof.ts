import type { Clock, Timer } from '../kernel/clock.js';

/** The parts of a `ws` socket that this needs. */
export interface Pingable {
  ping(): void;
  on(event: 'pong', listen: () => void): void;
}

/** Before it is cut, answers that have come already are read: this node itself may have stood still. */
const LAST_LOOK_MS = 250;

/**
 * Whether the other end of a websocket reads. The system's own buffers take megabytes before a socket says that it takes no more,
 * so that is asked for: every client answers a ping of the websocket (RFC 6455) when it has read all that came before it.
 * One that answers none for `stallMs` while some are open, reads nothing.
 */
export class ReadingProof {
  #open = 0;
  #timer: Timer | null = null;
  #closed = false;

  constructor(
    private readonly socket: Pingable,
    private readonly clock: Clock,
    private readonly stallMs: number,
    private readonly stalled: () => void,
  ) {
    socket.on('pong', () => this.#answered());
  }

  ask(): void {
    if (this.#closed) return;
    this.#open += 1;
    this.#timer ??= this.#wait();
    this.socket.ping();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#timer = null;
  }

  #answered(): void {
    // Somebody else's ping may have been answered, or none at all.
    if (this.#open === 0 || this.#closed) return;
    this.#open -= 1;
    this.#timer?.cancel();
    this.#timer = this.#open > 0 ? this.#wait() : null;
  }

  #wait(): Timer {
    return this.clock.after(this.stallMs - LAST_LOOK_MS, () => {
      this.#timer = this.clock.after(LAST_LOOK_MS, this.stalled);
    });
  }
}
