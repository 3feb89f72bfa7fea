import { channelFromKey } from '../topics/channel.js';
import type { Topic } from '../topics/topic.js';
import { slotOf } from './cadence.js';
import { PolledChannel } from './polled-channel.js';

/** The channels of one poller, and who of them is due, cold, or over. Pure: times are arguments. */
export class PolledChannels implements Iterable<PolledChannel> {
  readonly #byKey = new Map<string, PolledChannel>();
  /** All of them by slot, for so many slots as were asked for last: whose turn it is, is looked up dozens of times a second. */
  #bySlot: PolledChannel[][] = [];

  get size(): number {
    return this.#byKey.size;
  }

  [Symbol.iterator](): Iterator<PolledChannel> {
    return this.#byKey.values();
  }

  /**
   * The channel, begun to be polled if it is new. Throws `BAD_REQUEST` or `INVALID_PARAMS` when the topic has no such
   * channel.
   */
  admit(topic: Topic, key: string, now: number): PolledChannel {
    const known = this.#byKey.get(key);
    if (known) return known;
    const channel = new PolledChannel(key, now);
    channel.values = channelFromKey(topic, key).values;
    this.#byKey.set(key, channel);
    this.#bySlot[slotOf(channel.place, this.#bySlot.length)]?.push(channel);
    return channel;
  }

  has(key: string): boolean {
    return this.#byKey.has(key);
  }

  /**
   * Notes which channels are held, as it was read at `askedAt` or later: the others are unwatched from `mono` on, unless
   * they were before. One that was asked for since then is not: its hold may be younger than what was read.
   */
  held(keys: ReadonlySet<string>, askedAt: number, mono: number): void {
    for (const channel of this) {
      if (keys.has(channel.key)) channel.unwatchedSince = null;
      else if (channel.watchedAt < askedAt) channel.unwatchedSince ??= mono;
    }
  }

  /** Those that nobody has watched for `lingerMs`. Never polled again, even before they are removed. */
  over(mono: number, lingerMs: number): PolledChannel[] {
    return [...this].filter((channel) => this.isOver(channel, mono, lingerMs));
  }

  isOver(channel: PolledChannel, mono: number, lingerMs: number): boolean {
    return channel.unwatchedSince !== null && mono - channel.unwatchedSince >= lingerMs;
  }

  remove(channels: readonly PolledChannel[]): void {
    if (channels.length === 0) return;
    for (const channel of channels) this.#byKey.delete(channel.key);
    this.#bySlot = [];
  }

  /** After a handover: only those without a frame, and those of the slots that were missed, are asked at once. */
  resume(missed: ReadonlySet<number>, slots: number): void {
    for (const channel of this) channel.cold = channel.position === null || missed.has(slotOf(channel.place, slots));
  }

  /**
   * Those whose turn it is. `late`: some of them are still in a round, and are left out of this one. `dueAt`: monotonic ms when
   * it was to be; those whose last turn was less than half an interval before that are left out, for between the two the wall
   * clock has been set, and with it the grid. `intervalMs` is the topic's own: measured by a stretched one, nobody would be asked
   * for just when it has begun to stretch, and it would not be noticed that there is no need for it any more.
   */
  due(turn: { slot: number; slots: number; dueAt: number; intervalMs: number }, mono: number, lingerMs: number) {
    const { slot, slots, dueAt, intervalMs } = turn;
    const asked: PolledChannel[] = [];
    let late = false;
    for (const channel of this.#of(slot, slots)) {
      if (channel.restUntil > mono) continue;
      if (this.isOver(channel, mono, lingerMs) || dueAt - channel.dueAt < intervalMs / 2) continue;
      channel.dueAt = dueAt;
      if (channel.asking) late = true;
      else asked.push(channel);
    }
    return { asked, late };
  }

  #of(slot: number, slots: number): readonly PolledChannel[] {
    if (this.#bySlot.length !== slots) {
      this.#bySlot = Array.from({ length: slots }, () => []);
      for (const channel of this) this.#bySlot[slotOf(channel.place, slots)]?.push(channel);
    }
    return this.#bySlot[slot] ?? [];
  }

  /** Those that wait for an answer, are not in a round, and not over. */
  cold(mono: number, lingerMs: number): PolledChannel[] {
    return [...this].filter((channel) => channel.cold && !channel.asking && !this.isOver(channel, mono, lingerMs));
  }

  untold(): PolledChannel[] {
    return [...this].filter((channel) => channel.untold);
  }
}
