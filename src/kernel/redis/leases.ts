import Redlock, { Lock, LockError } from 'redlock';
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

/**
 * Leases by Redlock (the `redlock` package, 4.2.0: the one that refuses a lock whose time ran out while Redis was
 * frozen), on one Redis or on a quorum of independent ones. What the package does not have is done beside it by
 * scripts on the same keys and values: fences, taking over, and extending thousands at once.
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

  acquire(name: string, leaseMs: number): Promise<Grant | null> {
    return this.#lock(name, leaseMs, (redlock) => redlock.lock(this.keys.lease(name), leaseMs));
  }

  renew(grant: Grant, leaseMs: number): Promise<Grant | null> {
    return this.#lock(grant.name, leaseMs, (redlock) => redlock.extend(this.#asLock(redlock, grant), leaseMs));
  }

  async renewAll(grants: readonly Grant[], leaseMs: number): Promise<(Grant | null)[]> {
    const [only] = grants;
    if (grants.length === 1 && only) return [await this.renew(only, leaseMs)];
    const asked = this.#asked();
    const keys = grants.map((grant) => this.keys.lease(grant.name));
    const args = [leaseMs, ...grants.map((grant) => grant.value)];
    const { answers } = await this.#everywhere<number[]>('extend-locks', keys, args);
    return grants.map((grant, i) => {
      const yes = answers.filter((answer) => answer[i] === 1).length;
      const no = answers.length - yes;
      if (yes >= this.#quorum && this.#leftMs(asked, leaseMs) > 0) return this.#grant(grant.name, grant.value, leaseMs, asked);
      // Neither a quorum for nor against: the old grant stands, with its old deadline.
      return no > this.masters.length - this.#quorum ? null : grant;
    });
  }

  async takeOver(name: string, from: LeaseValue, leaseMs: number): Promise<Grant | null> {
    const asked = this.#asked();
    const value = newLeaseValue(this.node);
    const key = this.keys.lease(name);
    const { answers, error } = await this.#everywhere<number>('take-over-lock', [key], [from, value, leaseMs]);
    const votes = answers.filter((answer) => answer === 1).length;
    if (votes >= this.#quorum && this.#leftMs(asked, leaseMs) > 0) return this.#grant(name, value, leaseMs, asked);
    if (votes > 0) await this.#everywhere('remove-lock', [key], [value]);
    if (votes + (this.masters.length - answers.length) >= this.#quorum) throw unavailable(error);
    return null;
  }

  release(grant: Grant): Promise<boolean> {
    return this.remove(grant.name, grant.value);
  }

  async remove(name: string, value: LeaseValue): Promise<boolean> {
    const { answers, error } = await this.#everywhere<number>('remove-lock', [this.keys.lease(name)], [value]);
    if (answers.length === 0) throw unavailable(error);
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
    return names.map((_, i) => this.#agreed(answers.map((flat) => ({ value: String(flat[2 * i]), leftMs: Number(flat[2 * i + 1]) }))));
  }

  async all(): Promise<(Holder & { name: string })[]> {
    const names = new Set<string>();
    for (const master of this.masters) {
      const pattern = `${escapeGlob(this.keys.leasePrefix)}*`;
      // In a Redis Cluster all our keys lie in one slot; `nodes` asks each master, one of which has it.
      const clients = 'nodes' in master.client && typeof master.client.nodes === 'function' ? master.client.nodes('master') : [master.client as Redis];
      for (const client of clients) {
        for await (const keys of client.scanStream({ match: pattern, count: 1_000 }) as AsyncIterable<string[]>) {
          for (const key of keys) names.add(key.slice(this.keys.leasePrefix.length));
        }
      }
    }
    const list = [...names];
    const holders = await this.holders(list);
    return list.flatMap((name, i) => {
      const holder = holders[i];
      return holder ? [{ ...holder, name }] : [];
    });
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
   * One call of the package, told apart: a refusal by servers that all answered is certain; one with errors, or after
   * the time has run out, is not. The package reports errors only as events of the instance, so each call gets a view
   * of it with ears of its own, which also names this node in the lock's value.
   */
  async #lock(name: string, leaseMs: number, call: (redlock: Redlock) => PromiseLike<Lock>): Promise<Grant | null> {
    const asked = this.#asked();
    const errors: unknown[] = [];
    const redlock = Object.create(this.#redlock, {
      emit: { value: (_event: string, error: unknown) => errors.push(error) > 0 },
      _random: { value: () => newLeaseValue(this.node) },
    }) as Redlock;
    try {
      const lock = await call(redlock);
      if (this.#leftMs(asked, leaseMs) > 0) return this.#grant(name, lock.value, leaseMs, asked);
    } catch (error) {
      if (!(error instanceof LockError)) throw unavailable(error);
      if (errors.length === 0 && this.#leftMs(asked, leaseMs) > 0) return null;
    }
    throw new PollcastError('UNAVAILABLE', `the lease on ${name} was not answered in time`, undefined, { cause: errors[0] });
  }

  #asLock(redlock: Redlock, grant: Grant): Lock {
    return new Lock(redlock, [this.keys.lease(grant.name)], grant.value, grant.untilWall, 0, 0);
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
  async #everywhere<T>(script: string, keys: readonly string[], args: readonly (string | number)[]): Promise<{ answers: T[]; error: unknown }> {
    const results = await Promise.allSettled(this.masters.map((master) => master.run(script, keys, args)));
    const answers: T[] = [];
    let error: unknown;
    for (const result of results) {
      if (result.status === 'fulfilled') answers.push(result.value as T);
      else error = result.reason;
    }
    if (answers.length === 0) throw unavailable(error);
    return { answers, error };
  }
}

function escapeGlob(text: string): string {
  return text.replace(/[\\*?[\]]/g, '\\$&');
}
