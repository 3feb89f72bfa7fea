import type { Clock, Timer } from '../kernel/clock.js';
import type { Kernel } from '../kernel/kernel.js';
import type { Logger } from '../kernel/log.js';
import type { Unsubscribe } from '../kernel/ports/bus.js';
import type { ProcessSpec } from '../kernel/ports/store.js';
import type { Frame, FramePosition, FrameStore, Round, StoredFrame } from '../polling/frames/frames.js';
import type { PollerMessage, Watched } from '../polling/poller-parts.js';
import type { StandIn } from '../polling/stand-in.js';
import type { Emergency } from '../polling/stand-ins.js';
import type { Channel } from '../topics/topic.js';
import type { ChannelLink, LocalChannel, Standing } from './local-channel.js';

export interface LinkSettings {
  /** How often a poller shows a sign of life. */
  readonly beatMs: number;
}

export interface PollerLinkParts {
  readonly kernel: Kernel;
  readonly frames: FrameStore;
  readonly settings: LinkSettings;
  readonly log: Logger;
  /** Absent: the node waits until the cluster is back. */
  readonly emergency?: Emergency;
}

/** Signs of life that may be missing before a poller's channels are called stale. */
const BEATS_MISSED = 3;
/** What a `watch` may take beyond the topic's own timeout: placing the poller, or taking it over. */
const WATCH_EXTRA_MS = 5_000;
const REFRESH_AT_ONCE = 50;
/** How long a stand-in goes on at most once the cluster answers again: the poller there may have to be placed anew. */
const STAND_IN_AFTER_MS = 10_000;

/**
 * This node's line to one poller, wherever that runs: its rounds come in, and go to the channels here. Open only while
 * there are channels.
 *
 * A line that was silent or cut may have missed rounds: every channel is then asked for again, and catches up.
 *
 * While the node is cut off from the cluster a stand-in polls for the channels here. Each of them has its frames and its
 * state from the stand-in alone (`#substituted`) until it has caught up with the cluster again.
 */
export class PollerLink implements ChannelLink {
  readonly #channels = new Map<string, LocalChannel>();
  #unsubscribe: Promise<Unsubscribe> | null = null;
  #unlink: (() => void) | null = null;
  #timer: Timer | null = null;
  #heard = 0;
  #fence = 0;
  /** The channels here that may be behind: rounds were, or may have been, missed. */
  readonly #behind = new Set<LocalChannel>();
  #refreshing = false;
  #closed = false;
  #standIn: StandIn | null = null;
  /** The channels that have their frames from the stand-in. */
  readonly #substituted = new Set<LocalChannel>();
  /** The channels whose newest frame is, or may be, a stand-in's: the cluster must not go on from an older result. */
  readonly #alone = new Set<LocalChannel>();
  /** The cluster has been asked where they stand: what the stand-in still says would be newer than the answer. */
  readonly #muted = new Set<LocalChannel>();
  /** A round of the cluster's was not given to a channel that has not caught up with it. */
  #skipped = false;
  /** Monotonic ms since when the stand-in is one too many; `null`: it is needed, or there is none. */
  #relievedAt: number | null = null;
  readonly #unlistenCut: () => void;
  polledAt = 0;

  constructor(
    readonly process: ProcessSpec,
    private readonly parts: PollerLinkParts,
    /** Says again that a channel is watched from here. */
    private readonly renew: (key: string) => Promise<void>,
    /** Gives a round's frames to their channels here. */
    private readonly deliver: (frames: readonly (readonly [LocalChannel, Frame])[], round: Round) => void,
  ) {
    this.#heard = this.#clock.monotonic();
    this.#unlistenCut = parts.emergency?.cutOff.onChange((away) => this.#cutOff(away)) ?? (() => undefined);
    this.#watchSilence();
  }

  get size(): number {
    return this.#channels.size;
  }

