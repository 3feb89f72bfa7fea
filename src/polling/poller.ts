import { PollcastError, toPollcastError } from '../errors.js';
import type { Timer } from '../kernel/clock.js';
import { Later, type Running, type StopReason } from '../kernel/kind.js';
import { notHere } from '../kernel/process.js';
import { channelFromKey } from '../topics/channel.js';
import type { Topic } from '../topics/topic.js';
import { Gathering } from './gathering.js';
import { nextDue, ROUNDS_AT_ONCE, slotsBetween, slotsFor, type Cadence, type Due } from './cadence.js';
import { PolledChannels } from './channels.js';
import { Demand } from './demand.js';
import type { FramePosition } from './frames/frames.js';
import { fraction } from './names.js';
import { Newcomers } from './newcomers.js';
import { Pace } from './pace.js';
import type { PolledChannel } from './polled-channel.js';
import type { PollerMessage, PollerParts, Watched } from './poller-parts.js';
import { Publisher } from './publisher.js';
import { settle } from './round.js';
import type { Answer } from './source.js';
import { Waiters } from './waiters.js';

/**
 * The one process in the cluster that asks for a topic (or a partition of it) and publishes its channels.
 *
 * Demand comes twice, on purpose: a `watch` says at once that a channel is wanted, and the holds, read again when they
 * change and at every beat (at fewer, where there are thousands), say what is wanted in truth. A lost message costs a beat or a few, never a leak.
 */
export class Poller implements Running<PollerMessage, Watched> {
  readonly #channels = new PolledChannels();
  readonly #waiters = new Waiters<Watched>();
  /** Rounds under way, with the due time that each is for; `null`: for none. */
  readonly #rounds = new Map<Promise<void>, number | null>();
  readonly #pace = new Pace();
  readonly #demand: Demand;
  readonly #newcomers: Newcomers;
  #topic: Topic;
  /** Why there is no topic any more: nothing is asked then. */
  #gone: PollcastError | null = null;
  #dueTimer: Timer | null = null;
  #beatTimer: Timer | null = null;
  #lastDue: number;
  readonly #publisher: Publisher;
  #outage = false;
  #stopped = false;
  #unlisten: () => void;

