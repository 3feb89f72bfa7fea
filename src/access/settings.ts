import type { Clock } from '../kernel/clock.js';

/** How tokens are verified. `none`: everybody is let in as a guest. */
export type AuthSettings =
  | { readonly mode: 'none' }
  | {
      readonly mode: 'jwt';
      /** Shared secret (HS256, HS384, HS512). At least one of `secret` and `jwksUrl` is given. */
      readonly secret?: string;
      /** Where the public keys lie (RS*, PS*, ES*, EdDSA). */
      readonly jwksUrl?: string;
      /** Absent: any issuer. */
      readonly issuer?: string;
      /** Absent: any audience; several: one of them is enough. */
      readonly audience?: string | readonly string[];
    };

/** What one socket, user or address may have at a time. 0: as much as it likes. */
export interface Allowance {
  readonly connections: number;
  readonly channels: number;
  /** Averages over ten seconds: a burst of ten times as much is let through. */
  readonly eventsPerSecond: number;
  readonly bytesPerSecond: number;
}

export interface LimitSettings {
  readonly socket: Omit<Allowance, 'connections'>;
  readonly user: Allowance;
  readonly address: Allowance;
  /** Loopback addresses are not counted as addresses: what comes from there is a proxy, or a test of load. */
  readonly exemptLoopback: boolean;
}

export const DEFAULT_LIMITS: LimitSettings = {
  socket: { channels: 2_000, eventsPerSecond: 500, bytesPerSecond: 1024 * 1024 },
  user: { connections: 1_000, channels: 20_000, eventsPerSecond: 2_000, bytesPerSecond: 8 * 1024 * 1024 },
  address: { connections: 10_000, channels: 0, eventsPerSecond: 10_000, bytesPerSecond: 32 * 1024 * 1024 },
  exemptLoopback: true,
};

/** Everything that access needs to know; the wiring fills it from the configuration. */
export interface AccessSettings {
  readonly auth: AuthSettings;
  /** Bearer token of the admin API. Set, it is needed on loopback too. */
  readonly adminToken?: string;
  /** Whether the hub listens on a loopback address only. */
  readonly loopback: boolean;
  /** Allowed origins besides the hub's own (`https://dash.example.com`); `*` allows every one. */
  readonly origins: readonly string[];
  /** Proxies whose `X-Forwarded-*` headers are believed: addresses, networks, `loopback`, `linklocal`, `uniquelocal`. */
  readonly trustedProxies: readonly string[];
  /** Signs guests' names; the same on all nodes of a cluster. At least 16 bytes, best made by `deriveSecret`. */
  readonly secret: Uint8Array;
  readonly limits: LimitSettings;
  readonly clock?: Clock;
}
