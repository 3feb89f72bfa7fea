/**
 * One topic with one set of parameters, as watched from here.
 *
 *     idle ──subscribe sent──▶ subscribing ──acknowledged──▶ subscribed ──last listener gone, linger over──▶ idle
 *      ▲                          │ refused: idle and tried again later, or `refused` until the connection is a new one
 *      └──connection lost─────────┴──────────────────────────────┘
 *
 * An acknowledgement that comes after the connection was lost, or after a newer attempt, belongs to nobody: `#attempt`
 * tells them apart.
 */
import type { ErrorCode, PollcastError } from '../src/errors.js';
import { Backoff } from './backoff.js';
import { applyDelta, fits } from './delta.js';
import type { HubClock } from './hub-clock.js';
import { shareRows } from './sharing.js';
import {
  isNewer,
  LOADING,
  onFrame,
  onOffline,
  onRefused,
  onStatus,
  onSubscribed,
  onViewers,
  type Snapshot,
} from './snapshot.js';
import type { DeltaFrame, Frame, Params, Row, Status, SubscribeRequest, Subscribed, Viewers } from './wire.js';

export interface WatchOptions {
  /** Slowest refresh wanted, as a duration (`5s`); absent: the topic's own interval. */
  readonly every?: string;
  /** Ask how many watch. */
  readonly presence?: boolean;
}

export interface Listener {
  readonly options: WatchOptions;
  readonly tell: (snapshot: Snapshot) => void;
}

export interface Timing {
  readonly lingerMs: number;
  readonly retryFirstMs: number;
  readonly retryMostMs: number;
}

export type Answer<T> = { readonly value: T } | { readonly error: PollcastError };

/** What a watch asks of the connection. */
export interface WatchWire {
  readonly online: boolean;
  readonly clock: HubClock;
  readonly timing: Timing;
  /** Nobody sees what is drawn now: no refresh need be faster than this. */
  readonly slowedTo: string | undefined;
  /** Takes what a listener threw: its fault is its own, and the others are told all the same. */
  readonly onListenerError: (thrown: unknown) => void;
  subscribe(watch: Watch, request: SubscribeRequest, done: (answer: Answer<Subscribed>) => void): void;
  viewers(channel: string, done: (answer: Answer<Viewers>) => void): void;
  leave(watch: Watch, channel: string): void;
  /** Nobody listens any more and the hub has been told: the watch can be forgotten. */
  retired(watch: Watch): void;
}

/** Refusals that stay as they are until something here changes. All others are tried again. */
export const FINAL: ReadonlySet<ErrorCode> = new Set([
  'UNKNOWN_TOPIC',
  'INVALID_PARAMS',
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'TOO_MANY_CHANNELS',
  'BAD_REQUEST',
]);

export class Watch {
  #snapshot: Snapshot = LOADING;
  #phase: 'idle' | 'subscribing' | 'subscribed' | 'refused' = 'idle';
  #attempt = 0;
  #key: readonly string[] | undefined;
  #asked: WatchOptions = {};
  #retry: ReturnType<typeof setTimeout> | undefined;
  #linger: ReturnType<typeof setTimeout> | undefined;
  readonly #listeners = new Set<Listener>();
  readonly #backoff: Backoff;

  constructor(
    readonly key: string,
    readonly topic: string,
    readonly params: Params,
    private readonly wire: WatchWire,
  ) {
    this.#backoff = new Backoff(wire.timing.retryFirstMs, wire.timing.retryMostMs);
  }

  get snapshot(): Snapshot {
    return this.#snapshot;
  }

