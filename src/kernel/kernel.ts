import { PollcastError } from '../errors.js';
import { sleep, systemClock, type Clock } from './clock.js';
import { Commands, type ClusterCommands } from './commands.js';
import { Departure } from './departure.js';
import { Events, type KernelEvent, type KernelEvents } from './events.js';
import { nodeName, type NodeId } from './identity.js';
import type { ProcessKind } from './kind.js';
import { LeaseKeeper } from './lease.js';
import type { Logger } from './log.js';
import type { CallOptions, Mailbox } from './mailbox.js';
import { Monitor, type MonitorSettings } from './monitor.js';
import { Placement } from './placement.js';
import { Peers } from './peers.js';
import type { OwnedProcess } from './process.js';
import { Reconciler } from './reconciler.js';
import { Supervisor } from './supervisor.js';
import type { ClusterPorts } from './ports/cluster.js';
import type { Hold, NodeRecord, NodeSighting, ProcessRecord, ProcessSpec } from './ports/store.js';

export interface KernelOptions {
  readonly ports: ClusterPorts;
  readonly version: string;
  readonly log: Logger;
  readonly leaseMs: number;
  readonly clock?: Clock;
  /** In [0, 1); for jitter. */
  readonly random?: () => number;
  /** How often pulses are counted and how soon a zero is confirmed, in ms. */
  readonly sweepMs?: number;
  readonly confirmMs?: number;
  readonly pulseGraceMs?: number;
  /** What this node tells about itself with each heartbeat, beside its count of processes. */
  readonly info?: () => Record<string, number>;
}

/**
 * A node of named, supervised, cluster-wide processes: what Erlang/OTP's `global`, supervisors and monitors give
 * (https://www.erlang.org/doc/apps/kernel/global.html), on a store, leases and a bus.
 *
 *     const kernel = new Kernel({ ports, version, log, leaseMs });
 *     kernel.define(counterKind);
 *     await kernel.start();
 *     await kernel.ensure({ name: 'counter:1', kind: 'counter', args: {} });
 *     await kernel.call('counter:1', { add: 1 });
 *     await kernel.drain();
 */
export class Kernel implements ClusterCommands {
  readonly id: NodeId;
  readonly clock: Clock;
  readonly events: Events;
  readonly #ports: ClusterPorts;
  readonly #log: Logger;
  readonly #keeper: LeaseKeeper;
  readonly #supervisor: Supervisor;
  readonly #monitor: Monitor;
  readonly #peers: Peers;
  readonly #mailbox: Mailbox;
  readonly #placement: Placement;
  readonly #reconciler: Reconciler;
  readonly #departure: Departure;
  readonly #commands: Commands;
  readonly #standing: ProcessSpec[] = [];
  readonly #startedAt: number;
  #state: NodeRecord['state'] = 'live';
  readonly #settings: MonitorSettings;
  #draining: Promise<void> | null = null;
  #closing: Promise<void> | null = null;
  #started = false;

