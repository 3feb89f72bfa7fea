import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { systemClock, type Clock } from '../kernel/clock.js';
import { header, type RequestLike, type TrustedProxies } from './address.js';
import { deriveSecret } from './secret.js';

export const GUEST_COOKIE = 'pollcast_guest';

/** How long a guest is recognised after he was last seen half of it ago. */
const TTL_MS = 60 * 24 * 60 * 60 * 1000;
const TOKEN = /^v1\.([\w-]{12})\.([0-9a-z]{1,9})\.([\w-]{43})$/;

interface Visit {
  readonly user: string;
  /** Value of a Set-Cookie header; absent when the guest brought a cookie that is still fresh. */
  readonly setCookie?: string;
}

/**
 * Names for those who come without a token: made up at the first visit and carried by a signed token, so that a guest
 * is the same one after a refresh and on every node, and cannot be another one. The token is a bearer's: it proves
 * that its bearer was given this name, no more, and a guest has no rights that the next guest has not.
 *
 * A token that is forged, old or signed by another cluster is none: its bearer gets a new name.
 */
export class Guests {
  readonly #key: Uint8Array;
  /** Set at the handshake, and needed again when the same request is authenticated. */
  readonly #visits = new WeakMap<object, Visit>();

  constructor(
    secret: Uint8Array,
    private readonly proxies: TrustedProxies,
    private readonly clock: Clock = systemClock,
  ) {
    this.#key = deriveSecret(secret, 'guest token');
  }

  /** Who a request is from. Asked twice about the same request it answers the same. */
  visit(request: RequestLike): Visit {
    let visit = this.#visits.get(request);
    if (!visit) this.#visits.set(request, (visit = this.#meet(request)));
    return visit;
  }

  /** The name in a token of ours, else undefined. */
  recognise(token: unknown): string | undefined {
    return this.#read(token)?.user;
  }

  /** A token for a client that cannot keep cookies, to be given in the handshake's `auth.guest`. */
  tokenFor(user: string): string {
    const body = `v1.${user.slice(PREFIX.length)}.${Math.floor(this.clock.now() / 1000).toString(36)}`;
    return `${body}.${this.#sign(body).toString('base64url')}`;
  }

  newName(): string {
    return PREFIX + randomBytes(9).toString('base64url');
  }

  #meet(request: RequestLike): Visit {
    const known = this.#read(cookieOf(request));
    if (known && known.ageMs < TTL_MS / 2) return { user: known.user };
    const user = known?.user ?? this.newName();
    return { user, setCookie: this.#cookie(user, this.#isSecure(request)) };
  }

  #cookie(user: string, secure: boolean): string {
    const maxAge = Math.floor(TTL_MS / 1000);
    const attributes = `Path=/; Max-Age=${maxAge}; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`;
    return `${GUEST_COOKIE}=${this.tokenFor(user)}; ${attributes}`;
  }

  #isSecure(request: RequestLike): boolean {
    return request.socket.encrypted === true || this.proxies.forwarded(request, 'x-forwarded-proto') === 'https';
  }

  #read(token: unknown): { user: string; ageMs: number } | undefined {
    const parts = typeof token === 'string' ? TOKEN.exec(token) : null;
    if (!parts) return undefined;
    const [whole, id = '', issued = '', signature = ''] = parts;
    const expected = this.#sign(whole.slice(0, -signature.length - 1));
    const got = Buffer.from(signature, 'base64url');
    // The second look refuses other spellings of the same bytes: one guest has one token.
    if (got.length !== expected.length || !timingSafeEqual(got, expected)) return undefined;
    if (expected.toString('base64url') !== signature) return undefined;
    const ageMs = this.clock.now() - Number.parseInt(issued, 36) * 1000;
    return ageMs > TTL_MS ? undefined : { user: PREFIX + id, ageMs };
  }

  #sign(body: string): Buffer {
    return createHmac('sha256', this.#key).update(body).digest();
  }
}

/** Makes 18 characters with the random part: 20 would look like a socket's id to the adapter. */
const PREFIX = 'guest-';

function cookieOf(request: RequestLike): string | undefined {
  return new RegExp(`(?:^|;)\\s*${GUEST_COOKIE}=([^;\\s]*)`).exec(header(request, 'cookie') ?? '')?.[1];
}
