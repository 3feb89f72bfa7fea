import { PollcastError } from '../../errors.js';
import { systemClock, type Clock } from '../clock.js';
import { newLeaseValue, leaseOwner, type NodeId } from '../identity.js';
import { silent, type Logger } from '../log.js';
import type { BusPort, Unsubscribe } from '../ports/bus.js';
import type { ClusterPorts } from '../ports/cluster.js';
import type { Grant, Holder, LeasePort, LeaseValue } from '../ports/lease.js';
import { MemoryStore, MemoryStorePort } from './store.js';

interface StoredLease {
  value: LeaseValue;
  until: number;
}

interface Listener {
  handle(message: string): void;
  /** Whether its node is within reach. */
  hears(): boolean;
}

/**
 * A cluster in one process's memory: what a single node without Redis runs on, what the simulation runs on, and the
 * reference that the conformance suite holds Redis to. Several nodes may connect; `cut` and `crash` are for tests.
 */
export class MemoryCluster {
  readonly leases = new Map<string, StoredLease>();
  readonly store: MemoryStore;
  readonly handlers = new Map<string, Set<Listener>>();
  readonly pulses = new Map<NodeId, number>();
  readonly links = new Set<MemoryPorts>();
  lastFence = 0;

  constructor(
    readonly clock: Clock = systemClock,
    readonly log: Logger = silent,
  ) {
    this.store = new MemoryStore(clock);
  }

  connect(node: NodeId, clock: Clock = this.clock): MemoryPorts {
    const ports = new MemoryPorts(this, node, clock);
    this.links.add(ports);
    return ports;
  }

  lease(name: string): StoredLease | null {
    const lease = this.leases.get(name);
    if (!lease) return null;
    if (lease.until > this.clock.now()) return lease;
    this.leases.delete(name);
    return null;
  }

  /** Forgets everything, as a Redis that restarts without its data does: only who is connected stays. */
  wipe(): void {
    this.leases.clear();
    this.store.wipe();
  }

  mintFence(): number {
    this.lastFence = Math.max(this.lastFence + 1, Math.floor(this.clock.now() * 1000));
    return this.lastFence;
  }
}

export class MemoryPorts implements ClusterPorts {
  readonly leases: LeasePort;
  readonly store: MemoryStorePort;
  readonly bus: MemoryBus;
  /** Test switch: while true nothing gets through, and every operation rejects. */
  #cut = false;

  constructor(
    readonly cluster: MemoryCluster,
    readonly node: NodeId,
    clock: Clock,
  ) {
    this.leases = new MemoryLeases(this, clock);
    this.store = new MemoryStorePort(cluster.store, () => this.reach());
    this.bus = new MemoryBus(this, clock, cluster.log);
  }

  get isCut(): boolean {
    return this.#cut;
  }

  cut(cut: boolean): void {
    this.#cut = cut;
    this.bus.linkChanged(!cut);
  }

  /** What a killed process leaves: its pulse is gone, its leases and records are not. */
  async crash(): Promise<void> {
    this.#cut = true;
    await this.bus.close();
  }

  /** One trip to the cluster. */
  async reach(): Promise<void> {
    await Promise.resolve();
    if (this.#cut) throw new PollcastError('UNAVAILABLE', 'the cluster does not answer');
  }

  async close(): Promise<void> {
    await this.bus.close();
    this.cluster.links.delete(this);
  }
}

const DRIFT = 0.01;

class MemoryLeases implements LeasePort {
  constructor(
    private readonly ports: MemoryPorts,
    private readonly clock: Clock,
  ) {}

  async acquire(name: string, leaseMs: number): Promise<Grant | null> {
    const asked = this.#asked();
    await this.ports.reach();
    if (this.ports.cluster.lease(name)) return null;
    return this.#grant(name, newLeaseValue(this.ports.node), leaseMs, asked);
  }

  async renew(grant: Grant, leaseMs: number): Promise<Grant | null> {
    const asked = this.#asked();
    await this.ports.reach();
    if (this.ports.cluster.lease(grant.name)?.value !== grant.value) return null;
    return this.#grant(grant.name, grant.value, leaseMs, asked);
  }

  renewAll(grants: readonly Grant[], leaseMs: number): Promise<(Grant | null)[]> {
    return Promise.all(grants.map((grant) => this.renew(grant, leaseMs)));
  }

  async takeOver(name: string, from: LeaseValue, leaseMs: number): Promise<Grant | null> {
    const asked = this.#asked();
    await this.ports.reach();
    const held = this.ports.cluster.lease(name);
    if (held?.value !== from) return null;
    return this.#grant(name, newLeaseValue(this.ports.node), leaseMs, asked);
  }

