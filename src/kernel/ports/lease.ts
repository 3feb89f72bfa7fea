import type { NodeId } from '../identity.js';

/** The value under a lease's key: says which node holds it and in which grant. Compared as a whole, never in parts. */
export type LeaseValue = string;

/**
 * A granted lease. `untilMono` and `untilWall` are deadlines on this node's two clocks, counted from before the
 * request was sent and already less the drift margin: past either of them the lease must be taken for lost.
 */
export interface Grant {
  readonly name: string;
  readonly value: LeaseValue;
  readonly untilMono: number;
  readonly untilWall: number;
}

export interface Holder {
  readonly value: LeaseValue;
  readonly node: NodeId;
  readonly leftMs: number;
}

/**
 * Exclusive, expiring ownership of names (Redlock: https://redis.io/docs/latest/develop/use/patterns/distributed-locks/).
 *
 * Every method that cannot tell the outcome (time-out, no quorum, connection lost) rejects with `UNAVAILABLE`;
 * `null` and `false` are certain answers.
 */
export interface LeasePort {
  /** `null`: somebody else holds it, or asked at the same moment. Never resolves with a grant whose time has already run out. */
  acquire(name: string, leaseMs: number): Promise<Grant | null>;
  /** `null`: it is not ours any more. */
  renew(grant: Grant, leaseMs: number): Promise<Grant | null>;
  /** Renews many in few round trips; the answers are in the order of the grants. */
  renewAll(grants: readonly Grant[], leaseMs: number): Promise<(Grant | null)[]>;
  /** Replaces the very grant `from` (of a dead or a leaving node) by one of ours. `null`: it is not there any more. */
  takeOver(name: string, from: LeaseValue, leaseMs: number): Promise<Grant | null>;
  /** Lets go; `false` when it was not ours any more. */
  release(grant: Grant): Promise<boolean>;
  /** Removes a lease by its exact value, whoever holds it: for cleaning up. `false`: it is not there any more. */
  remove(name: string, value: LeaseValue): Promise<boolean>;
  /** Mints a fence for a name while the grant is still ours; rises with every call. `null`: it is not ours any more. */
  fence(grant: Grant): Promise<number | null>;
  holders(names: readonly string[]): Promise<(Holder | null)[]>;
  /** All leases there are, for finding those that nobody stands behind. */
  all(): Promise<(Holder & { name: string })[]>;
}
