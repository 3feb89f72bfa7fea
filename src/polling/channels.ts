import { channelFromKey } from '../topics/channel.js';
import type { Topic } from '../topics/topic.js';
import { slotOf } from './cadence.js';
import { PolledChannel } from './polled-channel.js';

/** The channels of one poller, and who of them is due, cold, or over. Pure: times are arguments. */
export class PolledChannels implements Iterable<PolledChannel> {
  readonly #byKey = new Map<string, PolledChannel>();

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
    return channel;
  }

  /** Notes which channels are held: the others are unwatched from `mono` on, unless they were before. */
  held(keys: ReadonlySet<string>, mono: number): void {
    for (const channel of this) {
      if (keys.has(channel.key)) channel.unwatchedSince = null;
      else channel.unwatchedSince ??= mono;
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
    for (const channel of channels) this.#byKey.delete(channel.key);
  }

  due(slot: number, slots: number, mono: number, lingerMs: number): PolledChannel[] {
    return [...this].filter(
      (channel) =>
        slotOf(channel.place, slots) === slot &&
        !channel.asking &&
        channel.restUntil <= mono &&
        !this.isOver(channel, mono, lingerMs),
    );
  }

  /** Those that wait for an answer and are not in a round. */
  cold(): PolledChannel[] {
    return [...this].filter((channel) => channel.cold && !channel.asking);
  }

  untold(): PolledChannel[] {
    return [...this].filter((channel) => channel.untold);
  }
}
