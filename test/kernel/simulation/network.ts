import { PollcastError } from '../../../src/errors.js';
import type { NodeId } from '../../../src/kernel/identity.js';
import { MemoryCluster } from '../../../src/kernel/memory/cluster.js';
import type { BusPort, Unsubscribe } from '../../../src/kernel/ports/bus.js';
import type { ClusterPorts } from '../../../src/kernel/ports/cluster.js';
import type { Grant, LeasePort } from '../../../src/kernel/ports/lease.js';
import type { StorePort } from '../../../src/kernel/ports/store.js';
import { type VirtualTime, type VirtualClock } from '../../support/virtual-clock.js';

const LOCK_TIMEOUT_MS = 300;
const COMMAND_TIMEOUT_MS = 1_500;

/** Numbers in [0, 1) that a seed determines (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

interface Listener {
  readonly ports: SimulatedPorts;
  handle(message: string): void;
}

/** What a server knows: one memory cluster, the channels and the pulses. Frozen, it takes requests but does nothing. */
export class SimulatedServer {
  readonly memory: MemoryCluster;
  readonly channels = new Map<string, Set<Listener>>();
  readonly pulses = new Set<NodeId>();
  readonly clock: VirtualClock;
  #frozen: (() => void)[] | null = null;

  constructor(
    readonly time: VirtualTime,
    readonly random: () => number,
  ) {
    this.clock = time.clock();
    this.memory = new MemoryCluster(this.clock);
  }

  /** Most messages are quick, some are not. */
  latency(): number {
    const chance = this.random();
    return chance < 0.02 ? 40 + this.random() * 80 : chance * 4;
  }

  execute(run: () => void): void {
    if (this.#frozen) this.#frozen.push(run);
    else run();
  }

  freeze(): void {
    this.#frozen ??= [];
  }

  thaw(): void {
    const waiting = this.#frozen ?? [];
    this.#frozen = null;
    for (const run of waiting) run();
  }
}

/** A connection: in order both ways, with delays; when it breaks, nobody knows what of the last requests was done. */
class Connection {
  #arrival = 0;
  #answer = 0;
  #generation = 0;
  readonly #open = new Set<() => void>();
  broken = false;

  constructor(
    private readonly server: SimulatedServer,
    private readonly clock: VirtualClock,
  ) {}

