/**
 * The viewer's side of the hub: any number of listeners, one subscription for each channel.
 *
 *     const hub = createHub();
 *     const stop = hub.topic('sales.by_region', { region: 'EU' }).subscribe((snapshot) => draw(snapshot.rows));
 */
import { Connection, type ConnectionStatus, type ReplyOf, type TokenSource } from './connection.js';
import { HubClock } from './hub-clock.js';
import { isNewer, type Snapshot } from './snapshot.js';
import { pageVisibility, type Visibility } from './visibility.js';
import type { WatchOptions } from './watch.js';
import { Watches } from './watches.js';
import type { ClientCalls, Frame, HistoryRequest, Params, Release, Row, ServerEvents } from './wire.js';

export interface HubOptions {
  readonly token?: TokenSource;
  /** Default 10000. */
  readonly callTimeoutMs?: number;
  /** First and longest wait before trying again, jittered. Defaults: 300, 10000. */
  readonly retryFirstMs?: number;
  readonly retryMostMs?: number;
  /** How long a channel is kept after its last listener left, so that a moment's change of mind costs nothing. Default 200. */
  readonly lingerMs?: number;
  /** While nobody sees the page, no channel is refreshed faster than this duration. Default `15s`; null: as ever. */
  readonly hiddenEvery?: string | null;
  /** Default: the page's own. */
  readonly visibility?: Visibility;
  /** Takes what a listener threw. Default: it is thrown again on its own, so that it shows up as uncaught. */
  readonly onListenerError?: (thrown: unknown) => void;
}

export interface TopicHandle<R extends Row = Row> {
  readonly topic: string;
  readonly params: Params;
  /** The newest snapshot: the same object until something changes. */
  readonly snapshot: () => Snapshot<R>;
  /**
   * Watches the channel until the function that is returned is called. The listener is called at each change, and at once
   * when there is something to tell already. A listener that throws does not keep others from being told.
   */
  subscribe(listener: (snapshot: Snapshot<R>) => void): () => void;
}

export class Hub {
  readonly clock = new HubClock();
  readonly #connection: Connection;
  readonly #watches: Watches;

  constructor(url?: string, options: HubOptions = {}) {
    const {
      token,
      callTimeoutMs = 10_000,
      retryFirstMs = 300,
      retryMostMs = 10_000,
      lingerMs = 200,
      onListenerError = throwLater,
      hiddenEvery = '15s',
      visibility = pageVisibility,
    } = options;
    this.#connection = new Connection({ url, token, callTimeoutMs, retryFirstMs, retryMostMs });
    this.#watches = new Watches(
      this.#connection,
      this.clock,
      { lingerMs, retryFirstMs, retryMostMs },
      onListenerError,
      { visibility, every: hiddenEvery ?? undefined },
    );
  }

  /** `every` and `presence` of all who watch the same channel are united: the fastest, and presence if anyone wants it. */
  topic<R extends Row = Row>(topic: string, params: Params = {}, options: WatchOptions = {}): TopicHandle<R> {
    const watches = this.#watches;
    return {
      topic,
      params,
      snapshot: () => watches.snapshot(topic, params) as Snapshot<R>,
      subscribe: (listener) =>
        watches.of(topic, params).listen({ options, tell: listener as (snapshot: Snapshot) => void }),
    };
  }

  /**
   * Frames of a watched channel that the hub still keeps (the topic's `retain`), oldest first.
   * @throws PollcastError NOT_SUBSCRIBED, UNAVAILABLE
   */
  async history(request: HistoryRequest): Promise<readonly Frame[]> {
    const { frames } = await this.call('history', request);
    return [...frames].sort((a, b) => (isNewer(a, b) ? 1 : -1));
  }

  /**
   * Makes one of the contract's calls.
   * @throws PollcastError what the hub answered; UNAVAILABLE when it did not
   */
  call<E extends keyof ClientCalls>(name: E, request: Parameters<ClientCalls[E]>[0]): Promise<ReplyOf<E>> {
    return new Promise((resolve, reject) => {
      this.#connection.call(name, request, (answer) => {
        if ('error' in answer) reject(answer.error);
        else resolve(answer.value);
      });
    });
  }

  /** Listens to one of the contract's events until the function that is returned is called. */
  on<E extends keyof ServerEvents>(event: E, listener: ServerEvents[E]): () => void {
    // socket.io's own types cannot follow an event name that is a type parameter.
    const socket = this.#connection.socket as unknown as EventSource;
    socket.on(event, listener);
    return () => void socket.off(event, listener);
  }

  get connection(): ConnectionStatus {
    return this.#connection.status;
  }

  onConnection(listener: (status: ConnectionStatus) => void): () => void {
    return this.#connection.onStatus(listener);
  }

  /** Told once for each new version of the hub that is rolled out. */
  onRelease(listener: (release: Release) => void): () => void {
    return this.on('release', listener);
  }

  /** Connects anew, with a fresh token. Channels are resumed. */
  reconnect(): void {
    this.#connection.reconnect();
  }

  close(): void {
    this.#watches.close();
    this.#connection.close();
  }
}

/** @param url the hub's address; absent in a page: where the page came from */
export function createHub(url?: string, options?: HubOptions): Hub {
  return new Hub(url, options);
}

interface EventSource {
  on(event: string, listener: unknown): unknown;
  off(event: string, listener: unknown): unknown;
}

function throwLater(thrown: unknown): void {
  queueMicrotask(() => {
    throw thrown;
  });
}
