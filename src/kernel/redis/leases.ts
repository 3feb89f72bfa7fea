import Redlock from 'redlock';
import type { Redis } from 'ioredis';
import { PollcastError } from '../../errors.js';
import type { Clock } from '../clock.js';
import { leaseOwner, newLeaseValue, type NodeId } from '../identity.js';
import type { Grant, Holder, LeasePort, LeaseValue } from '../ports/lease.js';
import { unavailable, type ScriptRunner } from './connection.js';
import type { KernelKeys } from './keys.js';

/** As Redlock counts it: clocks differ by this part of the time, and Redis expires by whole milliseconds. */
const DRIFT_FACTOR = 0.01;
const DRIFT_MS = 2;

interface Asked {
  readonly mono: number;
  readonly wall: number;
}

interface Answers<T> {
  readonly answers: T[];
  /** The last reason, when some did not answer. */
  readonly error: unknown;
}

/**
 * Leases by Redlock (the `redlock` package, 4.2.0: the one that refuses a lock whose time ran out while Redis was
 * frozen), on one Redis or on a quorum of independent ones. What the package does not have is done beside it by
 * scripts on the same keys and values: fences, taking over, extending.
 */
export class RedisLeases implements LeasePort {
  readonly #redlock: Redlock;
  readonly #quorum: number;