  break(broken: boolean): void {
    this.broken = broken;
    if (!broken) return;
    this.#generation += 1;
    for (const reject of [...this.#open]) reject();
  }

  call<T>(timeoutMs: number, run: () => Promise<T>): Promise<T> {
    const { server, clock } = this;
    const { time } = server;
    return new Promise((resolve, reject) => {
      const settle = (end: () => void): void => {
        if (!this.#open.delete(broke)) return;
        timer.cancel();
        end();
      };
      const fail = (): void => reject(new PollcastError('UNAVAILABLE', 'the server does not answer'));
      const broke = (): void => void clock.after(0, () => settle(fail));
      const timer = clock.after(timeoutMs, () => settle(fail));
      this.#open.add(broke);
      if (this.broken) return broke();
      const generation = this.#generation;
      this.#arrival = Math.max(time.elapsed + server.latency(), this.#arrival);
      server.clock.after(this.#arrival - time.elapsed, () => {
        // Broken on the way: it may have been in the server's hands already.
        if (generation !== this.#generation && server.random() < 0.5) return;
        server.execute(() => {
          const answer = (end: () => void): void => {
            if (generation !== this.#generation) return;
            this.#answer = Math.max(time.elapsed + server.latency(), this.#answer);
            clock.after(this.#answer - time.elapsed, () => settle(end));
          };
          run().then(
            (value) => answer(() => resolve(value)),
            (error: Error) => answer(() => reject(error)),
          );
        });
      });
    });
  }
}

/** One node's way to the server: locks, commands and what it listens to go over connections of their own, as in Redis. */
export class SimulatedPorts implements ClusterPorts {
  readonly leases: LeasePort;
  readonly store: StorePort;
  readonly bus: SimulatedBus;
  readonly #locks: Connection;
  readonly #commands: Connection;

  constructor(
    readonly server: SimulatedServer,
    readonly node: NodeId,
    readonly clock: VirtualClock,
  ) {
    this.#locks = new Connection(server, clock);
    this.#commands = new Connection(server, clock);
    const memory = server.memory.connect(node, clock);
    this.store = remote(memory.store, (run) => this.#commands.call(COMMAND_TIMEOUT_MS, run));
    this.leases = this.#timed(remote(memory.leases, (run) => this.#locks.call(LOCK_TIMEOUT_MS, run)));
    this.bus = new SimulatedBus(this, (run) => this.#commands.call(COMMAND_TIMEOUT_MS, run));
  }

  /** Cuts it off. `pulse`: whether the server notices that its pulse is gone. */
  cut(cut: boolean, pulse: boolean): void {
    this.#locks.break(cut);
    this.#commands.break(cut);
    this.bus.link(!cut);
    if (cut && pulse) this.bus.dropPulse();
    if (!cut) this.bus.restorePulse();
  }

  /** Runs at the server, as a script would. */
  command<T>(run: () => Promise<T>): Promise<T> {
    return this.#commands.call(COMMAND_TIMEOUT_MS, run);
  }

  async close(): Promise<void> {
    await this.bus.close();
  }

  /** Deadlines count from before a request is sent; what comes back without any time left is refused. */
  #timed(port: LeasePort): LeasePort {
    const { clock } = this;
    const timed = async <G extends Grant | null>(leaseMs: number, ask: () => Promise<G[]>): Promise<G[]> => {
      const [mono, wall] = [clock.monotonic(), clock.now()];
      const grants = await ask();
      return grants.map((grant) => {
        if (!grant) return grant;
        const time = leaseMs - leaseMs * 0.01 - 2;
        const exact = { ...grant, untilMono: mono + time, untilWall: wall + time };
        if (clock.monotonic() < exact.untilMono && clock.now() < exact.untilWall) return exact;
        throw new PollcastError('UNAVAILABLE', 'the lease was not answered in time');
      });
    };
    const single = async (leaseMs: number, ask: () => Promise<Grant | null>): Promise<Grant | null> =>
      (await timed(leaseMs, async () => [await ask()]))[0] ?? null;
    return {
      acquire: (name, leaseMs) => single(leaseMs, () => port.acquire(name, leaseMs)),
      renew: (grant, leaseMs) => single(leaseMs, () => port.renew(grant, leaseMs)),
      renewAll: (grants, leaseMs) => timed(leaseMs, () => port.renewAll(grants, leaseMs)),
      takeOver: (name, from, leaseMs) => single(leaseMs, () => port.takeOver(name, from, leaseMs)),
      release: (grant) => port.release(grant),
      remove: (name, value) => port.remove(name, value),
      fence: (grant) => port.fence(grant),
      holders: (names) => port.holders(names),
      all: () => port.all(),
    };
  }
}

/** A port whose every method is a request to the server. */
function remote<P extends object>(port: P, call: <T>(run: () => Promise<T>) => Promise<T>): P {
  return new Proxy(port, {
    get(target, key) {
      const method: unknown = Reflect.get(target, key);
      if (typeof method !== 'function') return method;
      return (...args: unknown[]) => call(() => Reflect.apply(method, target, args) as Promise<unknown>);
    },
  });
}

export class SimulatedBus implements BusPort {
  readonly #links = new Set<(up: boolean) => void>();
  #delivery = 0;
  #up = true;
  #pulse: NodeId | null = null;
  #pulseSince: number | null = null;

  constructor(
    private readonly ports: SimulatedPorts,
    private readonly call: <T>(run: () => Promise<T>) => Promise<T>,
  ) {}

  get up(): boolean {
    return this.#up;
  }

  publish(channel: string, message: string): Promise<number> {
    const { server } = this.ports;
    return this.call(async () => {
      const listeners = [...(server.channels.get(channel) ?? [])].filter((listener) => listener.ports.bus.up);
      for (const listener of listeners) listener.ports.bus.deliver(listener, message);
      return listeners.length;
    });
  }

  /** In order; lost when the link breaks before it is there. */
  deliver(listener: Listener, message: string): void {
    const { server, clock } = this.ports;
    this.#delivery = Math.max(server.time.elapsed + server.latency(), this.#delivery);
    clock.after(this.#delivery - server.time.elapsed, () => {
      if (this.#up) listener.handle(message);
    });
  }

  subscribe(channel: string, handle: (message: string) => void): Promise<Unsubscribe> {
    const { channels } = this.ports.server;
    return this.call(async () => {
      const listener = { ports: this.ports, handle };
      const listeners = channels.get(channel) ?? new Set();
      channels.set(channel, listeners.add(listener));
      return async () => void listeners.delete(listener);
    });
  }

  onLink(listen: (up: boolean) => void): () => void {
    this.#links.add(listen);
    return () => this.#links.delete(listen);
  }

  link(up: boolean): void {
    if (up === this.#up) return;
    this.#up = up;
    this.ports.clock.after(0, () => {
      for (const listen of this.#links) listen(up);
    });
  }

  holdPulse(id: NodeId): Promise<void> {
    return this.call(async () => {
      this.#pulse = id;
      this.restorePulse();
    });
  }

  dropPulse(): void {
    if (this.#pulse) this.ports.server.pulses.delete(this.#pulse);
    this.#pulseSince = null;
  }

  restorePulse(): void {
    if (!this.#pulse || this.#pulseSince !== null) return;
    this.ports.server.pulses.add(this.#pulse);
    this.#pulseSince = this.ports.clock.monotonic();
  }

  pulses(ids: readonly NodeId[]): Promise<number[]> {
    return this.call(async () => ids.map((id) => (this.ports.server.pulses.has(id) ? 1 : 0)));
  }

  pulseAgeMs(): number {
    return this.#pulseSince === null || !this.#up ? 0 : this.ports.clock.monotonic() - this.#pulseSince;
  }

  async close(): Promise<void> {
    this.dropPulse();
    this.#pulse = null;
    for (const listeners of this.ports.server.channels.values()) {
      for (const listener of listeners) if (listener.ports === this.ports) listeners.delete(listener);
    }
  }
}
