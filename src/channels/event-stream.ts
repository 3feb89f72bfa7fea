import type { ServerResponse } from 'node:http';
import type { Timer } from '../kernel/clock.js';
import type { FramePosition, StatusChange } from '../polling/frames/frames.js';
import type { SharedFrame } from './shared-frame.js';
import type { WriterSettings } from './socket-writer.js';
import type { Viewer } from './viewer.js';

/** What may lie in a response's buffer before only the newest frame is kept for it. */
const BACKLOG_BYTES = 64 * 1024;

/**
 * A viewer at the other end of a Server-Sent Events response (https://html.spec.whatwg.org/multipage/server-sent-events.html).
 * One that does not keep up gets the newest frame when it has caught up; one that takes nothing for `stallMs` is cut.
 */
export class EventStreamViewer implements Viewer {
  #waiting: SharedFrame | null = null;
  #stall: Timer | null = null;

  constructor(
    readonly id: string,
    readonly user: string,
    private readonly response: ServerResponse,
    private readonly settings: Pick<WriterSettings, 'clock' | 'stallMs' | 'onCut' | 'onSkip'>,
  ) {
    response.on('close', () => this.#stall?.cancel());
    response.on('drain', () => this.#drain());
  }

  get gone(): boolean {
    return this.response.writableEnded || this.response.destroyed;
  }

  frame(frame: SharedFrame): void {
    if (this.gone) return;
    if (this.#waiting === null && this.response.writableLength <= BACKLOG_BYTES) {
      this.#send('frame', frame.body, frame);
      return;
    }
    if (this.#waiting) this.settings.onSkip?.();
    this.#waiting = frame;
    this.#stall ??= this.settings.clock.after(this.settings.stallMs, () => this.#cut());
  }

  status(status: StatusChange): void {
    if (!this.gone) this.#send('status', JSON.stringify(status));
  }

  /** A comment: keeps proxies from closing a stream on which nothing changes. */
  keepAlive(): void {
    if (!this.gone) this.response.write(':\n\n');
  }

  #cut(): void {
    this.#waiting = null;
    this.settings.onCut();
    // Nothing more would get through: what lies in its buffer is given up with it.
    this.response.destroy();
  }

  #drain(): void {
    this.#stall?.cancel();
    this.#stall = null;
    const frame = this.#waiting;
    this.#waiting = null;
    if (frame) this.frame(frame);
  }

  #send(event: string, json: string, position?: FramePosition): void {
    const id = position ? `id: ${formatPosition(position)}\n` : '';
    this.response.write(`${id}event: ${event}\ndata: ${json}\n\n`);
  }
}

/** `epoch-seq`: an ETag's text and an event's id. */
export function formatPosition({ epoch, seq }: FramePosition): string {
  return `${epoch}-${seq}`;
}

/** `undefined` for anything else than what `formatPosition` makes. */
export function parsePosition(text: string | undefined): FramePosition | undefined {
  const match = /^(\d{1,16})-(\d{1,16})$/.exec(text ?? '');
  return match ? { epoch: Number(match[1]), seq: Number(match[2]) } : undefined;
}