  private constructor(private readonly parts: PollerParts) {
    this.#topic = parts.topic();
    this.#publisher = new Publisher(
      parts,
      () => this.#topic,
      () => this.#publishAnew(),
    );
    this.#demand = new Demand(
      parts.context,
      this.#channels,
      () => this.#topic,
      () => this.#newcomers.came(),
    );
    const asking = (): boolean => [...this.#rounds.values()].includes(null);
    this.#newcomers = new Newcomers(parts.context.clock, () => this.#askCold(), asking);
    this.#lastDue = parts.context.saved?.dueAt ?? -Infinity;
    this.#unlisten = parts.onTopicChanged(() => this.#topicChanged());
  }

  /** Takes up the former owner's frames under our fence, reads the demand, and begins. */
  static async start(parts: PollerParts): Promise<Poller> {
    const { context, frames } = parts;
    const poller = new Poller(parts);
    try {
      if (!(await frames.open(context.name, context.fence))) {
        throw new PollcastError('CONFLICT', 'a higher fence was seen');
      }
      const stored = new Map((await frames.all(context.name)).map((frame) => [frame.channel, frame]));
      await poller.#demand.read();
      for (const channel of poller.#channels) {
        const frame = stored.get(channel.key);
        if (frame) channel.restore(frame);
        stored.delete(channel.key);
      }
      if (stored.size > 0) await frames.forget(context.name, context.fence, [...stored.keys()]);
    } catch (error) {
      poller.#unlisten();
      throw error;
    }
    poller.#begin();
    return poller;
  }

  handle(message: PollerMessage): Later<Watched> | Watched {
    if (message.do !== 'watch') throw new PollcastError('BAD_REQUEST', 'expected a watch');
    if (this.#gone) throw this.#gone;
    const channel = this.#channels.admit(this.#topic, message.channel, this.parts.context.clock.now());
    // It rested, unpolled: what is stored may be as old as that.
    if (this.#isOver(channel) && this.#mono() - channel.currentAt >= this.#topic.intervalMs) channel.cold = true;
    channel.unwatchedSince = null;
    channel.watchedAt = this.#mono();
    if (message.above) channel[message.alone ? 'raiseApart' : 'raise'](message.above);
    if (channel.position && !channel.cold && !channel.owed) return this.#watched(channel, channel.position);
    if (!channel.asking) channel.cold = true;
    const answer = this.#waiters.wait(channel.key);
    this.#newcomers.came();
    return new Later(answer);
  }

  holdsChanged(): void {
    this.#demand.readSoon();
  }

  async stop(reason: StopReason): Promise<void> {
    this.#stopped = true;
    this.#unlisten();
    for (const timer of [this.#dueTimer, this.#beatTimer]) timer?.cancel();
    this.#newcomers.close();
    this.#demand.stop();
    // A round that is cut short here is our successor's: for it, that due time has not been served.
    const dueAt = Math.min(this.#lastDue, ...[...this.#rounds.values()].map((due) => (due ?? Infinity) - 1));
    this.#waiters.rejectAll(notHere(this.parts.context.name));
    await Promise.allSettled(this.#rounds.keys());
    const { context, frames } = this.parts;
    try {
      if (reason === 'handover') await context.save({ dueAt });
      if (reason === 'retired') await frames.drop(context.name, context.fence);
    } catch (error) {
      // A successor then polls at once instead of in step, or finds old frames and forgets them.
      context.log.debug({ err: error, name: context.name, reason }, 'poller left its things behind');
    }
  }

  #begin(): void {
    const { context, settings } = this.parts;
    const now = context.clock.now();
    const inStep = context.origin === 'handover' && now - this.#lastDue < 2 * this.#topic.intervalMs;
    if (inStep) {
      // What fell due while the poller changed hands is made up for now; all else keeps its time.
      const cadence = this.#cadence();
      this.#channels.resume(slotsBetween(cadence, this.#lastDue, now), cadence.slots);
    }
    this.#lastDue = now;
    this.#schedule();
    this.#newcomers.came();
    const again = (): unknown => this.#stopped || beat();
    const beat = (): void => {
      this.#beatTimer = context.clock.after(settings.beatMs, () => void this.#beat().finally(again));
    };
    beat();
  }

  /** Drops what nobody watches any more; ends when that was the last. */
  async #sweep(): Promise<void> {
    const { context, frames, settings } = this.parts;
    const over = this.#channels.over(this.#mono(), settings.lingerMs);
    if (over.length === 0 && this.#channels.size > 0) return;
    // Read once more: one of them may have been joined since, and its `watch` be still on its way.
    await this.#demand.read();
    const until = this.#mono() - (settings.sparing ? this.#topic.intervalMs : 0);
    const gone = over.filter((channel) => this.#isOver(channel) && !channel.asking && channel.askedAt <= until);
    this.#channels.remove(gone);
    if (this.#channels.size === 0 && (await context.retire())) return;
    // One that has come back while we tried to end has begun anew: its frame is not ours to remove.
    const keys = gone.map((channel) => channel.key).filter((key) => !this.#channels.has(key));
    if (keys.length > 0) await frames.forget(context.name, context.fence, keys);
  }

  async #beat(): Promise<void> {
    const { context, settings } = this.parts;
    try {
      if (!context.owns()) return;
      await this.#demand.readAgain();
      await this.#sweep();
      if (this.#stopped || !context.owns()) return;
      if (this.#outage) await this.#tryAgain();
      this.#newcomers.came();
      if (this.#mono() - this.#publisher.lastTold >= settings.beatMs / 2) await this.#publisher.tell([], []);
    } catch (error) {
      context.log.debug({ err: error, name: context.name }, 'beat not done');
    }
  }

  /** While the database is away: asks whether it is back, and if so polls everything at once, not at the next due time. */
  async #tryAgain(): Promise<void> {
    try {
      await this.parts.source.ping(this.parts.settings.beatMs, this.#topic);
    } catch {
      return;
    }
    this.#outage = false;
    for (const channel of this.#channels) channel.cold = true;
  }

  #cadence(): Cadence {
    const { intervalMs, name } = this.#topic;
    const stretched = intervalMs * this.#pace.factor;
    const slots = slotsFor(this.#channels.size, this.parts.settings.perSlot, stretched);
    return { intervalMs: stretched, offsetMs: Math.floor(fraction(name) * intervalMs), slots };
  }

  #schedule(): void {
    if (this.#stopped) return;
    const { clock } = this.parts.context;
    const cadence = this.#cadence();
    const now = clock.now();
    // A timer may fire a hair before its time: the same due time must not come up again. But further ahead than that
    // means that the wall clock was set back, and waiting for it to catch up would silence the topic.
    const early = this.#lastDue - now < cadence.intervalMs / cadence.slots;
    const due = nextDue(cadence, early ? Math.max(now, this.#lastDue) : now);
    this.#dueTimer?.cancel();
    const dueAt = this.#mono() + due.at - now;
    this.#dueTimer = clock.after(Math.max(0, due.at - now), () => this.#due(due, dueAt, cadence));
  }

  #due(due: Due, dueAt: number, { slots }: Cadence): void {
    this.#lastDue = due.at;
    const { settings, metrics } = this.parts;
    const turn = { slot: due.slot, slots, dueAt, intervalMs: this.#topic.intervalMs };
    const { asked, late } = this.#channels.due(turn, this.#mono(), settings.lingerMs);
    const full = this.#rounds.size >= ROUNDS_AT_ONCE;
    if (late || (full && asked.length > 0)) metrics.skipped(this.#topic.name);
    if (!full && asked.length > 0 && !this.#outage && this.#mayAsk()) this.#round(asked, due.at, slots);
    this.#schedule();
  }

  /** Asks for those that wait for their first answer. Returns how many. */
  #askCold(): number {
    // Without the right to ask there is nothing to be done: the next beat comes back to it, or we are stopped.
    if (!this.#mayAsk()) return 0;
    const { lingerMs } = this.parts.settings;
    const asked = this.#channels.cold(this.#mono(), lingerMs).filter((channel) => this.#mayTry(channel));
    if (asked.length > 0) this.#round(asked, null, 1);
    return asked.length;
  }

  /** A channel that rests after a failure answers those who wait with that failure. */
  #mayTry(channel: PolledChannel): boolean {
    if (!this.#gone && channel.restUntil <= this.#mono()) return true;
    this.#answer(channel);
    return false;
  }

  #round(channels: readonly PolledChannel[], dueAt: number | null, slots: number): void {
    for (const channel of channels) channel.ask(this.#mono());
    /** Those without an answer yet. The others are done with this round, and may be in the next one. */
    const open = new Set(channels);
    const round = this.#ask(channels, dueAt === null ? null : slots, open)
      .catch((error: unknown) => {
        // Redis, or a bug of the source. What was stored is not known: the next answers must come whole.
        const { context } = this.parts;
        context.log.warn({ err: error, name: context.name }, 'round not published');
        for (const channel of open) {
          channel.doubt();
          channel.stale(toPollcastError(error), 'cluster', context.clock.now());
        }
      })
      .finally(() => {
        this.#rounds.delete(round);
        this.#done([...open]);
        this.#newcomers.through();
      });
    this.#rounds.set(round, dueAt);
  }

  #done(channels: readonly PolledChannel[]): void {
    for (const channel of channels) channel.asking = false;
    for (const channel of channels) this.#answer(channel);
    if (channels.some((channel) => channel.cold)) this.#newcomers.came();
  }

  async #ask(channels: readonly PolledChannel[], slots: number | null, open: Set<PolledChannel>): Promise<void> {
    const { context, source, metrics } = this.parts;
    const topic = this.#topic;
    if (!this.#mayAsk()) return;
    const began = this.#mono();
    const askedAt = context.clock.now();
    const gathering = new Gathering(context.clock, async (part) => {
      const answered = part.map(([index]) => channels[index] as PolledChannel);
      const told = part.map(([, answer]) => answer);
      await this.#settle(topic, answered, told, askedAt);
      for (const channel of answered) open.delete(channel);
      this.#done(answered);
    });
    const answers = await source.ask(
      topic,
      channels.map(({ key, values, hash, mark }) => ({ channel: key, values, hash, mark })),
      {
        signal: context.signal,
        mayQuery: () => this.#mayAsk(),
        onAnswer: (index, answer) => gathering.add(index, answer),
      },
    );
    metrics.phase?.(topic.name, 'ask', (this.#mono() - began) / 1000);
    const tookMs = gathering.goodMs(answers, began);
    if (slots !== null && topic === this.#topic) this.#adapt(Math.max(1, slots / ROUNDS_AT_ONCE) * tookMs);
    await gathering.finish(answers);
    metrics.round(topic.name, (this.#mono() - began) / 1000);
  }

  async #settle(
    topic: Topic,
    channels: readonly PolledChannel[],
    answers: readonly Answer[],
    askedAt: number,
  ): Promise<void> {
    const { context, metrics } = this.parts;
    // The answers of a statement that is no longer in force are nobody's.
    if (!context.owns() || topic !== this.#topic || this.#gone) return;
    const at = { now: context.clock.now(), mono: this.#mono(), intervalMs: topic.intervalMs, slow: this.#pace.slow };
    const result = settle(channels, answers, at);
    for (const [outcome, count] of result.outcomes) metrics.polled(topic.name, outcome, count);
    if (result.outage && !this.#outage) context.log.warn({ topic: topic.name }, 'the database does not answer');
    this.#outage = result.outage;
    if (!result.outage) this.#publisher.polledAt = at.now;
    await this.#publisher.publish(result, askedAt);
  }

  /** Rounds that do not fit in their interval stretch it, until they do again. */
  #adapt(tookMs: number): void {
    const { intervalMs, name } = this.#topic;
    if (!this.#pace.took(tookMs, intervalMs)) return;
    const { factor } = this.#pace;
    this.parts.context.log.info(
      { topic: name, tookMs: Math.round(tookMs), intervalMs, factor },
      'the pace has changed',
    );
    this.parts.metrics.stretched?.(name, factor);
    this.#schedule();
  }

  #publishAnew(): void {
    for (const channel of this.#channels) {
      channel.untold = true;
      channel.forgetResult();
    }
    this.#newcomers.came();
  }

  /** Tells those who wait for a channel what is known now; if nothing is, they wait for its next round. */
  #answer(channel: PolledChannel): void {
    if (!this.#waiters.has(channel.key) || channel.asking) return;
    const { position, error } = channel;
    if (position && !channel.owed) this.#waiters.resolve(channel.key, this.#watched(channel, position));
    else if (error) this.#waiters.reject(channel.key, error);
    else channel.cold = true;
  }

  #watched({ state, reason, since }: PolledChannel, position: FramePosition): Watched {
    return { ...position, fence: this.parts.context.fence, state, reason, since };
  }

  /** Another version of the topic's file: its statement answers from now on, in the same channels where it still has them. */
  #topicChanged(): void {
    const { context } = this.parts;
    try {
      this.#topic = this.parts.topic();
      this.#gone = null;
    } catch (error) {
      this.#gone = toPollcastError(error);
      for (const channel of this.#channels) this.#fail(channel, this.#gone);
      this.#publisher.tellStatuses(this.#channels.untold());
      return;
    }
    for (const channel of this.#channels) {
      try {
        channel.values = channelFromKey(this.#topic, channel.key).values;
        channel.restUntil = 0;
        channel.forgetResult();
      } catch (error) {
        this.#fail(channel, toPollcastError(error));
      }
    }
    context.log.info(
      { topic: this.#topic.name, channels: this.#channels.size },
      'another version of the topic is in force',
    );
    this.#pace.reset();
    this.#schedule();
    this.#newcomers.came();
    this.#publisher.tellStatuses(this.#channels.untold());
  }

  /** For good, as far as this version of the topic goes. */
  #fail(channel: PolledChannel, error: PollcastError): void {
    channel.failed(error, this.parts.context.clock.now(), this.#mono(), this.#topic.intervalMs);
    channel.restUntil = Infinity;
    channel.cold = false;
    this.#answer(channel);
  }

  /** Ours to ask, and of use to anybody: while this node is cut off its viewers have a stand-in, and nobody else hears us. */
  #mayAsk(): boolean {
    return !this.#stopped && this.parts.context.owns() && !this.parts.away?.();
  }

  #isOver(channel: PolledChannel): boolean {
    return this.#channels.isOver(channel, this.#mono(), this.parts.settings.lingerMs);
  }

  #mono(): number {
    return this.parts.context.clock.monotonic();
  }
}
