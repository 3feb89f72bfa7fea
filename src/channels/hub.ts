import { PollcastError } from '../errors.js';
import type { BusPort } from '../kernel/ports/bus.js';
import { PresenceFeed } from '../presence/presence-feed.js';
import { Presence, type Watchable } from '../presence/presence.js';
import type { PresentUser } from '../presence/viewers.js';
import type { Frame, FramePosition, Round } from '../polling/frames/frames.js';
import { pollerSpec } from '../polling/names.js';
import type { RoundTracer } from '../polling/round-tracer.js';
import type { Channel, Topic } from '../topics/topic.js';
import { channelFromKey } from '../topics/channel.js';
import { Admissions, connectionGone } from './admissions.js';
import { LocalChannel } from './local-channel.js';
import { PollerLink, type PollerLinkParts } from './poller-link.js';
import { RoundWrites } from './round-writes.js';
import type { SharedFrame } from './shared-frame.js';
import type { Viewer } from './viewer.js';

export interface WatchOptions {
  readonly everyMs?: number;
  /** The last frame that the viewer has. */
  readonly since?: FramePosition;
  /** It wants to be told who joins and leaves. */
  readonly presence?: boolean;
  /** It takes deltas, where the topic has a `key`. */
  readonly delta?: boolean;
}

/** What a viewer is given when it has joined. `missed` comes with `resumed`: the frames between `since` and `newest`. */
export interface Joined {
  readonly channel: LocalChannel;
  readonly newest: SharedFrame;
  readonly everyMs: number;
  /** Its frames may come as deltas. */
  readonly delta: boolean;
  readonly resumed: boolean;
  readonly missed: readonly SharedFrame[];
}

export interface HubParts extends PollerLinkParts {
  readonly bus: BusPort;
  readonly metrics?: {
    /** Frames given to viewers of this node, and the size of their rows. */
    delivered(frames: number, bytes: number): void;
  };
  readonly tracer?: RoundTracer;
  /** Calls back with every topic of which another version is in force. Returns the way to stop that. */
  onTopicChanged?(listen: (topic: Topic) => void): () => void;
}

/**
 * The channels of this node and their viewers, whatever they are connected by: sockets, event streams, requests.
 * One `LocalChannel` for each channel, one `PollerLink` for each poller.
 */
export class Hub {
  readonly #channels = new Map<string, LocalChannel>();
  readonly #links = new Map<string, PollerLink>();
  /** Which channels each viewer watches. Invariant: a key is here just while the channel has its subscription. */
  readonly #watching = new Map<string, Set<string>>();
  readonly #admissions = new Admissions();
  /** Viewers that want news of a channel's presence. */
  readonly #curious = new Map<string, Map<string, Viewer>>();
  readonly presence: Presence;
  readonly #feed: PresenceFeed;
  readonly #unlisten: (() => void)[];
  #closed = false;

