import type { KernelEvent, KernelEvents } from '../../src/kernel/events.js';
import { newNodeId, type NodeId } from '../../src/kernel/identity.js';
import { Kernel, type KernelOptions } from '../../src/kernel/kernel.js';
import type { ProcessContext, ProcessKind, Running, StopReason } from '../../src/kernel/kind.js';
import { silent, type Logger } from '../../src/kernel/log.js';
import { MemoryCluster, type MemoryPorts } from '../../src/kernel/memory/cluster.js';
import { VirtualTime, type VirtualClock } from '../support/virtual-clock.js';

export const LEASE_MS = 3_000;

/** One incarnation of a process, as it was seen from outside. */
export interface Incarnation {
  readonly name: string;
  readonly node: NodeId;
  readonly fence: number;
  readonly origin: ProcessContext<unknown>['origin'];
  readonly saved: unknown;
  readonly context: ProcessContext<unknown>;
  readonly messages: unknown[];
  readonly merged: unknown[];
  holdsChanged: number;
  stopped: StopReason | null;
}

export interface VirtualNode {
  readonly id: NodeId;
  readonly kernel: Kernel;
  readonly ports: MemoryPorts;
  readonly clock: VirtualClock;
  readonly events: { name: KernelEvent; event: KernelEvents[KernelEvent] }[];
}

/** Kernels in one process, on virtual time, over one memory cluster; what their processes live through is written down. */
export class VirtualCluster {
  readonly time = new VirtualTime();
  readonly shared = new MemoryCluster(this.time.clock());
  readonly nodes: VirtualNode[] = [];
  readonly incarnations: Incarnation[] = [];

  constructor(
    readonly log: Logger = silent,
    readonly random: () => number = () => 0.5,
  ) {}

  /** A node that knows `kinds` (default: `counter`), in the cluster already. */
  async node(
    name: string,
    kinds: readonly ProcessKind[] = [this.counter()],
    options: Partial<KernelOptions> = {},
  ): Promise<VirtualNode> {
    const node = this.make(name, kinds, options);
    await this.within(node.kernel.start());
    return node;
  }

  make(
    name: string,
    kinds: readonly ProcessKind[] = [this.counter()],
    options: Partial<KernelOptions> = {},
  ): VirtualNode {
    const id = newNodeId(name);
    const clock = this.time.clock();
    const ports = this.shared.connect(id, clock);
    const kernel = new Kernel({
      ports,
      version: '1',
      log: this.log,
      leaseMs: LEASE_MS,
      clock,
      random: this.random,
      ...options,
    });
    for (const kind of kinds) kernel.define(kind);
    const events: VirtualNode['events'] = [];
    kernel.events.onAny((event, details) => events.push({ name: event, event: details }));
    const node = { id, kernel, ports, clock, events };
    this.nodes.push(node);
    return node;
  }

  /** Remembers every message, and answers with how many there were; `more` changes what it does. */
  counter(
    kind = 'counter',
    more: Partial<ProcessKind> & { running?: (self: Incarnation) => Partial<Running> } = {},
  ): ProcessKind {
    const { running, ...rest } = more;
    return {
      kind,
      start: (_args, context) => {
        const self = this.born(context);
        return {
          handle: (message) => self.messages.push(message),
          holdsChanged: () => void (self.holdsChanged += 1),
          snapshot: () => self.messages.length,
          merge: (lower) => void self.merged.push(lower),
          stop: (reason) => void (self.stopped = reason),
          ...running?.(self),
        };
      },
      ...rest,
    };
  }

  born(context: ProcessContext<unknown>): Incarnation {
    const { name, node, fence, origin, saved } = context;
    const self: Incarnation = {
      name,
      node,
      fence,
      origin,
      saved,
      context,
      messages: [],
      merged: [],
      holdsChanged: 0,
      stopped: null,
    };
    this.incarnations.push(self);
    return self;
  }

  /** Incarnations of a name that have not been stopped. */
  running(name: string): Incarnation[] {
    return this.incarnations.filter((one) => one.name === name && one.stopped === null);
  }

  /** The only one that runs. @throws Error when there is none, or several */
  only(name: string): Incarnation {
    const [one, ...others] = this.running(name);
    if (!one || others.length > 0) throw new Error(`${others.length + (one ? 1 : 0)} of ${name} are running`);
    return one;
  }

  /** Kills a node: its timers never fire again, its pulse is gone, its leases and records stay. */
  async kill(node: VirtualNode): Promise<void> {
    node.clock.paused = true;
    await node.ports.crash();
    // Nothing of it runs any more, so nothing of it is running.
    for (const one of this.incarnations) if (one.node === node.id) one.stopped ??= 'crash';
  }

  /** Lets time pass until a promise has settled. */
  async within<T>(promise: Promise<T>, deadlineMs = 60_000): Promise<T> {
    let settled = false;
    const done = promise.finally(() => (settled = true));
    done.catch(() => undefined);
    await this.time.until(() => settled, 'a promise to settle', deadlineMs);
    return done;
  }

  async close(): Promise<void> {
    for (const node of this.nodes) if (!node.clock.paused) await this.within(node.kernel.close());
    const dead = this.nodes.filter((node) => node.clock.paused).length;
    if (dead === 0 && this.time.pending > 0) throw new Error(`${this.time.pending} timers outlive their kernels`);
  }
}
