import { PollcastError, toPollcastError } from '../errors.js';
import type { Clock } from '../kernel/clock.js';
import { isNewer, type Frame, type FramePosition, type StatusChange } from '../polling/frames/frames.js';
import type { Channel } from '../topics/topic.js';
import type { PollerLink } from './poller-link.js';
import { SharedFrame } from './shared-frame.js';
import { Thinner } from './thinned.js';
import type { Viewer } from './viewer.js';

/** One viewer's terms for one channel. */
export interface Subscription {
  readonly viewer: Viewer;
  readonly everyMs: number;
  readonly thinner: Thinner | null;
}

/**
 * A channel as this node knows it: its newest frame, how it fares, and its viewers here.
 *
 * It is opened once, by its first viewer, and shared by all who come while it opens. Positions only move forward,
 * whatever order the poller's messages and answers come in.
 */
export class LocalChannel {
  readonly subscriptions = new Map<string, Subscription>();
  newest: SharedFrame | null = null;
  status: StatusChange;
  /** Who is being let in, or looks something up: it is not closed under them. */
  guests = 0;
  #opening: Promise<void> | null = null;
  #open = false;

  constructor(
    readonly channel: Channel,
    readonly link: PollerLink,
    private readonly clock: Clock,
  ) {
    this.status = { channel: channel.key, state: 'live', since: clock.now() };
  }

  get key(): string {
    return this.channel.key;
  }

  get unused(): boolean {
    return this.subscriptions.size === 0 && this.guests === 0;
  }

  /** Resolves once there are rows; rejects with the reason why there cannot be any. */
  open(): Promise<void> {
    if (this.#open && this.newest) return Promise.resolve();
    this.#opening ??= this.refresh().finally(() => (this.#opening = null));
    return this.#opening;
  }

  /** Asks the poller where the channel stands, and catches up with it. */
  async refresh(): Promise<void> {
    const watched = await this.link.watch(this.channel);
    // Most often its frame has come over the bus by now.
    if (!this.newest || isNewer(watched, this.newest)) {
      const stored = await this.link.newest(this.key);
      if (stored) this.accept(stored);
    }
    if (!this.newest) throw new PollcastError('UNAVAILABLE', 'the first rows were not there yet; try again');
    this.#open = true;
    this.setStatus({ channel: this.key, state: watched.state, reason: watched.reason, since: watched.since });
  }

  /** A frame from the poller. Older ones than the newest are dropped. */
  accept(frame: Frame): void {
    if (this.newest && !isNewer(frame, this.newest)) return;
    const shared = new SharedFrame(frame);
    this.newest = shared;
    for (const { viewer, thinner } of this.subscriptions.values()) {
      if (thinner) thinner.frame(shared);
      else viewer.frame(shared);
    }
  }

  setStatus(status: StatusChange): void {
    if (status.state === this.status.state && status.reason === this.status.reason) return;
    this.status = status;
    for (const { viewer } of this.subscriptions.values()) viewer.status(status);
  }

  /** What is known is not from the poller any more. A failure that it told stands. */
  suspend(reason: string): void {
    if (this.status.state !== 'live') return;
    this.setStatus({ channel: this.key, state: 'stale', reason, since: this.clock.now() });
  }

  subscribe(viewer: Viewer, everyMs: number): Subscription {
    const thinned = everyMs > this.channel.topic.intervalMs;
    const thinner = thinned ? new Thinner(this.clock, everyMs, (frame) => viewer.frame(frame)) : null;
    thinner?.began();
    const subscription = { viewer, everyMs, thinner };
    this.subscriptions.set(viewer.id, subscription);
    return subscription;
  }

  unsubscribe(viewer: string): boolean {
    this.subscriptions.get(viewer)?.thinner?.close();
    return this.subscriptions.delete(viewer);
  }

  /**
   * Frames between `since` and now, oldest first. `null`: they are not kept, or it is of another epoch.
   * The newest one may have moved on while they were read; then the rest is here, or they are read again.
   */
  async missed(since: FramePosition): Promise<readonly SharedFrame[] | null> {
    for (let tries = 0; tries < 3; tries++) {
      const { newest } = this;
      if (!newest || newest.epoch !== since.epoch || since.seq > newest.seq) return null;
      if (newest.seq === since.seq) return [];
      if (newest.seq === since.seq + 1) return [newest];
      if (this.channel.topic.retainMs === 0) return null;
      let kept: readonly Frame[] | null;
      try {
        kept = await this.link.after(this.key, since);
      } catch (error) {
        throw toPollcastError(error);
      }
      const last = kept?.at(-1);
      if (kept === null || !last) return null;
      if (this.newest && last.epoch === this.newest.epoch && last.seq === this.newest.seq) return kept.map((frame) => new SharedFrame(frame));
    }
    return null;
  }
}
