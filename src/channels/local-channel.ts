import { PollcastError, toPollcastError } from '../errors.js';
import type { Clock } from '../kernel/clock.js';
import type { ProcessSpec } from '../kernel/ports/store.js';
import { isNewer, type Frame, type FramePosition, type StatusChange } from '../polling/frames/frames.js';
import type { Channel } from '../topics/topic.js';
import type { Watched } from '../polling/poller-parts.js';
import type { RoundWrites } from './round-writes.js';
import { SharedFrame } from './shared-frame.js';
import { Thinner } from './thinned.js';
import type { Viewer } from './viewer.js';

/** How far nodes' clocks may be apart. */
const CLOCKS_APART_MS = 60_000;
const RAISE_PAUSE_MS = 5_000;

/** Where a channel stands. `standIn`: by a poller of this node alone, while the cluster cannot be reached. */
export type Standing = Watched & { readonly standIn?: true };

/** A node's line to the poller of a channel, and to what that has stored. */
export interface ChannelLink {
  readonly process: ProcessSpec;
  /** Wall clock ms of the poller's last poll that we heard of. */
  readonly polledAt: number;
  /** Resolves with where it stands, which is not older than `above`. */
  watch(channel: Channel, above: FramePosition | null): Promise<Standing>;
  newest(key: string): Promise<Frame | null>;
  after(key: string, position: FramePosition): Promise<Frame[] | null>;
  history(key: string, from: number, to: number, limit: number): Promise<Frame[]>;
}

/** One viewer's terms for one channel. */
export interface Subscription {
  readonly viewer: Viewer;
  readonly everyMs: number;
  readonly thinner: Thinner | null;
  /** It takes deltas. */
  readonly delta: boolean;
}

/**
 * A channel as this node knows it: its newest frame, how it fares, and its viewers here.
 *
 * It is opened once, by its first viewer, and shared by all who come while it opens. Positions only move forward,
 * whatever order the poller's messages and answers come in.
 */
export class LocalChannel {
  readonly subscriptions = new Map<string, Subscription>();
  /** Viewers that take every frame, in a row: there may be thousands of them, and this is gone through for each frame. */
  #direct: Viewer[] | null = null;
  readonly #thinners = new Set<Thinner>();
  newest: SharedFrame | null = null;
  status: StatusChange;
  /** Who is being let in, or looks something up: it is not closed under them. */
  guests = 0;
  #opening: Promise<void> | null = null;
  #open = false;
  /** The last thing that a poller said of the channel: what it or a former one said before is old news. */
  #told = { fence: 0, since: 0 };
  /** Subscriptions that take deltas: without any, none is worked out. */
  #deltas = 0;
  readonly #catchingUp = new Map<string, Promise<readonly SharedFrame[] | null>>();
  /** Monotonic ms when a viewer's word last made the channel begin a new epoch. */
  #raisedAt = -Infinity;