  constructor(private readonly parts: HubParts) {
    const { kernel, bus, log } = parts;
    const away = (): boolean => parts.emergency?.cutOff.away ?? false;
    this.presence = new Presence(kernel, log, (watchable) => this.#feed.announce(watchable), away);
    this.#feed = new PresenceFeed(kernel, bus, this.presence, log);
    const stops = [
      parts.emergency?.cutOff.onChange((cut) => cut || this.#followAgain()),
      parts.onTopicChanged?.((topic) => this.#topicChanged(topic)),
    ];
    this.#unlisten = stops.filter((stop) => stop !== undefined);
  }

  get viewers(): number {
    return this.presence.viewers;
  }

  get channelCount(): number {
    return this.#channels.size;
  }

  watching(viewer: string): ReadonlySet<string> {
    return this.#watching.get(viewer) ?? new Set();
  }

  isWatching(viewer: string, key: string): boolean {
    return this.#watching.get(viewer)?.has(key) ?? false;
  }

  /**
   * Lets a viewer watch a channel, once however often it asks. `admit` is called in the same step in which the viewer
   * begins to get frames: what it is given there comes before any of them, and none is left out in between.
   *
   * Rejects with the reason why there are no first rows (`QUERY_FAILED`, `UNAVAILABLE` …), and leaves nothing behind.
   */
  watch<T>(channel: Channel, viewer: Viewer, options: WatchOptions, admit: (joined: Joined) => T): Promise<T> {
    const join = (): Promise<T> => this.#watch(channel, viewer, options, admit);
    return this.parts.tracer?.joining(channel.topic.name, join) ?? join();
  }

  async #watch<T>(channel: Channel, viewer: Viewer, options: WatchOptions, admit: (joined: Joined) => T): Promise<T> {
    if (this.#closed) throw new PollcastError('UNAVAILABLE', 'this node is stopping; connect again');
    // A line that has just gone down is up again in a moment, or this node does without it.
    await this.parts.emergency?.cutOff.verdict();
    // Gone while it waited for its turn: nothing is begun for it.
    if (viewer.gone) throw connectionGone();
    const local = this.#channel(channel);
    const before = this.isWatching(viewer.id, local.key);
    const admission = this.#admissions.begin(viewer.id);
    local.guests += 1;
    try {
      await admission.step(() => this.presence.join(watchable(channel), viewer.id, viewer.user));
      await admission.step(() => local.open());
      const { since } = options;
      const missed = since ? await admission.step(() => local.missed(since)) : null;
      if (options.presence && channel.topic.presence) await admission.step(() => this.#follow(local, viewer));
      else this.#unfollow(local, viewer.id);
      if (viewer.gone || this.#closed) throw connectionGone();
      const { newest } = local;
      if (!newest) throw new PollcastError('UNAVAILABLE', 'the channel has no rows yet; try again');
      // No await from here on.
      const everyMs = Math.max(channel.topic.intervalMs, options.everyMs ?? 0);
      local.unsubscribe(viewer.id);
      const delta = options.delta === true && channel.topic.key.length > 0;
      local.subscribe(viewer, everyMs, delta);
      this.#note(viewer.id, local.key);
      return admit({ channel: local, newest, everyMs, delta, resumed: missed !== null, missed: missed ?? [] });
    } catch (error) {
      if (!before) {
        local.unsubscribe(viewer.id);
        this.#leave(local, viewer.id);
      }
      throw error;
    } finally {
      admission.end();
      local.guests -= 1;
      this.#closeUnused(local);
    }
  }

  /** The viewer's channel, for what only a viewer may ask. Throws `NOT_SUBSCRIBED`. */
  require(viewer: string, key: string): LocalChannel {
    const local = this.#channels.get(key);
    if (!local?.subscriptions.has(viewer)) {
      throw new PollcastError(
        'NOT_SUBSCRIBED',
        `this connection does not watch ${key.slice(0, 200)}: subscribe to it first`,
      );
    }
    return local;
  }

  /** Throws `NOT_SUBSCRIBED`. */
  unwatch(viewer: string, key: string): void {
    const local = this.require(viewer, key);
    local.unsubscribe(viewer);
    this.#leave(local, viewer);
    this.#closeUnused(local);
  }

  /** The viewer is gone: from everything, and from what it is being let in to. */
  leaveAll(viewer: string): void {
    this.#admissions.gone(viewer);
    for (const key of [...this.watching(viewer)]) this.unwatch(viewer, key);
  }

  /** Throws `NOT_SUBSCRIBED`, `FORBIDDEN` for a topic that does not show its viewers. */
  async present(viewer: string, key: string): Promise<{ viewers: PresentUser[]; count: number }> {
    const { channel } = this.require(viewer, key);
    if (!channel.topic.presence) {
      throw new PollcastError('FORBIDDEN', `${channel.topic.name} does not show its viewers (presence: true would)`);
    }
    return this.presence.present(watchable(channel));
  }

  /** Kept frames of a channel that this viewer watches, oldest first. Throws `NOT_SUBSCRIBED`. */
  async history(viewer: string, key: string, from: number, to: number, limit: number): Promise<readonly Frame[]> {
    const local = this.require(viewer, key);
    // Kept ones may be older than `retain` while nothing new has pushed them out.
    const oldest = this.parts.kernel.clock.now() - local.channel.topic.retainMs;
    return local.link.history(key, Math.max(from, oldest), to, limit);
  }

  /** Takes back what this node watches, while its viewers are still connected: their next node is told before they come. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const stop of this.#unlisten) stop();
    await this.#feed.close();
    await this.presence.close();
    await Promise.allSettled([...this.#links.values()].map((link) => link.close()));
    for (const local of this.#channels.values())
      for (const viewer of [...local.subscriptions.keys()]) local.unsubscribe(viewer);
    this.#channels.clear();
    this.#links.clear();
    // Their connections end after this: there is nothing left for them to leave.
    this.#watching.clear();
    this.#curious.clear();
  }

  #channel(channel: Channel): LocalChannel {
    const known = this.#channels.get(channel.key);
    if (known) {
      // Another version of the topic may be in force since.
      known.channel = channel;
      this.#bringHome(known, channel);
      return known;
    }
    const link = this.#link(channel);
    const local = new LocalChannel(channel, link, this.parts.kernel.clock);
    this.#channels.set(channel.key, local);
    link.add(local);
    return local;
  }

  #link(channel: Channel): PollerLink {
    const spec = pollerSpec(channel.topic, channel.key);
    const known = this.#links.get(spec.name);
    if (known) return known;
    const renew = (key: string): Promise<void> => this.presence.renew(key);
    const link = new PollerLink(spec, this.parts, renew, (delivered, round) =>
      this.#traced(spec.name, round, delivered),
    );
    this.#links.set(spec.name, link);
    return link;
  }

  #topicChanged(topic: Topic): void {
    for (const local of this.#channels.values()) {
      if (local.channel.topic.name !== topic.name) continue;
      try {
        this.#bringHome(local, channelFromKey(topic, local.key));
      } catch (error) {
        // That version has no such channel: its poller tells those who watch it.
        this.parts.log.debug({ err: error, channel: local.key }, 'a channel that the topic does not have any more');
      }
    }
  }

  /** The topic's channels may be split over other pollers than before: one that belongs to another goes there, with its viewers. */
  #bringHome(local: LocalChannel, channel: Channel): void {
    const former = this.#links.get(local.link.process.name);
    if (!former || pollerSpec(channel.topic, channel.key).name === former.process.name) return;
    const link = this.#link(channel);
    former.remove(local.key);
    local.moveTo(link, channel);
    this.presence.place(watchable(channel));
    link.adopt(local);
    this.#closeLine(former);
  }

  /** A round's frames. A viewer of several of its channels gets them in one write. */
  #traced(poller: string, { fence, polledAt }: Round, frames: readonly (readonly [LocalChannel, Frame])[]): void {
    const { tracer } = this.parts;
    if (!tracer || frames.length === 0) this.#deliver(frames);
    else tracer.delivering({ poller, fence, polledAt }, frames.length, () => this.#deliver(frames));
  }

  #deliver(frames: readonly (readonly [LocalChannel, Frame])[]): void {
    const writes = frames.length > 1 ? new RoundWrites() : undefined;
    let delivered = 0;
    let bytes = 0;
    try {
      for (const [channel, frame] of frames) {
        if (!channel.accept(frame, writes)) continue;
        const viewers = channel.subscriptions.size;
        delivered += viewers;
        bytes += viewers * frame.rows.length;
      }
    } finally {
      writes?.send();
      if (delivered > 0) this.parts.metrics?.delivered(delivered, bytes);
    }
  }

  async #follow(local: LocalChannel, viewer: Viewer): Promise<void> {
    const curious = this.#curious.get(local.key) ?? new Map<string, Viewer>();
    this.#curious.set(local.key, curious);
    curious.set(viewer.id, viewer);
    try {
      await this.#tellPresence(local);
    } catch (error) {
      // It watches all the same; who else does is told when the cluster is back.
      if (!this.parts.emergency?.cutOff.away) throw error;
    }
  }

  #tellPresence(local: LocalChannel): Promise<void> {
    return this.#feed.follow(watchable(local.channel), (news) => {
      for (const one of this.#curious.get(local.key)?.values() ?? []) one.presence?.({ channel: local.key, ...news });
    });
  }