  constructor(
    private readonly masters: readonly ScriptRunner[],
    private readonly node: NodeId,
    private readonly keys: KernelKeys,
    private readonly clock: Clock,
  ) {
    this.#quorum = Math.floor(masters.length / 2) + 1;
    this.#redlock = new Redlock(
      masters.map((master) => master.client),
      { retryCount: 0, driftFactor: DRIFT_FACTOR },
    );
  }

  async acquire(name: string, leaseMs: number): Promise<Grant | null> {
    const asked = this.#asked();
    const errors: unknown[] = [];
    try {
      const lock = await this.#view(errors).lock(this.keys.lease(name), leaseMs);
      if (this.#leftMs(asked, leaseMs) > 0) return this.#grant(name, lock.value, leaseMs, asked);
    } catch (error) {
      if (!(error instanceof Redlock.LockError)) throw unavailable(error);
      // Refused by servers that all answered: certain.
      if (errors.length === 0 && this.#leftMs(asked, leaseMs) > 0) return null;
      // With some of them down it is certain too while a quorum answers: held, or the votes were split between two
      // that asked at the same moment, and each has taken its own back.
      if (errors.length > 0 && this.masters.length > 1) {
        await this.holders([name]);
        return null;
      }
    }
    throw new PollcastError('UNAVAILABLE', `the lease on ${name} was not answered in time`, undefined, {
      cause: errors[0],
    });
  }

  async renew(grant: Grant, leaseMs: number): Promise<Grant | null> {
    const [renewed] = await this.renewAll([grant], leaseMs);
    if (renewed === grant)
      throw new PollcastError('UNAVAILABLE', `the renewal of ${grant.name} was not answered in time`);
    return renewed ?? null;
  }

  /**
   * By a script of our own: when the package cannot extend, it unlocks, and so frees a name whose owner goes on
   * trusting its old deadline. A renewal that is not answered must leave the lock as it was, or longer.
   */
  async renewAll(grants: readonly Grant[], leaseMs: number): Promise<(Grant | null)[]> {
    if (grants.length === 0) return [];
    const asked = this.#asked();
    const keys = grants.map((grant) => this.keys.lease(grant.name));
    const args = [leaseMs, ...grants.map((grant) => grant.value)];
    const { answers } = await this.#everywhere<number[]>('extend-locks', keys, args);
    return grants.map((grant, i) => {
      const yes = answers.filter((answer) => answer[i] === 1).length;
      const no = answers.length - yes;
      if (yes >= this.#quorum && this.#leftMs(asked, leaseMs) > 0)
        return this.#grant(grant.name, grant.value, leaseMs, asked);
      // Neither a quorum for nor against: the old grant stands, with its old deadline.
      return no > this.masters.length - this.#quorum ? null : grant;
    });
  }

  async takeOver(name: string, from: LeaseValue, leaseMs: number): Promise<Grant | null> {
    const asked = this.#asked();
    const value = newLeaseValue(this.node);
    const key = this.keys.lease(name);
    const { answers, error } = await this.#ask<number>('take-over-lock', [key], [from, value, leaseMs]);
    const votes = answers.filter((answer) => answer === 1).length;
    if (votes >= this.#quorum && this.#leftMs(asked, leaseMs) > 0) return this.#grant(name, value, leaseMs, asked);
    // Not granted, but where it was not answered it may still be done: taken back behind it, on the same connections.
    const all = answers.length === this.masters.length;
    const undone = votes === 0 && all ? null : this.#ask('remove-lock', [key], [value]);
    if (all) await undone;
    if (votes + (this.masters.length - answers.length) >= this.#quorum) throw unavailable(error);
    return null;
  }

  release(grant: Grant): Promise<boolean> {
    return this.remove(grant.name, grant.value);
  }

  async remove(name: string, value: LeaseValue): Promise<boolean> {
    const { answers } = await this.#everywhere<number>('remove-lock', [this.keys.lease(name)], [value]);
    return answers.some((answer) => answer === 1);
  }

  /**
   * Each master mints while the lock is ours there. Over several masters the largest is then made known to a quorum,
   * so that the next owner, whose quorum shares a master with ours, mints above it.
   */
  async fence(grant: Grant): Promise<number | null> {
    const keys = [this.keys.lease(grant.name), this.keys.lastFence];
    const { answers, error } = await this.#everywhere<string | null>('fence', keys, [grant.value]);
    const minted = answers.filter((answer) => answer !== null).map(Number);
    if (minted.length < this.#quorum) {
      if (minted.length + (this.masters.length - answers.length) >= this.#quorum) throw unavailable(error);
      return null;
    }
    const fence = Math.max(...minted);
    if (this.masters.length > 1) {
      const raised = await this.#everywhere('raise-fence', [this.keys.lastFence], [fence]);
      if (raised.answers.length < this.#quorum) throw unavailable(raised.error);
    }
    return fence;
  }

  async holders(names: readonly string[]): Promise<(Holder | null)[]> {
    if (names.length === 0) return [];
    const keys = names.map((name) => this.keys.lease(name));
    const { answers, error } = await this.#everywhere<(string | number)[]>('lock-holders', keys, []);
    if (answers.length < this.#quorum) throw unavailable(error);
    return names.map((_, i) =>
      this.#agreed(answers.map((flat) => ({ value: String(flat[2 * i]), leftMs: Number(flat[2 * i + 1]) }))),
    );
  }

  async all(): Promise<(Holder & { name: string })[]> {
    const found = await Promise.allSettled(this.masters.map((master) => this.#names(master)));
    const names = new Set(found.flatMap((result) => (result.status === 'fulfilled' ? result.value : [])));
    const list = [...names];
    // With too few of them answering, this is what says so.
    const holders = await this.holders(list.length > 0 ? list : ['']);
    return list.flatMap((name, i) => {
      const holder = holders[i];
      return holder ? [{ ...holder, name }] : [];
    });
  }

  async #names({ client }: ScriptRunner): Promise<string[]> {
    const match = `${escapeGlob(this.keys.leasePrefix)}*`;
    // In a Redis Cluster all our keys lie in one slot: each master is asked, one of which has it.
    const nodes: Redis[] =
      'nodes' in client && typeof client.nodes === 'function' ? client.nodes('master') : [client as Redis];
    const names: string[] = [];
    for (const node of nodes) {
      let cursor = '0';
      do {
        const [next, keys] = await node.scan(cursor, 'MATCH', match, 'COUNT', 1_000);
        for (const key of keys) names.push(key.slice(this.keys.leasePrefix.length));
        cursor = next;
      } while (cursor !== '0');
    }
    return names;
  }

  /** The value that a quorum agrees on, with the least time that any of them gives it. */
  #agreed(votes: readonly { value: string; leftMs: number }[]): Holder | null {
    for (const { value } of votes) {
      if (value === '') continue;
      const same = votes.filter((vote) => vote.value === value);
      if (same.length >= this.#quorum) {
        return { value, node: leaseOwner(value), leftMs: Math.max(0, Math.min(...same.map((vote) => vote.leftMs))) };
      }
    }
    return null;
  }

  /**
   * The package reports errors only as events of the instance; so each call gets a view of it with ears of its own,
   * which also names this node in the lock's value.
   */
  #view(errors: unknown[]): Redlock {
    return Object.create(this.#redlock, {
      emit: { value: (_event: string, error: unknown) => errors.push(error) > 0 },
      _random: { value: () => newLeaseValue(this.node) },
    }) as Redlock;
  }

  #asked(): Asked {
    return { mono: this.clock.monotonic(), wall: this.clock.now() };
  }

  #leftMs(asked: Asked, leaseMs: number): number {
    const time = leaseMs - Math.round(leaseMs * DRIFT_FACTOR) - DRIFT_MS;
    return Math.min(asked.mono + time - this.clock.monotonic(), asked.wall + time - this.clock.now());
  }

  #grant(name: string, value: LeaseValue, leaseMs: number, asked: Asked): Grant {
    const time = leaseMs - Math.round(leaseMs * DRIFT_FACTOR) - DRIFT_MS;
    return { name, value, untilMono: asked.mono + time, untilWall: asked.wall + time };
  }

  /** Runs a script on every master; rejects only when none answers. */
  async #everywhere<T>(
    script: string,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<Answers<T>> {
    const result = await this.#ask<T>(script, keys, args);
    if (result.answers.length === 0) throw unavailable(result.error);
    return result;
  }

  async #ask<T>(script: string, keys: readonly string[], args: readonly (string | number)[]): Promise<Answers<T>> {
    const results = await Promise.allSettled(this.masters.map((master) => master.run(script, keys, args)));
    const answers: T[] = [];
    let error: unknown;
    for (const result of results) {
      if (result.status === 'fulfilled') answers.push(result.value as T);
      else error = result.reason;
    }
    return { answers, error };
  }
}

function escapeGlob(text: string): string {
  return text.replace(/[\\*?[\]]/g, '\\$&');
}
