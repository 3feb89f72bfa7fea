/**
 * All watches of one connection, and which of them a message is for.
 *
 * Invariant: the hub is told to end a channel only when no watch is on it and none can be about to be. The hub fills in
 * defaults, so two watches with different keys can be the same channel there, and the channel of one whose `subscribe` is
 * under way is not known yet. Therefore an `unsubscribe` waits for the acknowledgements of its topic that are outstanding.
 */
import type { Connection } from './connection.js';
import type { HubClock } from './hub-clock.js';
import { LOADING, type Snapshot } from './snapshot.js';
import { topicKey } from './topic-key.js';
import type { Visibility } from './visibility.js';
import { Watch, type Answer, type Timing, type WatchWire } from './watch.js';
import type { DeltaFrame, Frame, Params, Status, Subscribed, SubscribeRequest, Viewers } from './wire.js';

interface Early {
  /** All of them: a delta is worth nothing without those before it. */
  frames?: (Frame | DeltaFrame)[];
  status?: Status;
  count?: number;
}

export class Watches implements WatchWire {
  readonly #byKey = new Map<string, Watch>();
  readonly #byChannel = new Map<string, Set<Watch>>();
  /** Acknowledgements outstanding, by topic. */
  readonly #subscribing = new Map<string, number>();
  /** Channels to end, by topic, once nothing of that topic is outstanding. */
  readonly #leaving = new Map<string, Set<string>>();
  /** The events of a channel that came before its acknowledgement. */
  readonly #early = new Map<string, Early>();
  readonly #unhide: () => void;

  constructor(
    private readonly connection: Connection,
    readonly clock: HubClock,
    readonly timing: Timing,
    readonly onListenerError: (thrown: unknown) => void,
    private readonly hidden: { readonly visibility: Visibility; readonly every: string | undefined },
  ) {
    // Seen again: subscribing anew with `since` brings at once what was left out meanwhile.
    this.#unhide = hidden.visibility.onChange(() => this.#settle());
    const { socket } = connection;
    socket.on('frame', (frame) => this.#onFrame(frame));
    socket.on('status', (status) =>
      this.#dispatch(
        status.channel,
        (watch) => watch.status(status),
        (early) => (early.status = status),
      ),
    );
    socket.on('presence', ({ channel, count }) =>
      this.#dispatch(
        channel,
        (watch) => watch.viewers(count),
        (early) => (early.count = count),
      ),
    );
    connection.onStatus(({ state }) => {
      if (state === 'offline') for (const watch of this.#byKey.values()) watch.offline();
    });
    socket.on('connect', () => this.#settle());
    socket.on('disconnect', () => {
      this.#byChannel.clear();
      this.#subscribing.clear();
      this.#leaving.clear();
      this.#early.clear();
      for (const watch of [...this.#byKey.values()]) watch.disconnected();
    });
  }

  get slowedTo(): string | undefined {
    return this.hidden.visibility.hidden ? this.hidden.every : undefined;
  }

  get online(): boolean {
    return this.connection.socket.connected;
  }

  of(topic: string, params: Params): Watch {
    const key = topicKey(topic, params);
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const watch = new Watch(key, topic, params, this);
    this.#byKey.set(key, watch);
    if (this.connection.status.state === 'offline') watch.offline();
    return watch;
  }

  /** Without making a watch: who only looks leaves no trace. */
  snapshot(topic: string, params: Params): Snapshot {
    return this.#byKey.get(topicKey(topic, params))?.snapshot ?? LOADING;
  }

  close(): void {
    this.#unhide();
    for (const watch of this.#byKey.values()) watch.close();
    this.#byKey.clear();
    this.#byChannel.clear();
  }

  subscribe(watch: Watch, request: SubscribeRequest, done: (answer: Answer<Subscribed>) => void): void {
    const { topic } = request;
    const socketId = this.connection.socket.id;
    this.#subscribing.set(topic, (this.#subscribing.get(topic) ?? 0) + 1);
    this.connection.call('subscribe', request, (answer) => {
      const sameConnection = this.online && this.connection.socket.id === socketId;
      if (sameConnection && 'value' in answer) this.#join(watch, answer.value.channel);
      done(answer);
      if (!sameConnection) return;
      if ('value' in answer) this.#applyEarly(answer.value.channel);
      this.#acknowledged(topic);
    });
  }

  viewers(channel: string, done: (answer: Answer<Viewers>) => void): void {
    this.connection.call('presence', { channel }, done);
  }

  leave(watch: Watch, channel: string): void {
    const watching = this.#byChannel.get(channel);
    watching?.delete(watch);
    if (watching !== undefined && watching.size > 0) return;
    this.#byChannel.delete(channel);
    const leaving = this.#leaving.get(watch.topic) ?? new Set();
    this.#leaving.set(watch.topic, leaving.add(channel));
    this.#sendLeaves(watch.topic);
  }

  retired(watch: Watch): void {
    if (this.#byKey.get(watch.key) === watch) this.#byKey.delete(watch.key);
  }

  #settle(): void {
    for (const watch of this.#byKey.values()) watch.settle();
  }

  #join(watch: Watch, channel: string): void {
    const before = watch.snapshot.channel;
    // A changed topic file can have given it other defaults, and so another channel.
    if (before !== undefined && before !== channel) this.leave(watch, before);
    this.#byChannel.set(channel, (this.#byChannel.get(channel) ?? new Set()).add(watch));
  }

  #acknowledged(topic: string): void {
    const outstanding = (this.#subscribing.get(topic) ?? 1) - 1;
    if (outstanding > 0) this.#subscribing.set(topic, outstanding);
    else this.#subscribing.delete(topic);
    if (this.#subscribing.size === 0) this.#early.clear();
    this.#sendLeaves(topic);
  }

  #sendLeaves(topic: string): void {
    if (this.#subscribing.has(topic)) return;
    const leaving = this.#leaving.get(topic) ?? new Set<string>();
    this.#leaving.delete(topic);
    for (const channel of leaving) {
      if (this.online && !this.#byChannel.has(channel)) this.#unsubscribe(channel);
    }
  }

  /** No answer, or a refusal, needs nothing: a channel that the hub still sends is ended again at its next frame. */
  #unsubscribe(channel: string): void {
    this.connection.call('unsubscribe', { channel }, () => undefined);
  }

  #onFrame(frame: Frame | DeltaFrame): void {
    this.clock.observe(frame.polledAt);
    this.#dispatch(
      frame.channel,
      (watch) => watch.frame(frame),
      (early) => (early.frames ??= []).push(frame),
    );
    if (!this.#byChannel.has(frame.channel) && this.#subscribing.size === 0) this.#unsubscribe(frame.channel);
  }

  #dispatch(channel: string, apply: (watch: Watch) => void, keep: (early: Early) => void): void {
    const watching = this.#byChannel.get(channel);
    if (watching !== undefined) for (const watch of [...watching]) apply(watch);
    else if (this.#subscribing.size > 0) {
      const early = this.#early.get(channel) ?? {};
      keep(early);
      this.#early.set(channel, early);
    }
  }

  #applyEarly(channel: string): void {
    const early = this.#early.get(channel);
    if (early === undefined) return;
    this.#early.delete(channel);
    for (const watch of this.#byChannel.get(channel) ?? []) {
      for (const frame of early.frames ?? []) watch.frame(frame);
      if (early.status !== undefined) watch.status(early.status);
      if (early.count !== undefined) watch.viewers(early.count);
    }
  }
}
