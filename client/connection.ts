/**
 * The one socket to the hub and its way back. socket.io-client reconnects by itself after a lost connection, but not after
 * the hub refused or ended it (a token that ran out, a node that drains): those returns are made here, so that a viewer
 * always comes back unless it closed the connection itself.
 */
import { io, type Socket } from 'socket.io-client';
import { PollcastError, type WireError } from '../src/errors.js';
import { Backoff } from './backoff.js';
import type { Ack, ClientCalls, Release, ServerEvents } from './wire.js';

export type HubSocket = Socket<ServerEvents, ClientCalls>;

export interface ConnectionStatus {
  /** `connecting`: the first try is under way. `offline`: it was lost or refused; tries go on. */
  readonly state: 'connecting' | 'online' | 'offline';
  /** Milliseconds since 1970. */
  readonly since: number;
  /** Why it is offline, where that is known. */
  readonly error?: PollcastError;
}

/**
 * A token, or what fetches one. It is called for each connection; `refused` is there when the hub did not accept the last
 * one, so that a cached token is not tried again. Throwing keeps the connection offline, and it is asked again later.
 */
export type TokenSource = string | ((refused?: PollcastError) => string | Promise<string>);

export interface ConnectionOptions {
  readonly url?: string | undefined;
  readonly path?: string | undefined;
  readonly token?: TokenSource | undefined;
  /** The version of the hub that this client came with. */
  readonly version?: string | undefined;
  /** How long an answer to a call may take before it counts as `UNAVAILABLE`. */
  readonly callTimeoutMs: number;
  readonly retryFirstMs: number;
  readonly retryMostMs: number;
}

type Reply<T> = { readonly value: T } | { readonly error: PollcastError };

export class Connection {
  readonly socket: HubSocket;
  #status: ConnectionStatus = { state: 'connecting', since: Date.now() };
  #retry: ReturnType<typeof setTimeout> | undefined;
  #refused: PollcastError | undefined;
  /** The last that the hub told of. */
  #release: Release | undefined;
  readonly #backoff: Backoff;
  readonly #listeners = new Set<(status: ConnectionStatus) => void>();

  constructor(private readonly options: ConnectionOptions) {
    this.#backoff = new Backoff(options.retryFirstMs, options.retryMostMs);
    const socketOptions = {
      transports: ['websocket'],
      autoConnect: false,
      ...(options.path === undefined ? {} : { path: options.path }),
      reconnectionDelay: options.retryFirstMs,
      reconnectionDelayMax: options.retryMostMs,
      randomizationFactor: 0.5,
      // A multiplexed manager would be shared by hubs with different tokens.
      forceNew: true,
      auth: (give: (data: object) => void): void => void this.#authenticate(give),
    };
    this.socket = options.url === undefined ? io(socketOptions) : io(options.url, socketOptions);
    this.socket.on('connect', () => this.#online());
    this.socket.on('disconnect', (reason) => this.#lost(reason));
    this.socket.on('release', (release) => (this.#release = release));
    this.socket.on('connect_error', (error) => this.#failed(error));
    this.socket.connect();
  }

  get status(): ConnectionStatus {
    return this.#status;
  }

  get release(): Release | undefined {
    return this.#release;
  }

  onStatus(listener: (status: ConnectionStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Sends one call. `done` runs in the turn in which the acknowledgement arrives, so that events the hub sent after it find
   * its effect in place; a promise would be a turn too late.
   */
  call<E extends keyof ClientCalls>(
    name: E,
    request: Parameters<ClientCalls[E]>[0],
    done: (reply: Reply<ReplyOf<E>>) => void,
  ): void {
    const sender = this.socket.timeout(this.options.callTimeoutMs) as unknown as TimedEmitter;
    sender.emit(name, request, (lost, ack) => {
      if (lost !== null) done({ error: new PollcastError('UNAVAILABLE', `The hub did not answer \`${name}\`.`) });
      else if (ack.ok) done({ value: ack as unknown as ReplyOf<E> });
      else done({ error: PollcastError.fromWire(ack.error) });
    });
  }

  /** Connects anew, with a fresh token: for when who is signed in has changed. */
  reconnect(): void {
    this.socket.disconnect();
    this.socket.connect();
  }

  close(): void {
    clearTimeout(this.#retry);
    this.#listeners.clear();
    this.socket.disconnect();
  }

  async #authenticate(give: (data: object) => void): Promise<void> {
    const { token } = this.options;
    const refused = this.#refused;
    this.#refused = undefined;
    try {
      const value = typeof token === 'function' ? await token(refused) : token;
      // The newest that is known here, so that the hub tells of each release once, on whichever node.
      const version = this.#release?.version ?? this.options.version;
      give({ ...(value !== undefined && { token: value }), ...(version !== undefined && { version }) });
    } catch (thrown) {
      this.socket.disconnect();
      this.#offline(
        new PollcastError('UNAUTHENTICATED', 'No token could be had for the hub.', undefined, { cause: thrown }),
      );
      this.#connectLater();
    }
  }

  #online(): void {
    this.#backoff.reset();
    clearTimeout(this.#retry);
    this.#report({ state: 'online', since: Date.now() });
  }

  #lost(reason: string): void {
    this.#offline(undefined);
    if (reason === 'io server disconnect') this.#connectLater();
  }

  #failed(error: Error & { data?: unknown }): void {
    const coded = isWireError(error.data) ? PollcastError.fromWire(error.data) : undefined;
    if (coded?.code === 'UNAUTHENTICATED') this.#refused = coded;
    this.#offline(coded);
    if (!this.socket.active) this.#connectLater();
  }

  #connectLater(): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.socket.connect(), this.#backoff.nextMs());
  }

  #offline(error: PollcastError | undefined): void {
    const { state, since } = this.#status;
    this.#report({ state: 'offline', since: state === 'offline' ? since : Date.now(), error });
  }

  #report(status: ConnectionStatus): void {
    this.#status = status;
    for (const listener of [...this.#listeners]) listener(status);
  }
}

export type ReplyOf<E extends keyof ClientCalls> =
  Parameters<Parameters<ClientCalls[E]>[1]>[0] extends Ack<infer T> ? T : never;

/** socket.io's own types cannot follow an event name that is a type parameter. */
interface TimedEmitter {
  emit(name: string, request: unknown, done: (lost: Error | null, ack: Ack<object>) => void): void;
}

function isWireError(data: unknown): data is WireError {
  return typeof data === 'object' && data !== null && 'code' in data && 'message' in data;
}
