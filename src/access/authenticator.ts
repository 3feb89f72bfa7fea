import { PollcastError } from '../errors.js';
import { systemClock, type Clock } from '../kernel/clock.js';
import { header, type RequestLike } from './address.js';
import type { Guests } from './guests.js';
import { guestIdentity, type Identity } from './identity.js';
import type { AuthSettings } from './settings.js';
import type { Tickets } from './tickets.js';
import { TokenVerifier } from './tokens.js';

export interface AuthenticationContext {
  /** The HTTP request, or that of the websocket's handshake. */
  readonly request: RequestLike;
  /** A guest token from the handshake's `auth.guest`. */
  readonly guest?: unknown;
}

const BEARER = /^\s*Bearer +(\S+)\s*$/i;

/** Says who it is. */
export class Authenticator {
  readonly #verifier: TokenVerifier | null;

  constructor(
    settings: AuthSettings,
    private readonly guests: Guests,
    private readonly tickets: Pick<Tickets, 'of'>,
    clock: Clock = systemClock,
  ) {
    this.#verifier = settings.mode === 'jwt' ? new TokenVerifier(settings, clock) : null;
  }

  /** Whether everybody is let in as a guest. */
  get open(): boolean {
    return this.#verifier === null;
  }

  /**
   * Without authentication everybody is a guest: the one of the guest token, which may also be given as the token, else
   * the one of the cookie, else a new one. Any other token is ignored. A ticket of the hub's own comes first.
   *
   * @throws PollcastError `UNAUTHENTICATED`; `UNAVAILABLE` when the key server does not answer
   */
  async authenticate(token: unknown, context: AuthenticationContext): Promise<Identity> {
    const holder = this.tickets.of(context.request);
    if (holder) return holder;
    if (this.#verifier) return this.#verifier.verify(token);
    const { guests } = this;
    return guestIdentity(
      guests.recognise(context.guest) ?? guests.recognise(token) ?? guests.visit(context.request).user,
    );
  }

  /** Whether it comes from a program that the hub itself started for somebody. */
  hasTicket(request: RequestLike): boolean {
    return this.tickets.of(request) !== undefined;
  }

  /** As `authenticate`, with the token of the request's Authorization header. */
  async authenticateRequest(request: RequestLike): Promise<Identity> {
    return this.authenticate(this.open ? guestBearer(request) : bearerToken(request), { request });
  }
}

/** On an open hub a header of another form is no fault: it may be meant for a proxy. */
function guestBearer(request: RequestLike): string | undefined {
  return BEARER.exec(header(request, 'authorization') ?? '')?.[1];
}

/** @throws PollcastError `UNAUTHENTICATED` when there is an Authorization header of another kind */
export function bearerToken(request: Pick<RequestLike, 'headers'>): string | undefined {
  const authorization = header(request, 'authorization')?.trim();
  if (!authorization) return undefined;
  const token = BEARER.exec(authorization)?.[1];
  if (token !== undefined) return token;
  throw new PollcastError(
    'UNAUTHENTICATED',
    'Expected `Authorization: Bearer TOKEN`, got an Authorization header of another form.',
    {
      reason: 'malformed',
    },
  );
}
