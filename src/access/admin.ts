import { PollcastError } from '../errors.js';
import { header, isLocal, isLoopbackHost, type RequestLike } from './address.js';
import { bearerToken, type Authenticator } from './authenticator.js';
import { ADMIN_ROLE, isAdministrator } from './identity.js';
import type { OriginPolicy } from './origin.js';
import { sameSecret } from './secret.js';

export interface AdminSettings {
  readonly adminToken?: string;
  /** Whether the hub listens on a loopback address only. */
  readonly loopback: boolean;
}

/**
 * Who may use the admin API: whoever has ADMIN_TOKEN, or a token with the role `admin`.
 *
 * Without either of the two being configured, on a hub that listens on loopback only, everybody who is on this machine
 * may; but not a page of another origin in his browser, nor a name that was made to point here, nor somebody for whom
 * a proxy on this machine speaks.
 */
export class AdminPolicy {
  readonly #open: boolean;

  constructor(
    private readonly settings: AdminSettings,
    private readonly authenticator: Authenticator,
    private readonly origins: OriginPolicy,
  ) {
    this.#open = settings.loopback && authenticator.open && !settings.adminToken;
  }

  /** @throws PollcastError `UNAUTHENTICATED` or `FORBIDDEN`; `UNAVAILABLE` when the key server does not answer */
  async assertAdmin(request: RequestLike): Promise<void> {
    if (this.#open) return this.#assertLocal(request);
    const token = bearerToken(request);
    if (token === undefined) throw needed();
    const { adminToken } = this.settings;
    if (adminToken && sameSecret(token, adminToken)) return;
    if (this.authenticator.open) {
      throw new PollcastError('UNAUTHENTICATED', adminToken ? 'The admin token is wrong.' : NO_WAY);
    }
    const identity = await this.authenticator.authenticate(token, { request });
    if (!isAdministrator(identity)) {
      throw new PollcastError(
        'FORBIDDEN',
        `The admin API needs the role ${ADMIN_ROLE}, which this user does not have.`,
      );
    }
  }

  /** Whether this is the admin token. */
  isToken(token: unknown): boolean {
    const { adminToken } = this.settings;
    return adminToken !== undefined && typeof token === 'string' && sameSecret(token, adminToken);
  }

  /** Whether the admin API is open to this request without any token. */
  isOpenTo(request: RequestLike): boolean {
    if (!this.#open) return false;
    try {
      this.#assertLocal(request);
      return true;
    } catch {
      return false;
    }
  }

  async isAdmin(request: RequestLike): Promise<boolean> {
    try {
      await this.assertAdmin(request);
      return true;
    } catch (error) {
      if (error instanceof PollcastError && error.code !== 'UNAVAILABLE') return false;
      throw error;
    }
  }

  #assertLocal(request: RequestLike): void {
    if (!this.origins.isOwnOrNone(request)) {
      throw new PollcastError('FORBIDDEN', 'Pages of another origin may not use the admin API.');
    }
    // The recorder's browser is on this machine; whoever asked for the recording may not be.
    if (this.authenticator.hasTicket(request)) {
      throw new PollcastError('FORBIDDEN', 'A ticket of the hub does not open the admin API.');
    }
    const host = header(request, 'host');
    if (!isLocal(request) || (host !== undefined && !isLoopbackHost(host))) {
      throw new PollcastError('UNAUTHENTICATED', NO_WAY);
    }
  }
}

const NO_WAY =
  'Without ADMIN_TOKEN the admin API is open only on loopback, without authentication, to requests from this machine: set ADMIN_TOKEN on the hub and send it as `Authorization: Bearer …`.';

function needed(): PollcastError {
  return new PollcastError(
    'UNAUTHENTICATED',
    'The admin API needs `Authorization: Bearer …` with the admin token, or with a token of role admin.',
  );
}
