import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { PollcastError } from '../errors.js';
import { addressKey, isLoopback } from './address.js';
import type { Allowance, LimitSettings } from './settings.js';

/** Whose allowance a session uses up. */
export interface Visitor {
  /** The socket's id. */
  readonly socket: string;
  readonly user: string;
  readonly address: string;
}

/** Rates are averaged over this, so that a page that opens with many charts is no flood. */
const WINDOW_S = 10;
/** When a full house is worth another try. */
const CONNECTION_RETRY_MS = 5_000;

type Scope = keyof Omit<LimitSettings, 'exemptLoopback'>;
type Counted = 'connections' | 'channels';

const WORDS: Record<Scope, string> = { socket: 'connection', user: 'user', address: 'address' };

/**
 * How much this node lets one socket, one user and one address have. Each node counts for itself: what the cluster as a
 * whole lets somebody have is as many times that as there are nodes.
 */
export class Limits {
  readonly #scopes: readonly ScopeLimits[];

  constructor(private readonly settings: LimitSettings) {
    this.#scopes = [
      new ScopeLimits('socket', { connections: 0, ...settings.socket }),
      new ScopeLimits('user', settings.user),
      new ScopeLimits('address', settings.address),
    ];
  }

  /**
   * Counts a connection until the session is closed.
   *
   * @throws PollcastError `RATE_LIMITED` when the user or the address has too many
   */
  open(visitor: Visitor): LimitedSession {
    const shares = this.#sharesOf(visitor);
    takeAll(shares, 'connections', ({ scope, allowance }) => tooManyConnections(scope, allowance.connections));
    return new LimitedSession(shares);
  }

  /**
   * Counts one call of somebody who holds no connection.
   *
   * @throws PollcastError `RATE_LIMITED` with details.retryAfterMs
   */
  async admitCall(visitor: Omit<Visitor, 'socket'>): Promise<void> {
    for (const { limits, key } of this.#sharesOf({ ...visitor, socket: '' }))
      if (limits.scope !== 'socket') await limits.consume('events', key, 1);
  }

  #sharesOf(visitor: Visitor): Share[] {
    const keys: Record<Scope, string> = { ...visitor, address: addressKey(visitor.address) };
    const exempt = this.settings.exemptLoopback && isLoopback(visitor.address);
    return this.#scopes
      .filter(({ scope }) => !(exempt && scope === 'address'))
      .map((limits) => ({ limits, key: keys[limits.scope] }));
  }
}

interface Share {
  readonly limits: ScopeLimits;
  readonly key: string;
}

/** What one connection uses of the limits. */
export class LimitedSession {
  #channels = 0;
  #closed = false;

  constructor(private readonly shares: readonly Share[]) {}

  /**
   * Counts an event of the client and its size in bytes.
   *
   * @throws PollcastError `RATE_LIMITED` with details.retryAfterMs
   */
  async admitEvent(bytes: number): Promise<void> {
    for (const { limits, key } of this.shares) {
      await limits.consume('events', key, 1);
      await limits.consume('bytes', key, bytes);
    }
  }

  /**
   * Counts a channel until `closeChannel` or `close`; to be called once per channel that the socket did not watch yet.
   *
   * @throws PollcastError `TOO_MANY_CHANNELS` with details.limit
   */
  openChannel(): void {
    if (this.#closed) return;
    takeAll(this.shares, 'channels', ({ scope, allowance }) => tooManyChannels(scope, allowance.channels));
    this.#channels += 1;
  }

  closeChannel(): void {
    if (this.#channels === 0) return;
    this.#channels -= 1;
    for (const { limits, key } of this.shares) limits.give('channels', key, 1);
  }

  /** Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const { limits, key } of this.shares) {
      limits.give('channels', key, this.#channels);
      limits.give('connections', key, 1);
    }
    this.#channels = 0;
  }
}

/** All or none: what was taken before somebody refused is given back. */
function takeAll(shares: readonly Share[], what: Counted, refusal: (limits: ScopeLimits) => PollcastError): void {
  for (const [at, { limits, key }] of shares.entries()) {
    if (limits.take(what, key)) continue;
    for (const taken of shares.slice(0, at)) taken.limits.give(what, taken.key, 1);
    throw refusal(limits);
  }
}

/** The counts and rates of all sockets, all users or all addresses. Keys with nothing are not kept. */
class ScopeLimits {
  readonly #held: Record<Counted, Map<string, number>> = { connections: new Map(), channels: new Map() };
  readonly #events: RateLimiterMemory | null;
  readonly #bytes: RateLimiterMemory | null;

  constructor(
    readonly scope: Scope,
    readonly allowance: Allowance,
  ) {
    this.#events = limiter(allowance.eventsPerSecond);
    this.#bytes = limiter(allowance.bytesPerSecond);
  }

  take(what: Counted, key: string): boolean {
    const most = this.allowance[what];
    const held = this.#held[what].get(key) ?? 0;
    if (most > 0 && held >= most) return false;
    this.#held[what].set(key, held + 1);
    return true;
  }

  give(what: Counted, key: string, count: number): void {
    const left = (this.#held[what].get(key) ?? 0) - count;
    if (left > 0) this.#held[what].set(key, left);
    else this.#held[what].delete(key);
  }

  async consume(what: 'events' | 'bytes', key: string, points: number): Promise<void> {
    try {
      await (what === 'events' ? this.#events : this.#bytes)?.consume(key, points);
    } catch (refused) {
      if (!(refused instanceof RateLimiterRes)) throw refused;
      const most = what === 'events' ? this.allowance.eventsPerSecond : this.allowance.bytesPerSecond;
      throw new PollcastError(
        'RATE_LIMITED',
        `Too much from this ${WORDS[this.scope]}: at most ${most} ${what} per second are taken; try again in ${refused.msBeforeNext} ms.`,
        { retryAfterMs: refused.msBeforeNext, limit: most, per: this.scope },
      );
    }
  }
}

function limiter(perSecond: number): RateLimiterMemory | null {
  return perSecond > 0 ? new RateLimiterMemory({ points: perSecond * WINDOW_S, duration: WINDOW_S }) : null;
}

function tooManyConnections(scope: Scope, limit: number): PollcastError {
  return new PollcastError(
    'RATE_LIMITED',
    `This ${WORDS[scope]} already has ${limit} connections, the most it may have: close some.`,
    { retryAfterMs: CONNECTION_RETRY_MS, limit, per: scope },
  );
}

function tooManyChannels(scope: Scope, limit: number): PollcastError {
  return new PollcastError(
    'TOO_MANY_CHANNELS',
    `This ${WORDS[scope]} already watches ${limit} channels, the most it may: unsubscribe from some.`,
    { limit, per: scope },
  );
}
