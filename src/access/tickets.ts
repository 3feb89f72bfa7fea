import { createHmac, timingSafeEqual } from 'node:crypto';
import { systemClock, type Clock } from '../kernel/clock.js';
import { header, type RequestLike } from './address.js';
import { ADMIN_ROLE, type Identity } from './identity.js';
import { deriveSecret } from './secret.js';

export const TICKET_COOKIE = 'pollcast_ticket';

/** A cookie has room for 4 KB. */
const MAX_TICKET = 3_800;

export interface TicketHolder {
  /** Another name than the one on whose behalf it is issued: what belongs to that user is not the holder's. */
  readonly user: string;
  readonly roles: readonly string[];
  readonly claims: Readonly<Record<string, unknown>>;
  /** Ms since 1970. */
  readonly until: number;
}

/**
 * Lets one of the hub's own programs (the recorder's browser) watch what somebody may watch who asked for it: his roles and
 * claims, without his name, without administration, and for a limited time. All nodes of the cluster know the signature.
 */
export class Tickets {
  readonly #key: Uint8Array;

  constructor(
    secret: Uint8Array,
    private readonly clock: Clock = systemClock,
  ) {
    this.#key = deriveSecret(secret, 'ticket');
  }

  /** Value of the cookie `TICKET_COOKIE`. Claims that do not fit into a cookie are left out, largest last. */
  issue({ user, roles, claims, until }: TicketHolder): string {
    const kept = roles.filter((role) => role !== ADMIN_ROLE);
    let body = encode({ user, roles: kept, claims, until });
    if (body.length > MAX_TICKET) body = encode({ user, roles: kept, claims: fitting(claims), until });
    return `${body}.${this.#sign(body)}`;
  }

  /** Who a request's ticket is of; `undefined`: it has none that holds. */
  of(request: RequestLike): Identity | undefined {
    const cookie = new RegExp(`(?:^|;)\\s*${TICKET_COOKIE}=([\\w-]+)\\.([\\w-]+)`).exec(
      header(request, 'cookie') ?? '',
    );
    const [, body = '', signature = ''] = cookie ?? [];
    if (body === '' || !same(signature, this.#sign(body))) return undefined;
    const { user, roles, claims, until } = JSON.parse(Buffer.from(body, 'base64url').toString()) as TicketHolder;
    if (until <= this.clock.now()) return undefined;
    return { user, roles, claims, expiresAt: until, guest: false };
  }

  #sign(body: string): string {
    return createHmac('sha256', this.#key).update(body).digest('base64url');
  }
}

function encode(holder: TicketHolder): string {
  return Buffer.from(JSON.stringify(holder)).toString('base64url');
}

function fitting(claims: TicketHolder['claims']): TicketHolder['claims'] {
  let left = MAX_TICKET / 2;
  const sized = Object.entries(claims).map((entry) => ({ entry, size: JSON.stringify(entry).length }));
  sized.sort((a, b) => a.size - b.size);
  return Object.fromEntries(sized.flatMap(({ entry, size }) => ((left -= size) > 0 ? [entry] : [])));
}

function same(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}
