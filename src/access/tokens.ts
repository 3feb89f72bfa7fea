import {
  createLocalJWKSet,
  createRemoteJWKSet,
  errors,
  jwksCache,
  jwtVerify,
  type CryptoKey,
  type ExportedJWKSCache,
  type JWTPayload,
  type JWTVerifyGetKey,
} from 'jose';
import { PollcastError } from '../errors.js';
import { systemClock, type Clock } from '../kernel/clock.js';
import { rolesOf, type Identity } from './identity.js';
import type { AuthSettings } from './settings.js';

type JwtSettings = Extract<AuthSettings, { mode: 'jwt' }>;

/** Pinned: what a token says about its own algorithm is a claim of its sender. */
const SHARED_ALGORITHMS = ['HS256', 'HS384', 'HS512'];
const PUBLIC_ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];

const MAX_TOKEN_LENGTH = 16 * 1024;
const MAX_USER_LENGTH = 256;
/** For `nbf` only: clocks differ, but a token that has run out has run out. */
const TOLERANCE_S = 5;
const JWKS_TIMEOUT_MS = 5_000;
const JWKS_FRESH_MS = 10 * 60 * 1000;
/** Tokens with unknown keys cannot make us ask more often. */
const JWKS_COOLDOWN_MS = 30_000;
/** How long known keys are still believed when the key server does not answer. */
const JWKS_STALE_MS = 60 * 60 * 1000;

/**
 * Verifies JSON Web Tokens. Errors never carry the token nor its claims, not even as a cause: causes are logged.
 */
export class TokenVerifier {
  readonly #algorithms: string[];
  readonly #keyFor: JWTVerifyGetKey;

  constructor(
    private readonly settings: JwtSettings,
    private readonly clock: Clock = systemClock,
  ) {
    const { secret, jwksUrl } = settings;
    if (!secret && !jwksUrl) throw new TypeError('verifying tokens needs a secret or the address of a key set');
    const shared = secret ? new TextEncoder().encode(secret) : undefined;
    const published = jwksUrl ? publishedKeys(new URL(jwksUrl), clock) : undefined;
    this.#algorithms = [...(shared ? SHARED_ALGORITHMS : []), ...(published ? PUBLIC_ALGORITHMS : [])];
    // A public key is never used as a shared secret: each family of algorithms has its own source of keys.
    this.#keyFor = (header, token) => {
      const source = SHARED_ALGORITHMS.includes(header.alg) ? shared : published?.(header, token);
      if (!source) throw new errors.JOSEAlgNotAllowed('not configured');
      return source;
    };
  }

  /**
   * @throws PollcastError `UNAUTHENTICATED` with details.reason (`missing`, `malformed`, `algorithm`, `signature`, `key`,
   *   `issuer`, `audience`, `expired`, `early`, `claims`); `UNAVAILABLE` when the key server does not answer
   */
  async verify(token: unknown): Promise<Identity> {
    if (token === undefined || token === null || token === '') {
      throw refusal(
        'missing',
        'A token is needed: give it in `auth.token`, or over HTTP as `Authorization: Bearer …`.',
      );
    }
    if (typeof token !== 'string' || token.length > MAX_TOKEN_LENGTH) {
      throw refusal('malformed', `The token must be a string of at most ${MAX_TOKEN_LENGTH} characters.`);
    }
    return this.#identify(await this.#payloadOf(token));
  }

  async #payloadOf(token: string): Promise<JWTPayload> {
    try {
      return await this.#check(token, this.#keyFor);
    } catch (error) {
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw this.#refuse(error);
      return this.#tryEach(token, error);
    }
  }

  /** A token without a key id: the key set may hold several that fit. */
  async #tryEach(token: string, keys: AsyncIterable<CryptoKey>): Promise<JWTPayload> {
    let last: unknown = new errors.JWSSignatureVerificationFailed();
    for await (const key of keys) {
      try {
        return await this.#check(token, () => key);
      } catch (error) {
        last = error;
        if (!(error instanceof errors.JWSSignatureVerificationFailed)) break;
      }
    }
    throw this.#refuse(last);
  }

  async #check(token: string, keyFor: JWTVerifyGetKey): Promise<JWTPayload> {
    const { issuer, audience } = this.settings;
    const { payload } = await jwtVerify(token, keyFor, {
      algorithms: this.#algorithms,
      clockTolerance: TOLERANCE_S,
      currentDate: new Date(this.clock.now()),
      requiredClaims: ['exp', 'sub'],
      ...(issuer === undefined ? {} : { issuer }),
      ...(audience === undefined ? {} : { audience: typeof audience === 'string' ? audience : [...audience] }),
    });
    return payload;
  }

  #identify(claims: JWTPayload): Identity {
    const { sub, exp } = claims;
    if (typeof sub !== 'string' || sub.trim() === '' || sub.length > MAX_USER_LENGTH || /\p{Cc}/u.test(sub)) {
      throw refusal(
        'claims',
        `The token's \`sub\` must name the user in 1 to ${MAX_USER_LENGTH} printable characters.`,
      );
    }
    const expiresAt = Math.floor(Number(exp) * 1000);
    if (!Number.isSafeInteger(expiresAt)) {
      throw refusal('claims', "The token's `exp` must be a time in seconds since 1970.");
    }
    if (expiresAt <= this.clock.now()) throw expired(expiresAt);
    return { user: sub, roles: rolesOf(claims), claims: Object.freeze({ ...claims }), expiresAt, guest: false };
  }

  #refuse(error: unknown): PollcastError {
    if (error instanceof PollcastError) return error;
    if (error instanceof errors.JWTExpired) return expired(Number(error.payload.exp) * 1000);
    if (error instanceof errors.JWTClaimValidationFailed) return wrongClaim(error.claim, error.reason);
    if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JOSENotSupported) {
      const accepted = this.#algorithms.join(', ');
      return refusal('algorithm', `The token is not signed with an algorithm that is accepted here (${accepted}).`);
    }
    if (error instanceof errors.JWKSNoMatchingKey) {
      return refusal('key', 'The token is signed with a key that the key server does not publish.');
    }
    if (error instanceof errors.JWSSignatureVerificationFailed) {
      return refusal('signature', "The token's signature does not match its content.");
    }
    return refusal('malformed', 'The token is not a signed JSON Web Token that can be verified here.');
  }
}

