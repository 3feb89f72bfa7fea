import { PollcastError } from '../errors.js';
import { systemClock, type Clock } from './clock.js';
import { Events, type KernelEvent, type KernelEvents } from './events.js';
import { nodeName, type NodeId } from './identity.js';
import type { ProcessKind } from './kind.js';
import { LeaseKeeper } from './lease.js';
import type { Logger } from './log.js';
import { Mailbox, type Address, type CallOptions } from './mailbox.js';
import { Monitor, type MonitorSettings } from './monitor.js';
import { candidates, Placement } from './placement.js';
import { notHere, type OwnedProcess } from './process.js';
import { Reconciler } from './reconciler.js';
import { Supervisor } from './supervisor.js';
import type { ClusterPorts } from './ports/cluster.js';
import type { LeaseValue } from './ports/lease.js';
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

/** What kernels ask each other. */
type KernelMessage =
  | { do: 'start'; name: string; kind: string }
  | { do: 'take'; name: string; kind: string; value: LeaseValue }
  | { do: 'stop'; name: string }
  | { do: 'move'; name: string; to: NodeId | null }
  | { do: 'holds'; names: string[] }
  | { do: 'merge'; name: string; state: unknown }
  | { do: 'look' };

const HANDOVERS_AT_ONCE = 32;

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
export class Kernel {
  readonly id: NodeId;
  readonly clock: Clock;
  readonly events: Events;
  readonly #ports: ClusterPorts;
  readonly #log: Logger;
  readonly #keeper: LeaseKeeper;
  readonly #supervisor: Supervisor;
  readonly #monitor: Monitor;
  readonly #mailbox: Mailbox;
  readonly #placement: Placement;
  readonly #reconciler: Reconciler;
  readonly #standing: ProcessSpec[] = [];
  readonly #startedAt: number;
  #state: NodeRecord['state'] = 'live';
  #draining: Promise<void> | null = null;
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
    const settings: MonitorSettings = {
      leaseMs,
      sweepMs: options.sweepMs ?? 50,
      confirmMs: options.confirmMs ?? 10,
      pulseGraceMs: options.pulseGraceMs ?? Math.min(2_000, leaseMs / 2),
    };
    this.#monitor = new Monitor(ports, this.clock, settings, this.events, log, {
      info: () => this.#info(),
      announcement: () => this.#announcement(),
      died: (node, death) => this.#reconciler.takeOverFrom(node, death),
      rejoined: (storeLost) => this.#rejoined(storeLost),
      reconcile: () => this.#reconciler.run(),
      seen: (nodes) => this.#seen(nodes),
    });
    this.#mailbox = new Mailbox(
      ports,
      { deliver: (at, message) => this.#deliver(at, message), locate: (name) => this.#locate(name) },
      this.clock,
      log,
    );
    this.#placement = new Placement(this.id, ports.store, this.#supervisor, this.#monitor, this.#mailbox, this.clock);
    this.#reconciler = new Reconciler(
      ports,
      this.#supervisor,
      this.#monitor,
      this.clock,
      log,
      {
        holdsChanged: (names) => this.#tellHoldsChanged(names),
        mergeInto: (owner, name, state) =>
          this.#mailbox.castNode(owner, { to: 'kernel' }, { do: 'merge', name, state } satisfies KernelMessage),
      },
    );
    this.events.on('node:down', ({ node }) => this.#mailbox.nodeDown(node));
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
    this.#supervisor.define(kind as unknown as ProcessKind);
  }

  on<E extends KernelEvent>(name: E, listener: (event: KernelEvents[E]) => void): () => void {
    return this.events.on(name, listener);
  }

  /** Joins the cluster. Rejects with `CONFLICT` when a living node has this name, `UNAVAILABLE` when the cluster does not answer. */
  async start(): Promise<void> {
    const { taken, era } = await this.#ports.store.announce(this.#announcement(), this.options.leaseMs);
    if (taken && !(await this.#replaceDead(taken))) {
      throw new PollcastError('CONFLICT', `a node named ${this.name} is alive already: give this one another NODE_NAME`);
    }
    this.#monitor.era = era;
    await this.#ports.bus.holdPulse(this.id);
    await this.#mailbox.open();
    await this.#monitor.start();
    this.#started = true;
    this.#broadcast({ do: 'look' });
    for (const spec of this.#standing) await this.#keepStanding(spec);
  }

  /** An incarnation of our name whose pulse is gone is dead, however young its last heartbeat. */
  async #replaceDead(id: NodeId): Promise<boolean> {
    const [pulse] = await this.#ports.bus.pulses([id]);
    if (pulse !== 0) return false;
    await this.#ports.store.bury(id);
    const { taken } = await this.#ports.store.announce(this.#announcement(), this.options.leaseMs);
    return taken === null;
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
   */
  async hold(spec: ProcessSpec, ref: string, detail = ''): Promise<void> {
    const record = await this.#ports.store.hold(spec, { node: this.id, ref, detail });
    await this.#placement.ensure(record);
    this.#tellHoldsChanged([spec.name]);
  }

  async unhold(name: string, ref: string): Promise<void> {
    if (await this.#ports.store.unhold(name, this.id, ref)) this.#tellHoldsChanged([name]);
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

  /** Ends a process for good, in spite of its holders. Rejects with `NOT_FOUND`. */
  async stop(name: string): Promise<void> {
    const record = await this.#existing(name);
    const owner = record.node;
    if (owner && this.#monitor.nodes.some((node) => node.id === owner)) {
      const stopped = await this.#mailbox.callNode(owner, { to: 'kernel' }, { do: 'stop', name } satisfies KernelMessage);
      if (stopped === true) return;
    }
    await this.#ports.store.retire(name, record.fence, true);
  }

  /** Hands a process to another node (default: the next in order). Rejects with `NOT_FOUND`, `UNAVAILABLE`. */
  async move(name: string, to?: NodeId): Promise<NodeId> {
    const record = await this.#existing(name);
    if (!record.node) throw new PollcastError('UNAVAILABLE', `${name} has no owner now; it is being placed`);
    const target = to ?? candidates(name, await this.#monitor.refresh(), record.kind).find((id) => id !== record.node);
    if (!target) throw new PollcastError('UNAVAILABLE', `no other node can take ${name}`);
    const moved = await this.#mailbox.callNode(record.node, { to: 'kernel' }, { do: 'move', name, to: target } satisfies KernelMessage);
    if (moved !== true) throw new PollcastError('UNAVAILABLE', `${nodeName(target)} did not take ${name}`);
    this.#mailbox.forgetOwner(name);
    return target;
  }

  /** Stops (or resumes) placing processes on a node, by name. Rejects with `NOT_FOUND`. */
  async cordon(name: string, cordoned = true): Promise<void> {
    const nodes = await this.#monitor.refresh();
    const node = nodes.find((candidate) => candidate.name === name || candidate.id === name);
    if (!node) throw new PollcastError('NOT_FOUND', `there is no node ${name}; there are ${nodes.map((n) => n.name).join(', ')}`);
    await this.#ports.store.setNodeState(node.id, cordoned ? 'cordoned' : 'live');
    this.#broadcast({ do: 'look' });
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
    this.#supervisor.closed = true;
    await this.#attempt('announce draining', () => this.#ports.store.setNodeState(this.id, 'draining'));
    this.#broadcast({ do: 'look' });
    await this.#supervisor.settle();
    const nodes = await this.#monitor.refresh().catch(() => this.#monitor.nodes);
    const processes = this.#supervisor.owned();
    let next = 0;
    const worker = async (): Promise<void> => {
      for (let process = processes[next++]; process; process = processes[next++]) {
        await this.#handOver(process, nodes);
      }
    };
    await Promise.all(Array.from({ length: HANDOVERS_AT_ONCE }, worker));
  }

  /** After `drain` and after the last hold was taken back: leaves the cluster. */
  async close(): Promise<void> {
    await this.drain();
    this.#monitor.close();
    this.#keeper.close();
    await this.#attempt('leave', () => this.#ports.store.bury(this.id));
    this.#broadcast({ do: 'look' });
    await this.#attempt('close mailbox', () => this.#mailbox.close());
    await this.#ports.close();
  }

  async #handOver(process: OwnedProcess, nodes: readonly NodeSighting[]): Promise<void> {
    const { name, kind } = process.record;
    const to = candidates(name, nodes, kind).find((id) => id !== this.id) ?? null;
    await this.#attempt(`hand over ${name}`, () => this.#supervisor.handOver(name, to, this.#offer));
  }

  readonly #offer = async (to: NodeId, name: string, kind: string, value: LeaseValue): Promise<boolean> =>
    (await this.#mailbox.callNode(to, { to: 'kernel' }, { do: 'take', name, kind, value } satisfies KernelMessage, 2_000)) === true;

  async #attempt(what: string, step: () => Promise<unknown>): Promise<void> {
    try {
      await step();
    } catch (error) {
      this.#log.warn({ err: error }, `could not ${what}`);
    }
  }

  async #existing(name: string): Promise<ProcessRecord> {
    const record = await this.#ports.store.process(name);
    if (!record) throw new PollcastError('NOT_FOUND', `there is no process ${name}`);
    return record;
  }

  async #locate(name: string): Promise<NodeId | null> {
    if (this.#supervisor.get(name)) return this.id;
    const record = await this.#ports.store.process(name);
    return record?.node ?? null;
  }

  #deliver(at: Address, message: unknown): Promise<unknown> {
    if (at.to === 'kernel') return this.#handle(message as KernelMessage);
    const process = this.#supervisor.get(at.name);
    return process ? process.deliver(message) : Promise.reject(notHere(at.name));
  }

  async #handle(message: KernelMessage): Promise<unknown> {
    switch (message.do) {
      case 'start':
        return this.#supervisor.start(message.name, message.kind, 'first');
      case 'take':
        this.#mailbox.forgetOwner(message.name);
        return (await this.#supervisor.start(message.name, message.kind, 'handover', message.value)) === 'here';
      case 'stop':
        return this.#supervisor.retire(message.name);
      case 'move':
        return this.#supervisor.handOver(message.name, message.to, this.#offer);
      case 'holds':
        for (const name of message.names) this.#supervisor.get(name)?.holdsChanged();
        return true;
      case 'look':
        await this.#monitor.refresh();
        return true;
      case 'merge':
        await this.#supervisor.get(message.name)?.merge(message.state);
        return true;
    }
  }

  #tellHoldsChanged(names: readonly string[]): void {
    for (const name of names) {
      const process = this.#supervisor.get(name);
      if (process) process.holdsChanged();
      else void this.#attempt('tell of holds', () => this.#tellOwner(name));
    }
  }

  async #tellOwner(name: string): Promise<void> {
    const owner = await this.#mailbox.locate(name);
    if (owner) this.#mailbox.castNode(owner, { to: 'kernel' }, { do: 'holds', names: [name] } satisfies KernelMessage);
  }

  #broadcast(message: KernelMessage): void {
    for (const node of this.#monitor.nodes) {
      if (node.id !== this.id) this.#mailbox.castNode(node.id, { to: 'kernel' }, message);
    }
  }

  async #rejoined(storeLost: boolean): Promise<void> {
    if (!storeLost) return;
    // The specs went with the store; what ran here is known here, and so it comes back from here.
    for (const process of this.#supervisor.owned()) await this.#ports.store.register(process.record);
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
