/**
 * The viewer's side of the hub: any number of listeners, one subscription for each channel.
 *
 *     const hub = createHub();
 *     const stop = hub.topic('sales.by_region', { region: 'EU' }).subscribe((rows) => draw(rows));
 *     for await (const rows of hub.topic('sales.by_region', { region: 'EU' })) draw(rows);
 */
import { Connection, type ConnectionStatus, type ReplyOf, type TokenSource } from './connection.js';
import { HubClock } from './hub-clock.js';
import { newest } from './newest.js';
import { isNewer, type Snapshot } from './snapshot.js';
import type { AnyTopic, RowOf, TopicArgs, TopicName } from './topic-types.js';
import { pageVisibility, type Visibility } from './visibility.js';
import { FINAL, type WatchOptions } from './watch.js';
import { Watches } from './watches.js';
import type { ClientCalls, Frame, HistoryRequest, Params, Release, Row, ServerEvents } from './wire.js';

export interface HubOptions {
  readonly token?: TokenSource;
  /** Where the hub's sockets are, when an application that it lives in put them elsewhere. Default `/socket.io`. */
  readonly path?: string;
  /** The version of the hub that this page was built with: with an older one it is told of the `release` that it missed. */
  readonly version?: string;
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

export interface TopicOptions extends WatchOptions {
  /** Ends all that is watched by way of this handle; loops over it end without an error. */
  readonly signal?: AbortSignal;
}

/**
 * One topic with its parameters. As an iterable it gives the newest rows, again whenever they change; a loop that is slow
 * skips to the newest ones. It throws when the hub refuses the channel for good (`FORBIDDEN`, `INVALID_PARAMS` …); losses of the
 * connection and failures of the query it outlives.
 */
export interface TopicHandle<R extends Row = Row> extends AsyncIterable<readonly R[]> {
  readonly topic: string;
  readonly params: Params;
  /** The newest snapshot: the same object until something changes. */
  readonly snapshot: () => Snapshot<R>;
  /**
   * Watches the channel until the function that is returned is called. The listener is called with each other rows, and at once
   * when there are some already. A listener that throws does not keep others from being told.
   */
  subscribe(listener: (rows: readonly R[], snapshot: Snapshot<R>) => void): () => void;
  /** As `subscribe`, for whoever wants all that changes: state, reason, error, number of viewers. */
  watch(listener: (snapshot: Snapshot<R>) => void): () => void;
}

export class Hub {
  readonly clock = new HubClock();
  readonly #connection: Connection;
  readonly #watches: Watches;

  constructor(url?: string, options: HubOptions = {}) {
    const {
      token,
      path,
      version,
      callTimeoutMs = 10_000,
      retryFirstMs = 300,
      retryMostMs = 10_000,
      lingerMs = 200,
      onListenerError = throwLater,
      hiddenEvery = '15s',
      visibility = pageVisibility,
    } = options;
    this.#connection = new Connection({ url, path, token, version, callTimeoutMs, retryFirstMs, retryMostMs });
    this.#watches = new Watches(
      this.#connection,
      this.clock,
      { lingerMs, retryFirstMs, retryMostMs },
      onListenerError,
      { visibility, every: hiddenEvery ?? undefined },
    );
  }

  /** `every` and `presence` of all who watch the same channel are united: the fastest, and presence if anyone wants it. */
  topic<N extends TopicName>(topic: N, ...args: TopicArgs<N, TopicOptions>): TopicHandle<RowOf<N>>;
  topic<R extends Row = Row, N extends string = string>(
    topic: AnyTopic<N>,
    params?: Params,
    options?: TopicOptions,
  ): TopicHandle<R>;
  topic(topic: string, params: Params = {}, { signal, ...options }: TopicOptions = {}): TopicHandle {
    const watches = this.#watches;
    const watch: TopicHandle['watch'] = (tell) => {
      if (signal?.aborted) return () => undefined;
      const stop = watches.of(topic, params).listen({ options, tell });
      const end = (): void => {
        signal?.removeEventListener('abort', end);
        stop();
      };
      signal?.addEventListener('abort', end);
      return end;
    };
    const subscribe: TopicHandle['subscribe'] = (tell) => {
      let told: readonly Row[] | undefined;
      return watch((snapshot) => {
        if (snapshot.rows === undefined || snapshot.rows === told) return;
        told = snapshot.rows;
        tell(told, snapshot);
      });
    };
    const iterate = (): AsyncGenerator<readonly Row[], void> =>
      newest((feed) => {
        let told: readonly Row[] | undefined;
        return watch(({ rows, error }) => {
          if (error !== undefined && FINAL.has(error.code)) return feed.fail(error);
          if (rows === undefined || rows === told) return;
          told = rows;
          feed.next(rows);
        });
      }, signal);
    return {
      topic,
      params,
      snapshot: () => watches.snapshot(topic, params),
      subscribe,
      watch,
      [Symbol.asyncIterator]: iterate,
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

  /** The last release that the hub told of; none as long as this client is up to date. */
  get release(): Release | undefined {
    return this.#connection.release;
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
