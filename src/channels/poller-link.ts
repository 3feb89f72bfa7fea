import type { Clock, Timer } from '../kernel/clock.js';
import type { Kernel } from '../kernel/kernel.js';
import type { Logger } from '../kernel/log.js';
import type { Unsubscribe } from '../kernel/ports/bus.js';
import type { ProcessSpec } from '../kernel/ports/store.js';
import type { Frame, FramePosition, FrameStore, Round, StoredFrame } from '../polling/frames/frames.js';
import type { PollerMessage, Watched } from '../polling/poller-parts.js';
import type { Channel } from '../topics/topic.js';
import type { ChannelLink, LocalChannel } from './local-channel.js';

export interface LinkSettings {
  /** How often a poller shows a sign of life. */
  readonly beatMs: number;
}

/** Signs of life that may be missing before a poller's channels are called stale. */
const BEATS_MISSED = 3;
/** What a `watch` may take beyond the topic's own timeout: placing the poller, or taking it over. */
const WATCH_EXTRA_MS = 5_000;
const REFRESH_AT_ONCE = 50;

/**
 * This node's line to one poller, wherever that runs: its rounds come in, and go to the channels here. Open only while
 * there are channels.
 *
 * A line that was silent or cut may have missed rounds: every channel is then asked for again, and catches up.
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
  polledAt = 0;

  constructor(
    readonly process: ProcessSpec,
    private readonly kernel: Kernel,
    private readonly frames: FrameStore,
    private readonly settings: LinkSettings,
    private readonly log: Logger,
    /** Says again that a channel is watched from here. */
    private readonly renew: (key: string) => Promise<void>,
    /** Gives a round's frames to their channels here. */
    private readonly deliver: (frames: readonly (readonly [LocalChannel, Frame])[], round: Round) => void,
  ) {}

  get size(): number {
    return this.#channels.size;
  }

  get #clock(): Clock {
    return this.kernel.clock;
  }

  add(channel: LocalChannel): void {
    this.#channels.set(channel.key, channel);
  }

  remove(key: string): void {
    const channel = this.#channels.get(key);
    this.#channels.delete(key);
    if (channel) this.#behind.delete(channel);
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
    // One that is still opening is closed when it is open; one that could not be opened, is closed.
    const unsubscribe = await this.#unsubscribe?.catch(() => undefined);
    this.#timer?.cancel();
    await unsubscribe?.();
  }

  async watch(channel: Channel): Promise<Watched> {
    await this.connect();
    const message: PollerMessage = { do: 'watch', channel: channel.key };
    const timeoutMs = channel.topic.timeoutMs + WATCH_EXTRA_MS;
    return this.kernel.call<Watched>(this.process.name, message, { timeoutMs, idempotent: true });
  }

  newest(key: string): Promise<StoredFrame | null> {
    return this.frames.newest(this.process.name, key);
  }

  after(key: string, position: FramePosition): Promise<Frame[] | null> {
    return this.frames.after(this.process.name, key, position);
  }

  history(key: string, from: number, to: number, limit: number): Promise<Frame[]> {
    return this.frames.history(this.process.name, key, from, to, limit);
  }

  async #open(): Promise<Unsubscribe> {
    this.#heard = this.#clock.monotonic();
    const unlink = this.frames.onLink((up) => this.#linkChanged(up));
    try {
      const unsubscribe = await this.frames.subscribe(this.process.name, (round) => this.#hear(round));
      this.#unlink = unlink;
      if (this.#closed) unlink();
      else this.#watchSilence();
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
      if (channel) frames.push([channel, frame]);
    }
    this.deliver(frames, round);
    for (const status of round.statuses) this.#channels.get(status.channel)?.hearStatus(status, round.fence);
    this.#refresh();
  }

  #linkChanged(up: boolean): void {
    this.#allBehind();
    if (up) this.#refresh();
    else this.#suspend();
  }

  #watchSilence(): void {
    this.#timer = this.#clock.after(this.settings.beatMs, () => {
      if (this.#clock.monotonic() - this.#heard > BEATS_MISSED * this.settings.beatMs) {
        this.#allBehind();
        this.#suspend();
      }
      if (this.frames.up) this.#refresh();
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
    if (this.#refreshing || this.#behind.size === 0 || this.#closed) return;
    this.#refreshing = true;
    const channels = [...this.#behind];
    this.#behind.clear();
    const worker = async (): Promise<void> => {
      for (let channel = channels.pop(); channel; channel = channels.pop()) {
        if (this.#channels.get(channel.key) !== channel) continue;
        try {
          // Silent because it has ended, perhaps: then our hold starts it again.
          await this.renew(channel.key);
          await channel.refresh();
        } catch (error) {
          if (this.#channels.get(channel.key) === channel) this.#behind.add(channel);
          this.log.debug({ err: error, channel: channel.key }, 'not caught up yet');
        }
      }
    };
    void Promise.all(Array.from({ length: REFRESH_AT_ONCE }, worker)).finally(() => (this.#refreshing = false));
  }
}