  release(grant: Grant): Promise<boolean> {
    return this.remove(grant.name, grant.value);
  }

  async remove(name: string, value: LeaseValue): Promise<boolean> {
    await this.ports.reach();
    if (this.ports.cluster.lease(name)?.value !== value) return false;
    return this.ports.cluster.leases.delete(name);
  }

  async fence(grant: Grant): Promise<number | null> {
    await this.ports.reach();
    if (this.ports.cluster.lease(grant.name)?.value !== grant.value) return null;
    return this.ports.cluster.mintFence();
  }

  async holders(names: readonly string[]): Promise<(Holder | null)[]> {
    await this.ports.reach();
    return names.map((name) => this.#holder(name));
  }

  async all(): Promise<(Holder & { name: string })[]> {
    await this.ports.reach();
    return [...this.ports.cluster.leases.keys()].flatMap((name) => {
      const holder = this.#holder(name);
      return holder ? [{ ...holder, name }] : [];
    });
  }

  #holder(name: string): Holder | null {
    const lease = this.ports.cluster.lease(name);
    if (!lease) return null;
    return { value: lease.value, node: leaseOwner(lease.value), leftMs: lease.until - this.ports.cluster.clock.now() };
  }

  #asked(): { mono: number; wall: number } {
    return { mono: this.clock.monotonic(), wall: this.clock.now() };
  }

  #grant(name: string, value: LeaseValue, leaseMs: number, asked: { mono: number; wall: number }): Grant | null {
    this.ports.cluster.leases.set(name, { value, until: this.ports.cluster.clock.now() + leaseMs });
    const time = leaseMs - leaseMs * DRIFT - 2;
    return { name, value, untilMono: asked.mono + time, untilWall: asked.wall + time };
  }
}

export class MemoryBus implements BusPort {
  readonly #own = new Map<string, Set<Listener>>();
  readonly #listeners = new Set<(up: boolean) => void>();
  #pulseSince: number | null = null;

  constructor(
    private readonly ports: MemoryPorts,
    private readonly clock: Clock,
    private readonly log: Logger,
  ) {}

  get up(): boolean {
    return !this.ports.isCut;
  }

  async publish(channel: string, message: string): Promise<number> {
    await this.ports.reach();
    const listeners = [...(this.ports.cluster.handlers.get(channel) ?? [])].filter((listener) => listener.hears());
    for (const listener of listeners) {
      queueMicrotask(() => {
        try {
          listener.handle(message);
        } catch (error) {
          this.log.error({ err: error, channel }, 'a subscriber threw');
        }
      });
    }
    return listeners.length;
  }

  async subscribe(channel: string, handle: (message: string) => void): Promise<Unsubscribe> {
    await this.ports.reach();
    const listener: Listener = { handle, hears: () => !this.ports.isCut };
    add(this.ports.cluster.handlers, channel, listener);
    add(this.#own, channel, listener);
    return () => {
      remove(this.ports.cluster.handlers, channel, listener);
      remove(this.#own, channel, listener);
      return Promise.resolve();
    };
  }

  onLink(listen: (up: boolean) => void): () => void {
    this.#listeners.add(listen);
    return () => this.#listeners.delete(listen);
  }

  linkChanged(up: boolean): void {
    this.#pulseSince = up && this.ports.cluster.pulses.has(this.ports.node) ? this.clock.monotonic() : null;
    for (const listen of this.#listeners) listen(up);
  }

  async holdPulse(id: NodeId): Promise<void> {
    await this.ports.reach();
    this.ports.cluster.pulses.set(id, 1);
    this.#pulseSince = this.clock.monotonic();
  }

  async pulses(ids: readonly NodeId[]): Promise<number[]> {
    await this.ports.reach();
    return ids.map((id) => this.ports.cluster.pulses.get(id) ?? 0);
  }

  pulseAgeMs(): number {
    return this.#pulseSince === null || this.ports.isCut ? 0 : this.clock.monotonic() - this.#pulseSince;
  }

  close(): Promise<void> {
    this.ports.cluster.pulses.delete(this.ports.node);
    this.#pulseSince = null;
    for (const [channel, handlers] of this.#own) {
      for (const handle of handlers) remove(this.ports.cluster.handlers, channel, handle);
    }
    this.#own.clear();
    return Promise.resolve();
  }
}

function add<T>(map: Map<string, Set<T>>, key: string, value: T): void {
  const set = map.get(key) ?? new Set<T>();
  map.set(key, set);
  set.add(value);
}

function remove<T>(map: Map<string, Set<T>>, key: string, value: T): void {
  const set = map.get(key);
  set?.delete(value);
  if (set?.size === 0) map.delete(key);
}