  get #clock(): Clock {
    return this.parts.kernel.clock;
  }

  add(channel: LocalChannel): void {
    this.#channels.set(channel.key, channel);
    if (this.parts.emergency?.cutOff.away) this.#substitute([channel]);
  }

  /**
   * Takes over a channel that another poller had until now. Its frames and this poller's were begun apart: none of these is given
   * to it until the poller has been asked for one of now.
   */
  adopt(channel: LocalChannel): void {
    this.add(channel);
    if (channel.newest) this.#alone.add(channel);
    this.#substituted.add(channel);
    this.#behind.add(channel);
    this.#refresh();
  }

  remove(key: string): void {
    const channel = this.#channels.get(key);
    this.#channels.delete(key);
    if (channel) {
      this.#behind.delete(channel);
      this.#joined(channel);
    }
  }

  /** Resolves once rounds come in. */
  async connect(): Promise<void> {
    const opening = (this.#unsubscribe ??= this.#open());
    try {
      await opening;
    } catch (error) {
      // Others have waited for the same attempt, and one of them may have begun the next already.
      if (this.#unsubscribe === opening) this.#unsubscribe = null;
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    this.#unlink?.();
    this.#unlistenCut();
    this.#restStandIn();
    // One that is still opening is closed when it is open; one that could not be opened, is closed.
    const unsubscribe = await this.#unsubscribe?.catch(() => undefined);
    await unsubscribe?.();
  }

  async watch(channel: Channel, above: FramePosition | null): Promise<Standing> {
    const standIn = this.#standInNow(channel.key);
    const local = this.#channels.get(channel.key);
    if (standIn) {
      if (local) this.#alone.add(local);
      return { ...(await standIn.watch(channel, above)), standIn: true };
    }
    await this.connect();
    const alone = local !== undefined && this.#alone.has(local);
    const message: PollerMessage = {
      do: 'watch',
      channel: channel.key,
      above: above ?? undefined,
      ...(alone && { alone }),
    };
    const timeoutMs = channel.topic.timeoutMs + WATCH_EXTRA_MS;
    // A poller asks for a while for whatever it is told to watch: not for those who have gone.
    const wanted = (): boolean => local !== undefined && this.#channels.get(channel.key) === local;
    if (alone) this.#muted.add(local);
    try {
      return await this.parts.kernel.call<Watched>(this.process.name, message, { timeoutMs, idempotent: true, wanted });
    } catch (error) {
      if (alone) await this.#unmute(local);
      throw error;
    }
  }

  newest(key: string): Promise<StoredFrame | null> {
    return this.#standInNow(key)?.newest(key) ?? this.parts.frames.newest(this.process.name, key);
  }

  after(key: string, position: FramePosition): Promise<Frame[] | null> {
    return this.#standInNow(key)?.after(key, position) ?? this.parts.frames.after(this.process.name, key, position);
  }

  history(key: string, from: number, to: number, limit: number): Promise<Frame[]> {
    const { frames } = this.parts;
    return (
      this.#standInNow(key)?.history(key, from, to, limit) ?? frames.history(this.process.name, key, from, to, limit)
    );
  }

  async #open(): Promise<Unsubscribe> {
    const { frames } = this.parts;
    this.#heard = this.#clock.monotonic();
    const unlink = frames.onLink((up) => this.#linkChanged(up));
    try {
      const unsubscribe = await frames.subscribe(this.process.name, (round) => this.#hear(round));
      this.#unlink = unlink;
      if (this.#closed) unlink();
      return unsubscribe;
    } catch (error) {
      unlink();
      throw error;
    }
  }

  #hear(round: Round): void {
    // A former owner's last words, come late. The store has refused what came after its successor's first.
    if (round.fence < this.#fence) return;
    this.#fence = round.fence;
    this.#heard = this.#clock.monotonic();
    this.polledAt = Math.max(this.polledAt, round.polledAt);
    const frames: [LocalChannel, Frame][] = [];
    for (const frame of round.frames) {
      const channel = this.#channels.get(frame.channel);
      if (!channel) continue;
      if (this.#substituted.has(channel)) {
        // It may be older than what the stand-in has shown, and yet stand above it.
        this.#behind.add(channel);
        this.#skipped = true;
      } else frames.push([channel, frame]);
    }
    this.deliver(frames, round);
    for (const status of round.statuses) {
      const channel = this.#channels.get(status.channel);
      // What its viewers have is from the stand-in still: `live` would be a word too soon.
      if (channel && !this.#substituted.has(channel)) channel.hearStatus(status, round.fence);
    }
    this.#refresh();
  }

  #cutOff(away: boolean): void {
    if (away) {
      this.#allBehind();
      this.#suspend();
      this.#substitute([...this.#channels.values()]);
    } else {
      this.#relievedAt = this.#clock.monotonic();
      this.#refresh();
    }
  }

  /** The stand-in, if that is what speaks for a channel at this moment. */
  #standInNow(key: string): StandIn | null {
    return this.parts.emergency?.cutOff.away && this.#channels.has(key) ? this.#standIn : null;
  }

  #substitute(channels: readonly LocalChannel[]): void {
    const { emergency, log } = this.parts;
    if (!emergency || this.#closed) return;
    this.#relievedAt = null;
    this.#standIn ??= emergency.standIns.serve(this.process, {
      held: () => [...this.#substituted].map(({ key }) => key),
      hear: (round) => this.#hearStandIn(round),
    });
    for (const channel of channels) {
      this.#behind.add(channel);
      this.#substituted.add(channel);
      // One without rows is asked for by whoever opens it.
      if (!channel.newest) continue;
      channel.refresh().catch((error: unknown) => log.debug({ err: error, channel: channel.key }, 'no rows meanwhile'));
    }
  }

  #hearStandIn(round: Round): void {
    const mine = (key: string): LocalChannel | null => {
      const channel = this.#channels.get(key);
      if (!channel || !this.#substituted.has(channel)) return null;
      return this.#muted.has(channel) && !this.parts.emergency?.cutOff.away ? null : channel;
    };
    const frames: [LocalChannel, Frame][] = [];
    for (const frame of round.frames) {
      const channel = mine(frame.channel);
      if (!channel) continue;
      this.#alone.add(channel);
      frames.push([channel, frame]);
    }
    this.polledAt = Math.max(this.polledAt, round.polledAt);
    this.deliver(frames, round);
    for (const status of round.statuses) mine(status.channel)?.hearStandIn(status);
  }

  /** The cluster has not answered: the stand-in goes on, from what it has meanwhile. */
  async #unmute(channel: LocalChannel): Promise<void> {
    this.#muted.delete(channel);
    const kept = await this.#standIn?.newest(channel.key);
    if (kept && this.#substituted.has(channel) && !this.#muted.has(channel)) channel.accept(kept);
  }

  /** It has caught up with the cluster, or is gone. */
  #joined(channel: LocalChannel): void {
    this.#substituted.delete(channel);
    this.#muted.delete(channel);
    this.#alone.delete(channel);
  }

  /** It is over when every channel has caught up with the cluster, or that has had time enough. */
  #endStandIn(): void {
    if (!this.#standIn || this.#relievedAt === null) return;
    if (this.#substituted.size > 0 && this.#clock.monotonic() - this.#relievedAt < STAND_IN_AFTER_MS) return;
    this.#relievedAt = null;
    this.#substituted.clear();
    this.#restStandIn();
  }

  #restStandIn(): void {
    if (this.#standIn) this.parts.emergency?.standIns.rest(this.process);
    this.#standIn = null;
  }

  #linkChanged(up: boolean): void {
    this.#allBehind();
    if (up) this.#refresh();
    else this.#suspend();
  }

  #watchSilence(): void {
    this.#timer = this.#clock.after(this.parts.settings.beatMs, () => {
      if (this.#clock.monotonic() - this.#heard > BEATS_MISSED * this.parts.settings.beatMs) {
        this.#allBehind();
        this.#suspend();
      }
      if (this.parts.frames.up) this.#refresh();
      this.#endStandIn();
      this.#watchSilence();
    });
  }

  #suspend(): void {
    for (const channel of this.#channels.values()) channel.suspend('cluster');
  }

  #allBehind(): void {
    for (const channel of this.#channels.values()) this.#behind.add(channel);
  }

  /** Who is behind catches up; those that cannot now are tried again at the next sign of life, or of its lack. */
  #refresh(): void {
    if (this.#refreshing || this.#behind.size === 0 || this.#closed || this.parts.emergency?.cutOff.away) return;
    this.#refreshing = true;
    this.#skipped = false;
    const channels = [...this.#behind];
    this.#behind.clear();
    const worker = async (): Promise<void> => {
      for (let channel = channels.pop(); channel; channel = channels.pop()) {
        if (this.#channels.get(channel.key) !== channel) continue;
        try {
          // Silent because it has ended, perhaps: then our hold starts it again.
          await this.renew(channel.key);
          if (this.#channels.get(channel.key) !== channel) continue;
          await channel.refresh();
          // Cut off again meanwhile: that was the stand-in's answer.
          if (this.parts.emergency?.cutOff.away) this.#behind.add(channel);
          else this.#joined(channel);
        } catch (error) {
          if (this.#channels.get(channel.key) === channel) this.#behind.add(channel);
          this.parts.log.debug({ err: error, channel: channel.key }, 'not caught up yet');
        }
      }
    };
    void Promise.all(Array.from({ length: REFRESH_AT_ONCE }, worker)).finally(() => {
      this.#refreshing = false;
      this.#endStandIn();
      if (this.#skipped) this.#refresh();
    });
  }
}
