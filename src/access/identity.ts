import type { JWTPayload } from 'jose';

/** Who somebody is, and on what grounds. */
export interface Identity {
  /** The token's `sub`, or a guest's name. */
  readonly user: string;
  readonly roles: readonly string[];
  /** The token's claims, for parameters with `claim:`. Empty for guests. */
  readonly claims: Readonly<Record<string, unknown>>;
  /** Ms since 1970: from then on the token is not valid any more. Absent: it does not end. */
  readonly expiresAt?: number;
  /** Let in without a token. */
  readonly guest: boolean;
}

export const ADMIN_ROLE = 'admin';

/** Whoever has ADMIN_TOKEN. No token's `sub` has brackets and a space by chance, and it would give no right here. */
export const ADMINISTRATOR: Identity = { user: '(admin token)', roles: [ADMIN_ROLE], claims: {}, guest: false };

/** Where roles are looked for. The first claim that is there counts alone, so that `scope` cannot add to `roles`. */
const ROLE_CLAIMS = ['roles', 'role', 'scope'] as const;

/**
 * Roles of a verified token: from `roles`, else `role`, else `scope`. An array holds one role per element, a string
 * holds roles between spaces or commas. Whatever is not a string names no role: in doubt there are fewer rights.
 */
export function rolesOf(claims: JWTPayload): readonly string[] {
  const name = ROLE_CLAIMS.find((claim) => claims[claim] !== undefined && claims[claim] !== null);
  const given = name === undefined ? [] : claims[name];
  const list: unknown[] = typeof given === 'string' ? given.split(/[\s,]+/) : Array.isArray(given) ? given : [];
  return [...new Set(list.filter((role): role is string => typeof role === 'string' && role !== ''))];
}

export function guestIdentity(user: string): Identity {
  return { user, roles: [], claims: {}, guest: true };
}

export function isAdministrator(identity: Identity): boolean {
  return identity.roles.includes(ADMIN_ROLE);
}