  constructor(
    /** With the version of its topic that was in force when it was asked for last. */
    public channel: Channel,
    public link: ChannelLink,
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

  /** Another poller has it from now on: what that one says is not to be measured by what the former has said. */
  moveTo(link: ChannelLink, channel: Channel): void {
    this.link = link;
    this.channel = channel;
    this.#told = { fence: 0, since: 0 };
  }

  /**
   * Asks the poller where the channel stands, and catches up with it. Rejects when that is not known then.
   *
   * The poller is told what was seen here (and by a viewer who comes from another node, in `seen`): what it answers is not
   * older, whatever the store has lost and whatever this node has published by itself.
   */
  async refresh(seen: FramePosition | null = null): Promise<void> {
    const { newest, link } = this;
    const above = seen && newest ? (isNewer(seen, newest) ? seen : newest) : (seen ?? newest);
    let watched: Standing;
    try {
      watched = await link.watch(this.channel, above && { epoch: above.epoch, seq: above.seq });
    } catch (error) {
      if (this.link !== link) return this.refresh(seen);
      const coded = toPollcastError(error);
      if (!this.newest || coded.code === 'UNAVAILABLE') throw error;
      // The poller has answered: this channel has no result any more. What its viewers have, they keep.
      return this.setStatus({ channel: this.key, state: 'failed', reason: coded.code, since: this.clock.now() });
    }
    // It has gone to another poller meanwhile, whose answer counts.
    if (this.link !== link) return this.refresh(seen);
    // Most often its frame has come over the bus by now, or comes with what is read next: that spares one look-up for each join.
    if (!this.newest || isNewer(watched, this.newest)) await new Promise((resolve) => setImmediate(resolve));
    if (!this.newest || isNewer(watched, this.newest)) {
      const stored = await link.newest(this.key);
      if (this.link !== link) return this.refresh(seen);
      if (stored) this.accept(stored);
    }
    if (!this.newest) throw new PollcastError('UNAVAILABLE', 'the first rows were not there yet; try again');
    this.#open = true;
    if (watched.standIn) return this.hearStandIn(watched);
    const { state, reason, since, fence } = watched;
    this.hearStatus({ channel: this.key, state, reason, since }, fence);
  }

  /**
   * A frame from the poller. `false`: it is not newer than the newest, and dropped. With `writes` it leaves together with the
   * others of its round.
   */
  accept(frame: Frame, writes?: RoundWrites): boolean {
    if (this.newest && !isNewer(frame, this.newest)) return false;
    const shared = new SharedFrame(frame);
    if (this.#deltas > 0 && this.newest) shared.compareTo(this.newest, this.channel.topic.key);
    this.newest = shared;
    for (const viewer of (this.#direct ??= this.#takingAll())) viewer.frame(shared, writes);
    for (const thinner of this.#thinners) thinner.frame(shared);
    shared.settle();
    return true;
  }

  #takingAll(): Viewer[] {
    const direct: Viewer[] = [];
    for (const { viewer, thinner } of this.subscriptions.values()) if (!thinner) direct.push(viewer);
    return direct;
  }

  /** What a poller says of it, in messages and in answers, which may overtake each other: older news change nothing. */
  hearStatus(status: StatusChange, fence: number): void {
    const { fence: seen, since } = this.#told;
    if (fence < seen || (fence === seen && status.since < since)) return;
    this.#told = { fence, since: status.since };
    this.setStatus(status);
  }

  /** What a stand-in says of it: fresh as its rows are, they are this node's alone. */
  hearStandIn({ state, reason, since }: Pick<StatusChange, 'state' | 'reason' | 'since'>): void {
    const status = state === 'live' ? ({ state: 'stale', reason: 'cluster' } as const) : { state, reason };
    this.setStatus({ channel: this.key, ...status, since });
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

  subscribe(viewer: Viewer, everyMs: number, delta = false): Subscription {
    const thinned = everyMs > this.channel.topic.intervalMs;
    const thinner = thinned ? new Thinner(this.clock, everyMs, (frame) => viewer.frame(frame)) : null;
    thinner?.began();
    const subscription = { viewer, everyMs, thinner, delta };
    this.subscriptions.set(viewer.id, subscription);
    if (thinner) this.#thinners.add(thinner);
    else this.#direct = null;
    if (delta) this.#deltas += 1;
    return subscription;
  }

  unsubscribe(viewer: string): boolean {
    const subscription = this.subscriptions.get(viewer);
    if (!subscription) return false;
    if (subscription.thinner) {
      subscription.thinner.close();
      this.#thinners.delete(subscription.thinner);
    } else this.#direct = null;
    if (subscription.delta) this.#deltas -= 1;
    return this.subscriptions.delete(viewer);
  }

  /**
   * Frames between `since` and now, oldest first. `null`: they are not kept, or it is of another epoch.
   * The newest one may have moved on while they were read; then the rest is here, or they are read again.
   * A viewer may also be ahead of this node: it comes from one that has heard more, or was cut off from the cluster.
   */
  async missed(since: FramePosition): Promise<readonly SharedFrame[] | null> {
    for (let tries = 0; tries < 3; tries++) {
      const { newest } = this;
      if (newest && isNewer(since, newest) && this.#isPlausible(since)) {
        await this.#reach(since);
        continue;
      }
      if (!newest || newest.epoch !== since.epoch || since.seq > newest.seq) return null;
      if (newest.seq === since.seq) return [];
      if (newest.seq === since.seq + 1) return [newest];
      if (this.channel.topic.retainMs === 0) return null;
      const kept = await this.#keptAfter(since);
      const last = kept?.at(-1);
      if (kept === null || !last) return null;
      if (this.newest && last.epoch === this.newest.epoch && last.seq >= this.newest.seq)
        return this.#upToNewest(kept, this.newest);
    }
    return null;
  }

  /** What was stored since is on its way here, and comes to the viewer with everybody else: not twice. */
  #upToNewest(kept: readonly SharedFrame[], newest: SharedFrame): readonly SharedFrame[] {
    return kept.filter((frame) => !isNewer(frame, newest));
  }

  /** An epoch is no later than the clock of the node that began it: another one is made up. */
  #isPlausible({ epoch }: FramePosition): boolean {
    return epoch <= this.clock.now() + CLOCKS_APART_MS;
  }

  /**
   * Makes the channel catch up with what a viewer has seen, or begin a new epoch above it. That is told to all its viewers on
   * all nodes, and a position is easily made up: once in a while is enough, for an epoch that begins now is above all that
   * was really shown before.
   */
  async #reach(since: FramePosition): Promise<void> {
    const { newest } = this;
    const maySay = this.clock.monotonic() - this.#raisedAt >= RAISE_PAUSE_MS;
    await this.refresh(maySay ? since : null);
    if (!this.newest || isNewer(since, this.newest))
      throw new PollcastError('UNAVAILABLE', 'this node has not seen that frame of the channel yet; try again');
    if (newest && this.newest.epoch > newest.epoch) this.#raisedAt = this.clock.monotonic();
  }

  /** Read once for all who ask at the same time: a node's viewers come back together, and most stand at the same frame. */
  #keptAfter(since: FramePosition): Promise<readonly SharedFrame[] | null> {
    const key = `${since.epoch}-${since.seq}`;
    let reading = this.#catchingUp.get(key);
    if (!reading) {
      reading = this.link
        .after(this.key, since)
        .then((frames) => frames?.map((frame) => new SharedFrame(frame)) ?? null)
        .finally(() => this.#catchingUp.delete(key));
      this.#catchingUp.set(key, reading);
    }
    return reading;
  }
}
