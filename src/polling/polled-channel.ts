import type { PollcastError } from '../errors.js';
import type { ParamValue } from '../topics/topic.js';
import { backoffMs } from './cadence.js';
import {
  isNewer,
  type ChannelState,
  type FramePosition,
  type StatusChange,
  type StoredFrame,
} from './frames/frames.js';
import { fraction } from './names.js';

/** A channel as its poller sees it: what to ask, what came last, and how it fares. */
export class PolledChannel {
  /** Where in the interval it is asked, in [0, 1): its own for ever. */
  readonly place: number;
  values: Readonly<Record<string, ParamValue>> = {};
  /** What was published last; absent until then. */
  position: FramePosition | null = null;
  hash: string | undefined;
  /** Somebody has seen this position, and it is newer than ours: the next frame must be newer still. */
  above: FramePosition | null = null;
  mark: string | undefined;
  state: ChannelState = 'live';
  reason: string | undefined;
  since: number;
  /** The state has not been told since this poller began: the nodes may believe another one. */
  untold = true;
  error: PollcastError | null = null;
  failures = 0;
  /** Monotonic ms before which it is left alone. */
  restUntil = 0;
  /** It is in a round that is under way: never in two at once, so its frames keep their order. */
  asking = false;
  /** It was asked for while no answer of this poller was there yet, or while in a round that may be too old for it. */
  cold = true;
  /** Monotonic ms when its last viewer was seen gone; `null` while it is watched. */
  unwatchedSince: number | null = null;
  /** Monotonic ms when it was asked last, and when it was asked for the answer that holds now. */
  askedAt = -Infinity;
  currentAt = -Infinity;
  /** Monotonic ms when it was due last, as that was reckoned from the wall clock of then. */
  dueAt = -Infinity;
  /** Monotonic ms of the last `watch`: what was read of the demand before it does not know of it. */
  watchedAt = -Infinity;

  constructor(
    readonly key: string,
    now: number,
  ) {
    this.place = fraction(key);
    this.since = now;
  }

  /** What a node that had polled for itself has seen, said during a round that may be too old for it: for the next one. */
  #apart: FramePosition | null = null;

  /** Whether somebody waits for a frame above what was published last. */
  get owed(): boolean {
    return this.above !== null || this.#apart !== null;
  }

  /** A round with it in it begins. */
  ask(mono: number): void {
    this.askedAt = mono;
    if (this.#apart) this.raiseApart(this.#apart);
    this.#apart = null;
    this.asking = true;
    this.cold = false;
  }

  /** Goes on from what a former owner published. */
  restore(frame: StoredFrame): void {
    this.position = { epoch: frame.epoch, seq: frame.seq };
    this.hash = frame.hash;
    this.mark = frame.mark;
  }

  /** The next answer counts as new, whatever it is: the statement is another one, and so may be its interval. */
  forgetResult(): void {
    this.doubt();
    this.dueAt = -Infinity;
    this.cold = true;
  }

  /** Somebody has seen `seen` of it. If that is newer than what we know, the next answer is published above it, come what may. */
  raise(seen: FramePosition): void {
    if (this.position && !isNewer(seen, this.position)) return;
    if (!this.above || isNewer(seen, this.above)) this.above = seen;
    this.doubt();
    // A round that is under way may be just the one that somebody has heard of before us.
    if (!this.asking) this.cold = true;
  }

  /**
   * As `raise`, of a node that has polled for itself meanwhile. Its epoch and ours were begun apart: ours may be the larger one
   * and its result the newer, and then a frame of ours would show its viewers the past. So a new epoch begins, above both,
   * with the answer of a statement that begins after this.
   */
  raiseApart(seen: FramePosition): void {
    if (this.asking) {
      if (!this.#apart || isNewer(seen, this.#apart)) this.#apart = seen;
      this.cold = true;
      return;
    }
    const { position } = this;
    this.raise(position && !isNewer(seen, position) ? { epoch: position.epoch, seq: position.seq + 1 } : seen);
  }

  published(position: FramePosition, hash: string, mark: string | undefined): void {
    this.position = position;
    this.hash = hash;
    this.mark = mark;
    if (!this.above || isNewer(this.above, position)) return;
    this.above = null;
  }

  /** Whether the last publish was stored is not known: the next answer must come whole, and the store compares it. */
  doubt(): void {
    this.hash = undefined;
    this.mark = undefined;
  }

  succeeded(now: number, slow: boolean): void {
    this.currentAt = this.askedAt;
    this.failures = 0;
    this.restUntil = 0;
    this.error = null;
    this.#enter('live', slow ? 'slow' : undefined, now);
  }

  failed(error: PollcastError, now: number, mono: number, intervalMs: number): void {
    this.failures += 1;
    this.restUntil = mono + backoffMs(this.failures, intervalMs);
    this.error = error;
    this.#enter('failed', error.code, now);
  }

  /** Nothing is known of it for the time being, through no fault of its own. */
  stale(error: PollcastError, reason: string, now: number): void {
    this.error = error;
    this.#enter('stale', reason, now);
  }

  status(): StatusChange {
    return { channel: this.key, state: this.state, reason: this.reason, since: this.since };
  }

  /** The nodes know it now, unless it has changed since it was on its way. */
  told(status: StatusChange): void {
    if (status.state === this.state && status.since === this.since) this.untold = false;
  }

  /** `since` rises with every change, though the wall clock may be set back: it says which of two states is the later. */
  #enter(state: ChannelState, reason: string | undefined, now: number): void {
    if (state === this.state && reason === this.reason) return;
    this.state = state;
    this.reason = reason;
    this.since = Math.max(now, this.since + 1);
    this.untold = true;
  }
}
