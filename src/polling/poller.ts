import { PollcastError, toPollcastError } from '../errors.js';
import type { Timer } from '../kernel/clock.js';
import { Later, type ProcessContext, type Running, type StopReason } from '../kernel/kind.js';
import { notHere } from '../kernel/process.js';
import { channelFromKey } from '../topics/channel.js';
import type { Topic } from '../topics/topic.js';
import { nextDue, slotsFor, type Due } from './cadence.js';
import { PolledChannels } from './channels.js';
import type { ChannelState, FramePosition, FrameStore, StatusChange } from './frames/frames.js';
import { fraction } from './names.js';
import type { PolledChannel } from './polled-channel.js';
import { settle, type RoundResult } from './round.js';
import type { Answer, Source } from './source.js';
import { Waiters } from './waiters.js';

/** What a node asks of a poller. */
export type PollerMessage =
  /** A node's first viewer of a channel has come: answered once the channel has a frame, or cannot have one. */
  { readonly do: 'watch'; readonly channel: string };

export interface Watched extends FramePosition {
  readonly state: ChannelState;
  readonly reason?: string;
  readonly since: number;
}

/** What a takeover by handover must know to miss nothing and repeat nothing. */
export interface PollerState {
  /** Due time of the last round, wall clock ms. */
  readonly dueAt: number;
}

export interface PollerMetrics {
  polled(topic: string, outcome: Answer['kind'], count: number): void;
  round(topic: string, seconds: number): void;
  published(topic: string, frames: number, bytes: number): void;
  skipped(topic: string): void;
}

export interface PollerSettings {
  readonly lingerMs: number;
  /** How many channels one slot asks for at most, before the interval is divided further. */
  readonly perSlot: number;
  /** How often a sign of life is sent when nothing changes, and demand is read again. */
  readonly beatMs: number;
}

export interface PollerParts {
  readonly context: ProcessContext<PollerState>;
  readonly source: Source;
  readonly frames: FrameStore;
  readonly settings: PollerSettings;
  readonly metrics: PollerMetrics;
  /** The topic in force; throws `UNKNOWN_TOPIC` when it is gone. */
  topic(): Topic;
  /** Calls back when another version of the topic is in force. Returns the way to stop that. */
  onTopicChanged(listen: () => void): () => void;
}

/** Rounds of different slots that may be under way at once. */
const ROUNDS_AT_ONCE = 4;
/** Demand is read again at most this often, however many come and go. */
const DEMAND_PAUSE_MS = 100;

/**
 * The one process in the cluster that asks for a topic (or a partition of it) and publishes its channels.
 *
 * Demand comes twice, on purpose: a `watch` says at once that a channel is wanted, and the holds, read again when they
 * change and at every beat, say what is wanted in truth. A lost message costs a beat, never a leak.
 */
export class Poller implements Running<PollerMessage, Watched> {
  readonly #channels = new PolledChannels();
  readonly #waiters = new Waiters<Watched>();
  readonly #rounds = new Set<Promise<void>>();
  #topic: Topic;
  #dueTimer: Timer | null = null;
  #coldTimer: Timer | null = null;
  #beatTimer: Timer | null = null;
  #demandTimer: Timer | null = null;
  #lastDue: number;
  #lastTold = -Infinity;
  #demandRead = -Infinity;
  #outage = false;
  #stopped = false;
  #unlisten: () => void;

  private constructor(private readonly parts: PollerParts) {
    this.#topic = parts.topic();
    this.#lastDue = parts.context.saved?.dueAt ?? -Infinity;
    this.#unlisten = parts.onTopicChanged(() => this.#topicChanged());
  }

