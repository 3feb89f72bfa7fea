import type { INestApplicationContext, WebSocketAdapter } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import type { MessageMappingProperties } from '@nestjs/websockets';
import { createShardedAdapter } from '@socket.io/redis-adapter';
import type { Observable } from 'rxjs';
import type { Namespace, Server, ServerOptions, Socket } from 'socket.io';
import type { AccessService } from '../access/access.service.js';
import { PollcastError } from '../errors.js';
import type { Logger } from '../kernel/log.js';
import { connect, type RedisClient } from '../kernel/redis/connection.js';
import { HUB_PATH } from '../sockets/hub.gateway.js';

export interface ClusterIoOptions {
  readonly access: AccessService;
  readonly log: Logger;
  /** Where clients connect. Default: Socket.IO's own, `/socket.io`. */
  readonly path?: string;
  /** Serves the gateways of the application that the hub lives in, which are none of the hub's business. */
  readonly others?: WebSocketAdapter;
}

type Creation = ServerOptions & { namespace?: string; server?: Server };

type Callback = MessageMappingProperties['callback'];

/** What all sockets have in common of a call that the gateways offer. */
interface Call {
  /** Its place among a socket's callbacks. */
  readonly place: number;
  readonly isAckHandledManually: boolean;
}

/**
 * The Socket.IO server of a node. With Redis, what is addressed to rooms and people reaches all nodes through the sharded
 * adapter; frames have a way of their own and never pass through it.
 *
 * Nest knows one adapter for all gateways. Those that are not the hub's are handed on to `others`, with all that concerns them.
 */
export class ClusterIoAdapter extends IoAdapter {
  readonly #clients: RedisClient[] = [];
  readonly #own = new WeakSet<object>();
  readonly #calls = new Map<string, Call>();
  /** Of each socket, in the order of their calls' places. */
  readonly #callbacks = new WeakMap<Socket, Callback[]>();
  /** Those whose end is told. */
  readonly #told = new WeakSet<Socket>();

  constructor(
    app: INestApplicationContext,
    private readonly options: ClusterIoOptions,
  ) {
    super(app);
  }

  async connectRedis(url: string): Promise<void> {
    const { log } = this.options;
    for (const name of ['socket.io publisher', 'socket.io subscriber']) {
      const subscriber = name.endsWith('subscriber');
      this.#clients.push(await connect({ url, name, commandTimeoutMs: 2_000, log, subscriber }));
    }
  }

  /** Nest sets it on the one adapter that it knows. */
  override set forceCloseConnections(value: boolean) {
    super.forceCloseConnections = value;
    const { others } = this.options;
    if (others) Object.assign(others, { forceCloseConnections: value });
  }

  override get forceCloseConnections(): boolean {
    return super.forceCloseConnections;
  }

  override create(port: number, options?: Creation): Server | Namespace {
    const { others, path, access } = this.options;
    if (options?.path !== HUB_PATH) {
      if (!others) return super.create(port, options);
      if (port === 0 && bare(options?.path) === bare(path)) throw samePath(bare(path));
      return others.create(port, options) as Server;
    }
    const { path: _mark, ...rest } = options;
    const real = { ...rest, ...(path === undefined ? {} : { path }), ...access.socketOptions };
    return super.create(port, real as Creation);
  }

  override createIOServer(port: number, options?: ServerOptions): Server {
    const server: Server = super.createIOServer(port, options);
    this.#own.add(server);
    const [publisher, subscriber] = this.#clients;
    if (publisher && subscriber)
      server.adapter(createShardedAdapter(publisher, subscriber, { subscriptionMode: 'dynamic' }));
    return server;
  }

  /**
   * One look-up for all calls of a socket, behind the guard that may refuse them. Nest's own adapter keeps a chain of observables
   * for each call and socket, and even a listener for each would be a quarter of what an idle viewer costs in memory. So a socket
   * keeps only what Nest has bound to it; what a call is named, all share.
   */
  override bindMessageHandlers(
    socket: Socket,
    handlers: MessageMappingProperties[],
    transform: (data: unknown) => Observable<unknown>,
  ): void {
    const { others } = this.options;
    if (others && !this.#isOwn(socket)) {
      others.bindMessageHandlers(socket, handlers, transform);
      return;
    }
    let callbacks = this.#callbacks.get(socket);
    if (!callbacks) {
      callbacks = this.#listen(socket);
      this.#callbacks.set(socket, callbacks);
    }
    for (const { message, callback, isAckHandledManually } of handlers) {
      const event = String(message);
      const call = this.#calls.get(event) ?? { place: this.#calls.size, isAckHandledManually };
      this.#calls.set(event, call);
      callbacks[call.place] ??= callback;
    }
  }

  #listen(socket: Socket): Callback[] {
    const callbacks: Callback[] = [];
    socket.use(([event, ...payload], next) => {
      if (socket.connected) void this.#call(callbacks, String(event), payload);
      next();
    });
    return callbacks;
  }

  async #call(callbacks: readonly Callback[], event: string, payload: unknown[]): Promise<void> {
    const given: unknown = payload.length === 1 ? payload[0] : payload;
    const { data, ack } = this.mapPayload(given) as { data: unknown; ack?: (answer: unknown) => void };
    const call = this.#calls.get(event);
    const callback = call && callbacks[call.place];
    if (!callback) {
      ack?.({
        ok: false,
        error: new PollcastError('BAD_REQUEST', `there is no call ${event.slice(0, 100)}`).toWire(),
      });
      return;
    }
    try {
      const answer = (await callback(data, ack)) as unknown;
      if (!call.isAckHandledManually && answer !== undefined) ack?.(answer);
    } catch (error) {
      this.options.log.error({ err: error, event }, 'a gateway threw');
    }
  }

  override bindClientConnect(server: Server, callback: (...given: unknown[]) => void): void {
    const { others } = this.options;
    if (others && !this.#own.has(server)) others.bindClientConnect(server, callback);
    else super.bindClientConnect(server, callback);
  }

  /**
   * Each gateway would have an end told to all gateways of its server, and Nest drops all words of it but the first: one listener is
   * enough for them.
   */
  override bindClientDisconnect(socket: Socket, callback: (...given: unknown[]) => void): void {
    const { others } = this.options;
    if (others && !this.#isOwn(socket)) {
      others.bindClientDisconnect?.(socket, callback);
      return;
    }
    if (this.#told.has(socket)) return;
    this.#told.add(socket);
    super.bindClientDisconnect(socket, callback);
  }

  override async close(server: Server): Promise<void> {
    const { others } = this.options;
    if (others && !this.#own.has(server)) await others.close(server);
    else await super.close(server);
  }

  /** Nest calls it when all servers are closed. */
  override async dispose(): Promise<void> {
    this.disconnectRedis();
    await (this.options.others as { dispose?: () => Promise<void> } | undefined)?.dispose?.();
  }

  disconnectRedis(): void {
    for (const client of this.#clients) client.disconnect();
  }

  /** Other adapters' clients need not be Socket.IO's. */
  #isOwn(socket: Partial<Socket>): boolean {
    return socket.nsp !== undefined && this.#own.has(socket.nsp.server);
  }
}

/** A path as Socket.IO understands it: with its default, and with or without a slash at its end. */
function bare(path = '/socket.io'): string {
  return path.replace(/\/$/, '');
}

function samePath(path: string): PollcastError {
  return new PollcastError(
    'CONFLICT',
    `Two Socket.IO servers would listen at ${path}, the hub's and that of the application's gateways: put one of them elsewhere, with usePollcast(app, { path }) or @WebSocketGateway({ path }).`,
  );
}