  constructor(private readonly options: KernelOptions) {
    const { ports, log, leaseMs } = options;
    this.id = ports.node;
    this.clock = options.clock ?? systemClock;
    this.#startedAt = this.clock.now();
    this.#ports = ports;
    this.#log = log;
    this.events = new Events(log);
    this.#keeper = new LeaseKeeper(ports.leases, this.clock, leaseMs, log);
    const random = options.random ?? Math.random;
    this.#supervisor = new Supervisor(ports, this.#keeper, this.clock, this.events, log, random);
    this.#settings = {
      leaseMs,
      sweepMs: options.sweepMs ?? 25,
      confirmMs: options.confirmMs ?? 10,
      pulseGraceMs: options.pulseGraceMs ?? Math.min(2_000, leaseMs / 2),
    };
    this.#monitor = new Monitor(ports, this.clock, this.#settings, this.events, log, {
      info: () => this.#info(),
      announcement: () => this.#announcement(),
      bury: (node) => this.#reconciler.bury(node.id),
      takeOver: (node, death) => this.#reconciler.takeOverFrom(node, death),
      rejoined: (storeLost) => this.#rejoined(storeLost),
      reconcile: () => this.#reconciler.run(),
      seen: (nodes) => this.#seen(nodes),
    });
    this.#peers = new Peers(ports, this.#supervisor, this.#monitor, this.clock, log, (name) =>
      this.#reconciler.check(name),
    );
    this.#mailbox = this.#peers.mailbox;
    this.#placement = new Placement(this.id, ports.store, this.#supervisor, this.#monitor, this.#mailbox, this.clock);
    this.#reconciler = new Reconciler(ports, this.#supervisor, this.#keeper, this.#monitor, this.clock, leaseMs, log, {
      holdsChanged: (names) => void this.#peers.tellHoldsChanged(names),
      mergeInto: (owner, name, state) => this.#peers.tell(owner, { do: 'merge', name, state }),
      seized: (name, from) => this.#peers.tell(from, { do: 'check', name }),
    });
    const { offer, prepare } = this.#peers;
    this.#departure = new Departure(this.id, this.#supervisor, this.#monitor, offer, prepare, log);
    this.#commands = new Commands({
      store: ports.store,
      leases: ports.leases,
      clock: this.clock,
      nodes: () => this.#monitor.refresh(),
      ask: (node, message) => this.#peers.ask(node, message),
      look: () => this.#peers.broadcast({ do: 'look' }),
    });
    ports.bus.onLink((up) => {
      // What was said of their holds meanwhile was lost.
      if (up) for (const process of this.#supervisor.owned()) process.holdsChanged();
    });
    this.events.on('node:down', ({ node }) => this.#mailbox.nodeDown(node));
    this.events.on('process:started', ({ name }) => this.#mailbox.forgetOwner(name));
    this.events.on('process:stopped', ({ reason }) => {
      // The spec still stands: whoever may have it next, it is not left to the next regular pass.
      if (reason === 'lease-lost') this.#monitor.reconcileSoon();
    });
  }

  get name(): string {
    return nodeName(this.id);
  }

  /** Whether the cluster answers. */
  get up(): boolean {
    return this.#monitor.up;
  }

  get state(): NodeRecord['state'] {
    return this.#state;
  }

  /** Teaches this node a kind of process. Before `start`. */
  define<A, M, R, S>(kind: ProcessKind<A, M, R, S>): void {
    this.#supervisor.define(kind);
  }

  on<E extends KernelEvent>(name: E, listener: (event: KernelEvents[E]) => void): () => void {
    return this.events.on(name, listener);
  }

  /**
   * Joins the cluster. Rejects with `CONFLICT` when a living node has this name, `UNAVAILABLE` when the cluster does not
   * answer; `close` frees what is open then.
   */
  async start(): Promise<void> {
    // Pulse and inbox first: one that is announced without a pulse is dead in the eyes of the others.
    await this.#ports.bus.holdPulse(this.id);
    await this.#mailbox.open();
    const unheld = await this.#announce();
    await this.#monitor.start();
    this.#started = true;
    this.#peers.broadcast({ do: 'look' });
    void this.#peers.tellHoldsChanged(unheld);
    for (const spec of this.#standing) await this.#keepStanding(spec);
  }

  /** Returns the names that dead incarnations of ours had held. */
  async #announce(): Promise<string[]> {
    const unheld: string[] = [];
    for (;;) {
      const { taken, era } = await this.#ports.store.announce(this.#announcement(), this.options.leaseMs);
      this.#monitor.era = era;
      if (!taken) return unheld;
      if (!(await this.#isDead(taken))) {
        throw new PollcastError(
          'CONFLICT',
          `a node named ${this.name} is alive already: give this one another NODE_NAME`,
        );
      }
      unheld.push(...((await this.#ports.store.bury(taken)) ?? []));
    }
  }

  /** However young its last heartbeat: without a pulse, twice, it has ended. */
  async #isDead(id: NodeId): Promise<boolean> {
    const [first] = await this.#ports.bus.pulses([id]);
    if (first !== 0) return false;
    await sleep(this.clock, this.#settings.confirmMs);
    const [second] = await this.#ports.bus.pulses([id]);
    return second === 0;
  }

  /** Makes sure that a process runs somewhere. Resolves once somebody owns it. */
  async ensure(spec: ProcessSpec): Promise<void> {
    await this.#placement.ensure(await this.#ports.store.register(spec));
  }

  /** A process that is to exist as long as the cluster does: ensured now, and whenever it is missing. */
  async stand(spec: ProcessSpec): Promise<void> {
    this.#standing.push(spec);
    if (this.#started) await this.#keepStanding(spec);
  }

  async #keepStanding(spec: ProcessSpec): Promise<void> {
    try {
      await this.ensure(spec);
    } catch (error) {
      this.#log.warn({ err: error, name: spec.name }, 'not started yet; the next reconcile tries again');
    }
  }

  /**
   * Says that this node needs a process (`ref`: what for), and makes sure that it runs. The process lives at least as
   * long as the hold; a dead node's holds are removed by the survivors. Its owner is told by `holdsChanged`.
   * `wanted`: asked while nobody can be found to run it, so that what is not needed any more is not waited for.
   */
  async hold(spec: ProcessSpec, ref: string, detail = '', wanted?: () => boolean): Promise<void> {
    const record = await this.#writeHold(spec, { node: this.id, ref, detail });
    if (record.node) this.#mailbox.learnOwner(spec.name, record.node);
    await this.#placement.ensure(record, wanted);
    void this.#peers.tellHoldsChanged([spec.name]);
  }

  async #writeHold(spec: ProcessSpec, hold: Hold): Promise<ProcessRecord> {
    try {
      return await this.#ports.store.hold(spec, hold);
    } catch (error) {
      if (!(error instanceof PollcastError) || error.code !== 'CONFLICT' || this.#closing) throw error;
      // Others took this node for dead: it joins again now, not at its next heartbeat.
      await this.#monitor.confirm();
      return this.#ports.store.hold(spec, hold);
    }
  }

  async unhold(name: string, ref: string): Promise<void> {
    if (await this.#ports.store.unhold(name, this.id, ref)) void this.#peers.tellHoldsChanged([name]);
  }

  holds(name: string): Promise<Hold[]> {
    return this.#ports.store.holds(name);
  }

  /** Calls a process by name, on whichever node it is: see `Mailbox`. */
  call<R = unknown>(name: string, message: unknown, options?: CallOptions): Promise<R> {
    return this.#mailbox.call(name, message, options) as Promise<R>;
  }

  async cast(name: string, message: unknown): Promise<void> {
    await this.#mailbox.cast(name, message);
  }

  /** See `ClusterCommands`, as the next three. */
  stop(name: string): Promise<void> {
    return this.#commands.stop(name);
  }

  stopUnlessHeld(name: string): Promise<boolean> {
    return this.#commands.stopUnlessHeld(name);
  }

  async move(name: string, to?: NodeId): Promise<NodeId> {
    const target = await this.#commands.move(name, to);
    this.#mailbox.learnOwner(name, target);
    return target;
  }

  async cordon(name: string, cordoned = true): Promise<void> {
    await this.#commands.cordon(name, cordoned);
    await this.#monitor.refresh();
  }

  nodes(): readonly NodeSighting[] {
    return this.#monitor.nodes;
  }

  isSuspect(node: NodeId): boolean {
    return this.#monitor.isSuspect(node);
  }

  processes(): Promise<ProcessRecord[]> {
    return this.#ports.store.processes();
  }

  /** The processes that this node owns. */
  owned(): OwnedProcess[] {
    return this.#supervisor.owned();
  }

  /** Leaves in order: takes no more work, hands every process to its next node, then leaves. Idempotent. */
  drain(): Promise<void> {
    this.#draining ??= this.#drain();
    return this.#draining;
  }

  async #drain(): Promise<void> {
    this.#state = 'draining';
    const reachable = await this.#attempt('announce draining', async () => {
      // Not there: buried, or forgotten with everything else, which must be written again before it can be handed over.
      if (!(await this.#ports.store.setNodeState(this.id, 'draining'))) await this.#monitor.confirm();
    });
    this.#peers.broadcast({ do: 'look' });
    await this.#departure.run(reachable);
  }

  /** After `drain` and after the last hold was taken back: leaves the cluster. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.drain();
    this.#monitor.close();
    this.#reconciler.close();
    this.#keeper.close();
    const left = await this.#attempt('leave', async () =>
      this.#peers.tellHoldsChanged((await this.#ports.store.bury(this.id)) ?? []),
    );
    if (left) this.#peers.broadcast({ do: 'look' });
    await this.#attempt('close mailbox', () => this.#mailbox.close());
    await this.#ports.close();
  }

  /** Whether it worked. */
  async #attempt(what: string, step: () => Promise<unknown>): Promise<boolean> {
    try {
      await step();
      return true;
    } catch (error) {
      this.#log.warn({ err: error }, `could not ${what}`);
      return false;
    }
  }

  async #rejoined(storeLost: boolean): Promise<void> {
    if (!storeLost) return;
    // The specs went with the store; what ran here is known here, and so it comes back from here. The leases went too,
    // unless other masters keep them: what has lost its own stops before anybody can learn of it and start it.
    const owned = this.#supervisor.owned();
    const holders = await this.#ports.leases.holders(owned.map((process) => process.name));
    for (const [i, process] of owned.entries()) {
      const stands = holders[i]?.value === process.lease.grant.value;
      if (!stands) void process.stop('lease-lost');
      await this.#ports.store.register(process.record);
      if (stands && !process.ending) await process.claimAgain();
    }
    for (const spec of this.#supervisor.lost.values()) await this.#ports.store.register(spec);
    for (const spec of this.#standing) await this.#ports.store.register(spec);
  }

  /** An operator may have changed our state from elsewhere. */
  #seen(nodes: readonly NodeSighting[]): void {
    const own = nodes.find((node) => node.id === this.id);
    if (own && !this.#draining) this.#state = own.state;
  }

  #info(): Record<string, number> {
    return { ...this.options.info?.(), processes: this.#supervisor.owned().length };
  }

  #announcement(): NodeRecord {
    return {
      id: this.id,
      name: this.name,
      version: this.options.version,
      startedAt: this.#startedAt,
      state: this.#state,
      kinds: this.#supervisor.kinds,
      info: this.#info(),
    };
  }
}