  #followAgain(): void {
    for (const key of this.#curious.keys()) {
      const local = this.#channels.get(key);
      if (local) this.#background('follow presence again', this.#tellPresence(local));
    }
  }

  #leave(local: LocalChannel, viewer: string): void {
    this.presence.leave(local.key, viewer);
    const watching = this.#watching.get(viewer);
    watching?.delete(local.key);
    if (watching?.size === 0) this.#watching.delete(viewer);
    this.#unfollow(local, viewer);
  }

  #unfollow(local: LocalChannel, viewer: string): void {
    const curious = this.#curious.get(local.key);
    if (!curious?.delete(viewer) || curious.size > 0) return;
    this.#curious.delete(local.key);
    this.#background('unfollow presence', this.#feed.unfollow(local.key));
  }

  #note(viewer: string, key: string): void {
    const watching = this.#watching.get(viewer) ?? new Set();
    this.#watching.set(viewer, watching);
    watching.add(key);
  }

  #closeUnused(local: LocalChannel): void {
    if (!local.unused || this.#channels.get(local.key) !== local) return;
    this.#channels.delete(local.key);
    const link = this.#links.get(local.link.process.name);
    link?.remove(local.key);
    if (link) this.#closeLine(link);
  }

  #closeLine(link: PollerLink): void {
    if (link.size > 0) return;
    this.#links.delete(link.process.name);
    this.#background('close a line', link.close());
  }

  #background(what: string, work: Promise<void>): void {
    work.catch((error: unknown) => this.parts.log.debug({ err: error }, `could not ${what}`));
  }
}

function watchable({ key, topic }: Channel): Watchable {
  return { key, process: pollerSpec(topic, key), showUsers: topic.presence };
}