  listen(listener: Listener): () => void {
    clearTimeout(this.#linger);
    this.#linger = undefined;
    this.#listeners.add(listener);
    if (this.#snapshot !== LOADING) this.#tell(listener);
    this.settle();
    return () => {
      if (!this.#listeners.delete(listener) || this.#listeners.size > 0) return;
      this.#linger = setTimeout(() => this.#leave(), this.wire.timing.lingerMs);
    };
  }

  /** Does what is due now; harmless when nothing is. */
  settle(): void {
    if (!this.wire.online || this.#listeners.size === 0) return;
    if (this.#phase === 'idle' && this.#retry === undefined) this.#subscribe();
    else if (this.#phase === 'subscribed' && !sameOptions(this.#asked, this.#united())) this.#subscribe();
  }

  /** The connection is gone, and with it every subscription on it. Rows stay; `settle` resumes from them. */
  disconnected(): void {
    this.#attempt += 1;
    this.#phase = 'idle';
    this.#cancelRetry();
    this.#backoff.reset();
    this.offline();
    if (this.#abandoned()) this.#leave();
  }

  /** There is no connection, and none may ever have been. */
  offline(): void {
    this.#change(onOffline(this.#snapshot));
  }

  frame(message: Frame | DeltaFrame): void {
    const frame = 'rows' in message ? { ...message, rows: this.#shared(message.rows) } : this.#whole(message);
    if (frame) this.#change(onFrame(this.#snapshot, frame, (moment) => this.wire.clock.toLocal(moment)));
  }

  /** `undefined`: it does not build on what is here; the channel is then asked for anew. */
  #whole(delta: DeltaFrame): Frame | undefined {
    const { rows, position } = this.#snapshot;
    if (rows !== undefined && this.#key !== undefined && fits(delta, position)) {
      const { channel, epoch, seq, polledAt } = delta;
      return { channel, epoch, seq, polledAt, rows: applyDelta(rows, delta, this.#key) };
    }
    if (isNewer(delta, position) && this.#phase === 'subscribed') this.#subscribe(false);
    return undefined;
  }

  #shared(rows: readonly Row[]): readonly Row[] {
    return shareRows(this.#snapshot.rows, rows, this.#key);
  }

  status(status: Status): void {
    this.#change(onStatus(this.#snapshot, status));
  }

  viewers(count: number): void {
    this.#change(onViewers(this.#snapshot, count));
  }

  close(): void {
    this.#attempt += 1;
    this.#listeners.clear();
    clearTimeout(this.#linger);
    this.#cancelRetry();
  }

  /** @param resume from what is here; else from nothing, because what is here is not known to be whole */
  #subscribe(resume = true): void {
    const attempt = ++this.#attempt;
    const options = this.#united();
    const { position } = this.#snapshot;
    this.#phase = 'subscribing';
    this.#asked = options;
    const request: SubscribeRequest = {
      topic: this.topic,
      params: this.params,
      ...options,
      delta: true,
      ...(position === undefined || !resume ? {} : { since: position }),
    };
    this.wire.subscribe(this, request, (answer) => {
      if (attempt !== this.#attempt) return;
      if ('error' in answer) this.#refused(answer.error);
      else this.#subscribed(answer.value);
    });
  }

  #subscribed(ack: Subscribed): void {
    this.#phase = 'subscribed';
    this.#key = ack.key;
    this.#backoff.reset();
    const shared = ack.rows === undefined ? ack : { ...ack, rows: this.#shared(ack.rows) };
    this.#change(onSubscribed(this.#snapshot, shared, (moment) => this.wire.clock.toLocal(moment)));
    if (this.#asked.presence === true) {
      const attempt = this.#attempt;
      this.wire.viewers(ack.channel, (answer) => {
        // Refused means that the topic does not show who watches: then the number stays unknown.
        if (attempt === this.#attempt && 'value' in answer) this.viewers(answer.value.count);
      });
    }
    if (this.#abandoned()) this.#leave();
    else this.settle();
  }

  #refused(error: PollcastError): void {
    this.#phase = FINAL.has(error.code) ? 'refused' : 'idle';
    this.#change(onRefused(this.#snapshot, error));
    if (this.#abandoned()) return this.#leave();
    if (this.#phase === 'refused') return;
    this.#retry = setTimeout(
      () => {
        this.#retry = undefined;
        this.settle();
      },
      Math.max(this.#backoff.nextMs(), retryAfterMs(error)),
    );
  }

  #leave(): void {
    this.#linger = undefined;
    if (this.#listeners.size > 0 || this.#phase === 'subscribing') return;
    const { channel } = this.#snapshot;
    this.#cancelRetry();
    if (this.#phase === 'subscribed' && channel !== undefined) this.wire.leave(this, channel);
    this.#phase = 'idle';
    this.wire.retired(this);
  }

  /** The last listener left while an answer was outstanding, and its linger is over. */
  #abandoned(): boolean {
    return this.#listeners.size === 0 && this.#linger === undefined;
  }

  #cancelRetry(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
  }

  #united(): WatchOptions {
    const united = unite([...this.#listeners].map((listener) => listener.options));
    return this.wire.slowedTo === undefined ? united : slow(united, this.wire.slowedTo);
  }

  #change(next: Snapshot): void {
    if (next === this.#snapshot) return;
    this.#snapshot = next;
    for (const listener of [...this.#listeners]) this.#tell(listener);
  }

  #tell(listener: Listener): void {
    try {
      listener.tell(this.#snapshot);
    } catch (thrown) {
      this.wire.onListenerError(thrown);
    }
  }
}

/** What serves all of them: the fastest refresh, and presence if any asks for it. */
export function unite(all: readonly WatchOptions[]): WatchOptions {
  const every = all.some((one) => one.every === undefined)
    ? undefined
    : all.map((one) => one.every as string).sort((a, b) => durationMs(a) - durationMs(b))[0];
  return {
    ...(every === undefined ? {} : { every }),
    ...(all.some((one) => one.presence) ? { presence: true } : {}),
  };
}

/** The slower of what is wanted and `slowedTo`. */
function slow(options: WatchOptions, slowedTo: string): WatchOptions {
  const slower = options.every !== undefined && durationMs(options.every) > durationMs(slowedTo);
  return slower ? options : { ...options, every: slowedTo };
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** `5s` in milliseconds; what is no duration counts as slowest, the hub will say what is wrong with it. */
function durationMs(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? [];
  return Number(number ?? Number.POSITIVE_INFINITY) * (UNIT_MS[unit ?? ''] ?? 1);
}

function sameOptions(a: WatchOptions, b: WatchOptions): boolean {
  return a.every === b.every && (a.presence ?? false) === (b.presence ?? false);
}

function retryAfterMs(error: PollcastError): number {
  const { details } = error;
  if (typeof details !== 'object' || details === null || !('retryAfterMs' in details)) return 0;
  return typeof details.retryAfterMs === 'number' ? details.retryAfterMs : 0;
}
