import { createHmac } from 'node:crypto';
import { systemClock, type Clock } from '../kernel/clock.js';
import { deriveSecret, sameSecret } from './secret.js';

/** Where a link carries its signature. */
export const LINK_PARAM = 'link';

/**
 * Addresses that say by themselves on whose behalf they are asked for: a browser that downloads sends no Authorization header,
 * and a page of another origin no cookie. Each is for one path and a short time, and known to whoever it was made for
 * only, as long as they do not pass it on.
 */
export class Links {
  readonly #key: Uint8Array;

  constructor(
    secret: Uint8Array,
    private readonly clock: Clock = systemClock,
  ) {
    this.#key = deriveSecret(secret, 'link');
  }

  /** What to append to the path's address. `until`: ms since 1970. */
  sign(path: string, user: string, until: number): string {
    const body = Buffer.from(JSON.stringify([user, until])).toString('base64url');
    return `?${LINK_PARAM}=${body}.${this.#sign(path, body)}`;
  }

  /** Whose link to this path it is; `undefined`: nobody's, or its time is over. `link`: as it came in the address. */
  userOf(path: string, link: unknown): string | undefined {
    const [, body = '', signature = ''] = (typeof link === 'string' && /^([\w-]+)\.([\w-]+)$/.exec(link)) || [];
    if (body === '' || !sameSecret(signature, this.#sign(path, body))) return undefined;
    const [user, until] = JSON.parse(Buffer.from(body, 'base64url').toString()) as [string, number];
    return until > this.clock.now() ? user : undefined;
  }

  #sign(path: string, body: string): string {
    return createHmac('sha256', this.#key).update(`${path}\n${body}`).digest('base64url');
  }
}