  /** Takes up the former owner's frames under our fence, reads the demand, and begins. */
  static async start(parts: PollerParts): Promise<Poller> {
    const { context, frames } = parts;
    const poller = new Poller(parts);
    try {
      if (!(await frames.open(context.name, context.fence))) throw new PollcastError('CONFLICT', 'a higher fence was seen');
      const stored = new Map((await frames.all(context.name)).map((frame) => [frame.channel, frame]));
      await poller.#readDemand();
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
    const channel = this.#channels.admit(this.#topic, message.channel, this.parts.context.clock.now());
    // It rested, unpolled: what is stored may be as old as that.
    if (this.#channels.isOver(channel, this.#mono(), this.parts.settings.lingerMs)) channel.cold = true;
    channel.unwatchedSince = null;
    if (channel.position && !channel.cold) return this.#watched(channel, channel.position);
    const answer = this.#waiters.wait(channel.key);
    this.#pollCold();
    return new Later(answer);
  }

  /** Reads the demand soon; many changes of it make one reading. */
  holdsChanged(): void {
    if (this.#demandTimer || this.#stopped) return;
    const wait = this.#demandRead + DEMAND_PAUSE_MS - this.#mono();
    this.#demandTimer = this.parts.context.clock.after(Math.max(0, wait), () => {
      this.#demandTimer = null;
      this.#readDemand().catch((error: unknown) => this.parts.context.log.debug({ err: error }, 'the next beat reads the demand'));
    });
  }

  async stop(reason: StopReason): Promise<void> {
    this.#stopped = true;
    this.#unlisten();
    for (const timer of [this.#dueTimer, this.#coldTimer, this.#beatTimer, this.#demandTimer]) timer?.cancel();
    this.#waiters.rejectAll(notHere(this.parts.context.name));
    await Promise.allSettled(this.#rounds);
    const { context, frames } = this.parts;
    try {
      if (reason === 'handover') await context.save({ dueAt: this.#lastDue });
      if (reason === 'retired') await frames.drop(context.name, context.fence);
    } catch (error) {
      // A successor then polls at once instead of in step, or finds old frames and forgets them.
      context.log.debug({ err: error, name: context.name, reason }, 'poller left its things behind');
    }
  }

  #begin(): void {
    const { context, settings } = this.parts;
    if (context.origin === 'handover' && this.#lastDue > -Infinity) {
      for (const channel of this.#channels) channel.cold = channel.position === null;
    } else this.#lastDue = context.clock.now();
    this.#schedule();
    if (this.#channels.size > 0) this.#pollCold();
    const beat = (): void => {
      this.#beatTimer = context.clock.after(settings.beatMs, () => void this.#beat().finally(() => this.#stopped || beat()));
    };
    beat();
  }

  async #readDemand(): Promise<void> {
    const { context } = this.parts;
    this.#demandRead = this.#mono();
    const held = new Set((await context.holds()).map((hold) => hold.ref));
    if (this.#stopped) return;
    for (const key of held) {
      try {
        this.#channels.admit(this.#topic, key, context.clock.now());
      } catch (error) {
        context.log.debug({ err: error, channel: key }, 'a hold on a channel that the topic does not have');
      }
    }
    this.#channels.held(held, this.#mono());
    this.#pollCold();
  }

  /** Drops what nobody watches any more; ends when that was the last. */
  async #sweep(): Promise<void> {
    const { context, frames, settings } = this.parts;
    const over = this.#channels.over(this.#mono(), settings.lingerMs);
    if (over.length === 0 && this.#channels.size > 0) return;
    // Read once more: one of them may have been joined since, and its `watch` be still on its way.
    await this.#readDemand();
    const gone = over.filter((channel) => channel.unwatchedSince !== null && !channel.asking);
    this.#channels.remove(gone);
    if (this.#channels.size === 0 && (await context.retire())) return;
    if (gone.length > 0) await frames.forget(context.name, context.fence, gone.map((channel) => channel.key));
  }

  async #beat(): Promise<void> {
    const { context, settings } = this.parts;
    try {
      if (!context.owns()) return;
      await this.#readDemand();
      await this.#sweep();
      if (this.#stopped || !context.owns()) return;
      if (this.#outage) await this.#tryAgain();
      if (this.#mono() - this.#lastTold >= settings.beatMs / 2) await this.#tell([], []);
    } catch (error) {
      context.log.debug({ err: error, name: context.name }, 'beat not done');
    }
  }

  /** While the database is away: asks whether it is back, and if so polls everything at once, not at the next due time. */
  async #tryAgain(): Promise<void> {
    try {
      await this.parts.source.ping(this.parts.settings.beatMs);
    } catch {
      return;
    }
    this.#outage = false;
    for (const channel of this.#channels) channel.cold = true;
    this.#pollCold();
  }

  #schedule(): void {
    if (this.#stopped) return;
    const { context, settings } = this.parts;
    const { intervalMs, name } = this.#topic;
    const slots = slotsFor(this.#channels.size, settings.perSlot, intervalMs);
    const cadence = { intervalMs, offsetMs: Math.floor(fraction(name) * intervalMs), slots };
    const now = context.clock.now();
    // After a handover the first due time may have just gone by: it is made up for. Any other one is skipped.
    const after = context.origin === 'handover' && now - this.#lastDue < 2 * intervalMs ? this.#lastDue : Math.max(now, this.#lastDue);
    const due = nextDue(cadence, after);
    this.#dueTimer = context.clock.after(Math.max(0, due.at - now), () => this.#due(due, slots));
  }

  #due(due: Due, slots: number): void {
    this.#lastDue = due.at;
    const asked = this.#channels.due(due.slot, slots, this.#mono(), this.parts.settings.lingerMs);
    if (this.#rounds.size >= ROUNDS_AT_ONCE) this.parts.metrics.skipped(this.#topic.name);
    else if (asked.length > 0 && !this.#outage) this.#round(asked);
    this.#schedule();
  }

  /** Those that wait for their first answer are asked at once, all that came in the same moment together. */
  #pollCold(): void {
    if (this.#coldTimer || this.#stopped) return;
    this.#coldTimer = this.parts.context.clock.after(0, () => {
      this.#coldTimer = null;
      const cold = this.#channels.cold().filter((channel) => this.#mayTry(channel));
      if (cold.length > 0) this.#round(cold);
    });
  }

  /** A channel that rests after a failure answers those who wait with that failure. */
  #mayTry(channel: PolledChannel): boolean {
    if (channel.restUntil <= this.#mono()) return true;
    this.#answer(channel);
    return false;
  }

  #round(channels: readonly PolledChannel[]): void {
    for (const channel of channels) {
      channel.asking = true;
      channel.cold = false;
    }
    const round = this.#ask(channels)
      .catch((error: unknown) => {
        // Redis, or a bug of the source: the next round asks again, with the hashes of what was really published.
        const { context } = this.parts;
        context.log.warn({ err: error, name: context.name }, 'round not published');
        for (const channel of channels) channel.stale(toPollcastError(error), 'cluster', context.clock.now());
      })
      .finally(() => {
        for (const channel of channels) channel.asking = false;
        for (const channel of channels) this.#answer(channel);
        this.#rounds.delete(round);
        if (this.#channels.cold().length > 0) this.#pollCold();
      });
    this.#rounds.add(round);
  }

  async #ask(channels: readonly PolledChannel[]): Promise<void> {
    const { context, source, metrics } = this.parts;
    const topic = this.#topic;
    if (!context.owns()) return;
    const began = this.#mono();
    const answers = await source.ask(
      topic,
      channels.map(({ key, values, hash, mark }) => ({ channel: key, values, hash, mark })),
      { signal: context.signal, mayQuery: () => context.owns() && !this.#stopped },
    );
    metrics.round(topic.name, (this.#mono() - began) / 1000);
    // The answers of a statement that is no longer in force are nobody's.
    if (!context.owns() || topic !== this.#topic) return;
    const result = settle(channels, answers, { now: context.clock.now(), mono: this.#mono(), intervalMs: topic.intervalMs });
    for (const [outcome, count] of result.outcomes) metrics.polled(topic.name, outcome, count);
    if (result.outage && !this.#outage) context.log.warn({ topic: topic.name }, 'the database does not answer');
    this.#outage = result.outage;
    await this.#publish(result);
  }

  async #publish(result: RoundResult): Promise<void> {
    const statuses = result.statuses.map((channel) => channel.status());
    if (result.changed.length === 0 && statuses.length === 0) return;
    const changed = result.changed.map(({ channel, answer }) => ({
      channel: channel.key,
      rows: answer.rows,
      hash: answer.hash,
      mark: answer.mark,
    }));
    const positions = await this.#tell(changed, statuses).catch((error: unknown) => {
      // It may have been published all the same, and what we remember as published is then not what viewers see: should
      // the result go back to that, nobody would be told. (Found by model/takeover.pml, NOFORGET.)
      for (const { channel } of result.changed) channel.forgetPublished();
      throw error;
    });
    if (!positions) return;
    let bytes = 0;
    result.changed.forEach(({ channel, answer }, i) => {
      channel.position = positions[i] ?? channel.position;
      channel.hash = answer.hash;
      channel.mark = answer.mark;
      bytes += answer.rows.length;
    });
    for (const channel of result.statuses) channel.untold = false;
    this.parts.metrics.published(this.#topic.name, changed.length, bytes);
  }

  /** One fenced publish. `null`: it was refused, because somebody else owns this poller now. */
  async #tell(
    changed: readonly { channel: string; rows: string; hash: string; mark?: string }[],
    statuses: readonly StatusChange[],
  ): Promise<FramePosition[] | null> {
    const { context, frames } = this.parts;
    const findings = { polledAt: context.clock.now(), changed, statuses };
    const positions = await frames.publish(context.name, context.fence, findings, { retainMs: this.#topic.retainMs });
    if (positions) this.#lastTold = this.#mono();
    return positions;
  }

  /** Tells those who wait for a channel what is known now; if nothing is, they wait for its next round. */
  #answer(channel: PolledChannel): void {
    if (!this.#waiters.has(channel.key) || channel.asking) return;
    const { position, error } = channel;
    if (position) this.#waiters.resolve(channel.key, this.#watched(channel, position));
    else if (error) this.#waiters.reject(channel.key, error);
    else channel.cold = true;
  }

  #watched({ state, reason, since }: PolledChannel, position: FramePosition): Watched {
    return { ...position, state, reason, since };
  }

  /** Another version of the topic's file: its statement answers from now on, in the same channels where it still has them. */
  #topicChanged(): void {
    const { context } = this.parts;
    try {
      this.#topic = this.parts.topic();
    } catch (error) {
      this.#failAll(error);
      return;
    }
    for (const channel of this.#channels) {
      try {
        channel.values = channelFromKey(this.#topic, channel.key).values;
        channel.restUntil = 0;
        channel.forgetResult();
      } catch (error) {
        this.#fail(channel, error);
      }
    }
    context.log.info({ topic: this.#topic.name, channels: this.#channels.size }, 'another version of the topic is in force');
    this.#dueTimer?.cancel();
    this.#schedule();
    this.#pollCold();
    this.#tellStatuses();
  }

  #failAll(error: unknown): void {
    for (const channel of this.#channels) this.#fail(channel, error);
    this.#tellStatuses();
  }

  #fail(channel: PolledChannel, error: unknown): void {
    const coded = error instanceof PollcastError ? error : new PollcastError('QUERY_FAILED');
    channel.failed(coded, this.parts.context.clock.now(), this.#mono(), this.#topic.intervalMs);
    channel.restUntil = Infinity;
    channel.cold = false;
    this.#answer(channel);
  }

  #tellStatuses(): void {
    const untold = this.#channels.untold();
    if (untold.length === 0) return;
    this.#tell([], untold.map((channel) => channel.status())).then(
      (told) => untold.forEach((channel) => (channel.untold = told === null)),
      (error: unknown) => this.parts.context.log.debug({ err: error }, 'statuses not told; the next round tells them'),
    );
  }

  #mono(): number {
    return this.parts.context.clock.monotonic();
  }
}