function wrongClaim(claim: string, reason: string): PollcastError {
  if (reason === 'missing') return refusal('claims', `The token lacks the claim \`${claim}\`, which is needed here.`);
  if (claim === 'iss')
    return refusal('issuer', 'The token comes from another issuer (`iss`) than the one trusted here.');
  if (claim === 'aud') return refusal('audience', 'The token was made for another audience (`aud`).');
  if (claim === 'nbf' && reason === 'check_failed') {
    return refusal('early', 'The token is not valid yet (`nbf`): wait, or compare the clocks.');
  }
  return refusal('claims', `The token's claim \`${claim}\` is not what it must be.`);
}

function expired(at: number): PollcastError {
  const when = Number.isFinite(at) && Math.abs(at) <= 8.64e15 ? ` at ${new Date(at).toISOString()}` : '';
  return refusal('expired', `The token ran out${when}: sign in again.`);
}

function refusal(reason: string, message: string): PollcastError {
  return new PollcastError('UNAUTHENTICATED', message, { reason });
}

/** Keys of a key server: cached, asked for again when they are old or an unknown one turns up, and kept over its outage. */
function publishedKeys(url: URL, clock: Clock): JWTVerifyGetKey<CryptoKey> {
  const cache: Partial<ExportedJWKSCache> = {};
  const remote = createRemoteJWKSet(url, {
    timeoutDuration: JWKS_TIMEOUT_MS,
    cacheMaxAge: JWKS_FRESH_MS,
    cooldownDuration: JWKS_COOLDOWN_MS,
    [jwksCache]: cache as ExportedJWKSCache,
  });
  return async (header, token) => {
    try {
      return await remote(header, token);
    } catch (error) {
      if (isAnswer(error)) throw error;
      if (cache.jwks && cache.uat !== undefined && clock.now() - cache.uat < JWKS_STALE_MS) {
        return createLocalJWKSet(cache.jwks)(header, token);
      }
      throw new PollcastError(
        'UNAVAILABLE',
        'The keys that tokens are verified with cannot be had now; try again.',
        undefined,
        {
          cause: error,
        },
      );
    }
  };
}

/** About the token, and not about the key server. */
function isAnswer(error: unknown): boolean {
  return (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSENotSupported
  );
}
