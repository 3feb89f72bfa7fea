import type { Clock, Timer } from './clock.js';
import type { Logger } from './log.js';
import type { Grant, LeasePort, LeaseValue } from './ports/lease.js';

/** A lease that this node holds. `alive` is the only truth about it, and only at the moment it is asked. */
export interface Lease {
  readonly name: string;
  readonly grant: Grant;
  /** Synchronous: past either clock's deadline, or once given up, it is not ours. */
  alive(): boolean;
  leftMs(): number;
}

class HeldLease implements Lease {
  grant: Grant;
  renewedMono: number;
  renewing = false;
  over = false;
  /** A successor may replace the grant at any moment: finding it replaced is no loss. */
  leaving = false;

  constructor(
    grant: Grant,
    leaseMs: number,
    private readonly clock: Clock,
    readonly onLost: (certain: boolean) => void,
  ) {
    this.grant = grant;
    // From before the request was sent, as the deadline is: the answer may have taken long.
    this.renewedMono = grant.untilMono - leaseMs;
  }

  get name(): string {
    return this.grant.name;
  }

  alive(): boolean {
    return !this.over && this.clock.monotonic() < this.grant.untilMono && this.clock.now() < this.grant.untilWall;
  }

  leftMs(): number {
    if (this.over) return 0;
    return Math.max(
      0,
      Math.min(this.grant.untilMono - this.clock.monotonic(), this.grant.untilWall - this.clock.now()),
    );
  }
}

/** How many leases one renewal asks for. */
const RENEW_BATCH = 500;
const TICKS_PER_LEASE = 24;

/**
 * Keeps all of a node's leases: renews each at a third of its time and gives it up at two thirds.
 *
 * When in doubt it is given up: a renewal that is not answered may or may not have happened, and the last third
 * of the time is what the owner has to fall silent in before anybody else may start.
 */
export class LeaseKeeper {
  readonly #held = new Map<string, HeldLease>();
  #timer: Timer | null = null;
  #closed = false;

  constructor(
    private readonly port: LeasePort,
    private readonly clock: Clock,
    readonly leaseMs: number,
    private readonly log: Logger,
  ) {}

  /** Whether a lease on this name is kept here, be it that its process has stopped and waits for its successor. */
  keeps(name: string): boolean {
    return this.#held.has(name);
  }

  get size(): number {
    return this.#held.size;
  }

  /** `null`: held elsewhere. Rejects with `UNAVAILABLE` when it cannot be known. */
  async acquire(name: string, onLost: (certain: boolean) => void): Promise<Lease | null> {
    return this.#keep(await this.port.acquire(name, this.leaseMs), onLost);
  }

  /** As `acquire`, in place of the very grant of a dead or leaving owner. */
  async takeOver(name: string, from: LeaseValue, onLost: (certain: boolean) => void): Promise<Lease | null> {
    return this.#keep(await this.port.takeOver(name, from, this.leaseMs), onLost);
  }

  fence(lease: Lease): Promise<number | null> {
    return this.port.fence(lease.grant);
  }

  /** It is being offered to a successor. Renewed all the same, so that the name is not free until it is taken. */
  leave(lease: Lease): void {
    (lease as HeldLease).leaving = true;
  }

  /** Stops renewing without telling the cluster: the grant now belongs to a successor. */
  forget(lease: Lease): void {
    (lease as HeldLease).over = true;
    if (this.#held.get(lease.name) === lease) this.#held.delete(lease.name);
  }

  /** Lets go. A lease that cannot be released ends by itself within its time. */
  async release(lease: Lease): Promise<void> {
    this.forget(lease);
    try {
      await this.port.release(lease.grant);
    } catch (error) {
      this.log.debug({ err: error, name: lease.name }, 'lease not released; it expires by itself');
    }
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#timer = null;
  }

  #keep(grant: Grant | null, onLost: (certain: boolean) => void): Lease | null {
    if (!grant) return null;
    const lease = new HeldLease(grant, this.leaseMs, this.clock, onLost);
    this.#held.set(grant.name, lease);
    this.#schedule();
    return lease;
  }

  #schedule(): void {
    if (this.#timer || this.#closed || this.#held.size === 0) return;
    this.#timer = this.clock.after(this.leaseMs / TICKS_PER_LEASE, () => {
      this.#timer = null;
      this.#tick();
      this.#schedule();
    });
  }

  #tick(): void {
    const now = this.clock.monotonic();
    const due: HeldLease[] = [];
    for (const lease of [...this.#held.values()]) {
      const age = now - lease.renewedMono;
      if (!lease.alive() || age >= (this.leaseMs * 2) / 3) this.#lose(lease, false);
      else if (!lease.renewing && age >= this.leaseMs / 3) due.push(lease);
    }
    for (let at = 0; at < due.length; at += RENEW_BATCH) void this.#renew(due.slice(at, at + RENEW_BATCH));
  }

  async #renew(batch: readonly HeldLease[]): Promise<void> {
    for (const lease of batch) lease.renewing = true;
    try {
      const grants = await this.port.renewAll(
        batch.map((lease) => lease.grant),
        this.leaseMs,
      );
      batch.forEach((lease, i) => {
        const grant = grants[i] ?? null;
        if (lease.over) return;
        if (!grant) return this.#lose(lease, true);
        lease.grant = grant;
        // Not `now`: a grant that was left as it was has its old deadline.
        lease.renewedMono = grant.untilMono - this.leaseMs;
      });
    } catch (error) {
      // Not an answer: the next tick asks again, and two thirds of the time end it.
      this.log.debug({ err: error, leases: batch.length }, 'renewal not answered');
    } finally {
      for (const lease of batch) lease.renewing = false;
    }
  }

  #lose(lease: HeldLease, certain: boolean): void {
    this.forget(lease);
    if (!lease.leaving) lease.onLost(certain);
  }
}
