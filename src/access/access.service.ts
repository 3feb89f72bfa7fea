import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { Server, ServerOptions, Socket } from 'socket.io';
import { systemClock, type Clock } from '../kernel/clock.js';
import { TrustedProxies, type RequestLike } from './address.js';
import { AdminPolicy } from './admin.js';
import { Authenticator } from './authenticator.js';
import { assertMayWatch, mayWatch, type GuardedTopic } from './authorize.js';
import { onExpiry } from './expiry.js';
import { Guests } from './guests.js';
import { ADMIN_ROLE, ADMINISTRATOR, type Identity } from './identity.js';
import { Limits } from './limits.js';
import { Links } from './links.js';
import { OriginPolicy } from './origin.js';
import { MAX_PAYLOAD_BYTES } from './payload-size.js';
import type { AccessSettings } from './settings.js';
import { Tickets } from './tickets.js';
import { SocketGuard, type SocketAccess } from './socket-guard.js';

export const ACCESS_SETTINGS = Symbol('access settings');

/** How long a connection may stay without saying who it is. */
const CONNECT_TIMEOUT_MS = 10_000;

/** Who is it, what may they watch, how much: all of access in one place, for gateways, controllers and guards. */
@Injectable()
export class AccessService {
  readonly origins: OriginPolicy;
  readonly guests: Guests;
  readonly tickets: Tickets;
  readonly links: Links;
  readonly limits: Limits;
  readonly #proxies: TrustedProxies;
  readonly #authenticator: Authenticator;
  readonly #admin: AdminPolicy;
  readonly #guard: SocketGuard;
  readonly #clock: Clock;

  constructor(@Inject(ACCESS_SETTINGS) settings: AccessSettings) {
    const clock = settings.clock ?? systemClock;
    this.#clock = clock;
    this.#proxies = new TrustedProxies(settings.trustedProxies);
    this.guests = new Guests(settings.secret, this.#proxies, clock);
    this.tickets = new Tickets(settings.secret, clock);
    this.links = new Links(settings.secret, clock);
    this.#authenticator = new Authenticator(settings.auth, this.guests, this.tickets, clock);
    this.origins = new OriginPolicy({ origins: settings.origins, open: this.#authenticator.open }, this.#proxies);
    this.#admin = new AdminPolicy(settings, this.#authenticator, this.origins);
    this.limits = new Limits(settings.limits);
    this.#guard = new SocketGuard({
      limits: this.limits,
      clock,
      identify: (socket) => this.#identify(socket),
      addressOf: (socket) => this.addressOf(socket.request),
      cookieFor: (request) => this.cookieFor(request),
    });
  }

  /**
   * Who a token is of; without authentication, which guest a request is from.
   *
   * @throws PollcastError `UNAUTHENTICATED`; `UNAVAILABLE` when the key server does not answer
   */
  authenticate(token: unknown, request: RequestLike, guest?: unknown): Promise<Identity> {
    return this.#authenticator.authenticate(token, { request, guest });
  }

  /** Over a socket the admin token, or whatever else opens the admin API, gives the role that the console's topics need. */
  async #identify(socket: Socket): Promise<Identity> {
    const { token, guest } = socket.handshake.auth as { token?: unknown; guest?: unknown };
    if (this.#admin.isToken(token)) return ADMINISTRATOR;
    const identity = await this.authenticate(token, socket.request, guest);
    return this.#admin.isOpenTo(socket.request) ? { ...identity, roles: [...identity.roles, ADMIN_ROLE] } : identity;
  }

  /** As `authenticate`, from an HTTP request's Authorization header or cookie. */
  authenticateRequest(request: RequestLike): Promise<Identity> {
    return this.#authenticator.authenticateRequest(request);
  }

  /**
   * Counts a request over HTTP as a call of its user and its address.
   *
   * @throws PollcastError `RATE_LIMITED`
   */
  admitRequest({ user }: Pick<Identity, 'user'>, request: RequestLike): Promise<void> {
    return this.limits.admitCall({ user, address: this.addressOf(request) });
  }

  /**
   * A response that stays open counts as a connection with one channel, and ends with its user's token.
   *
   * @param end called when the token has run out
   * @returns to be called when the response is over
   * @throws PollcastError `RATE_LIMITED` or `TOO_MANY_CHANNELS`
   */
  stay({ user, expiresAt }: Identity, request: RequestLike, end: () => void): () => void {
    const session = this.limits.open({ socket: randomUUID(), user, address: this.addressOf(request) });
    try {
      session.openChannel();
    } catch (error) {
      session.close();
      throw error;
    }
    const expiry = onExpiry(expiresAt, end, this.#clock);
    return () => {
      expiry.cancel();
      session.close();
    };
  }

  mayWatch(identity: Identity, topic: GuardedTopic): boolean {
    return mayWatch(identity, topic);
  }

  /** @throws PollcastError `FORBIDDEN` */
  assertMayWatch(identity: Identity, topic: GuardedTopic): void {
    assertMayWatch(identity, topic);
  }

  /** @throws PollcastError `UNAUTHENTICATED` or `FORBIDDEN`; `UNAVAILABLE` when the key server does not answer */
  assertAdmin(request: RequestLike): Promise<void> {
    return this.#admin.assertAdmin(request);
  }

  isAdmin(request: RequestLike): Promise<boolean> {
    return this.#admin.isAdmin(request);
  }

  addressOf(request: RequestLike): string {
    return this.#proxies.addressOf(request);
  }

  /** Value of the Set-Cookie header that the answer to this request should carry, if any. */
  cookieFor(request: RequestLike): string | undefined {
    return this.#authenticator.open ? this.guests.visit(request).setCookie : undefined;
  }

  /** Options for the Socket.IO server, to be given when it is made; `attach` does the rest. */
  get socketOptions(): Partial<ServerOptions> {
    return {
      transports: ['websocket'],
      allowRequest: this.origins.allowRequest,
      cors: this.origins.cors,
      maxHttpBufferSize: MAX_PAYLOAD_BYTES,
      connectTimeout: CONNECT_TIMEOUT_MS,
    };
  }

  /** Puts authentication, session end and limits before every gateway of a Socket.IO server. Once per server. */
  attach(io: Server): void {
    this.#guard.attach(io);
  }

  /**
   * Who a socket is of, and what it may still have.
   *
   * @throws PollcastError `UNAUTHENTICATED` for one that was not let in
   */
  of(socket: Socket): SocketAccess {
    return this.#guard.of(socket);
  }
}
