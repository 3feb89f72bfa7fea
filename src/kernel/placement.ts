import { PollcastError } from '../errors.js';
import { sleep, type Clock } from './clock.js';
import type { NodeId } from './identity.js';
import type { ProcessKind } from './kind.js';
import type { Mailbox } from './mailbox.js';
import type { Monitor } from './monitor.js';
import { rendezvous } from './rendezvous.js';
import type { StartResult, Supervisor } from './supervisor.js';
import type { NodeSighting, ProcessRecord, StorePort } from './ports/store.js';

/** Nodes that may run a process of `kind`, in the order in which they should: the same on every node. */
export function candidates(name: string, nodes: readonly NodeSighting[], kind: string): NodeId[] {
  return rendezvous(
    name,
    nodes.filter((node) => node.state === 'live' && node.kinds.includes(kind)).map((node) => node.id),
  );
}

/** Nodes other than `self` to which a process may be handed over, best first. */
export function successors(
  record: ProcessRecord,
  nodes: readonly NodeSighting[],
  self: NodeId,
  definition: ProcessKind | undefined,
): NodeId[] {
  const able = nodes.filter((node) => node.state === 'live' && node.kinds.includes(record.kind) && node.id !== self);
  return [...(definition?.place?.(able, self, record) ?? candidates(record.name, able, record.kind))];
}

const RETRY_MS = 15;
const GIVE_UP_MS = 5_000;

/** Finds a node for a process that has none. */
export class Placement {
  constructor(
    private readonly self: NodeId,
    private readonly store: StorePort,
    private readonly supervisor: Supervisor,
    private readonly monitor: Monitor,
    private readonly mailbox: Mailbox,
    private readonly clock: Clock,
  ) {}

  /**
   * Resolves once somebody owns the process. Two nodes that come at once: one gets the lease, the other finds the owner
   * in the record, or the name still held by one that is just retiring, and looks again. As soon as it is not `wanted`
   * any more it is let be.
   */
  async ensure(first: ProcessRecord, wanted: () => boolean = () => true): Promise<void> {
    const deadline = this.clock.monotonic() + GIVE_UP_MS;
    for (let record: ProcessRecord | null = first; ; record = await this.store.process(first.name)) {
      if (!record) record = await this.store.register(first);
      if (record.node && (await this.#known(record.name, record.node))) return;
      let result: string;
      try {
        result = await this.#place(record);
        if (result === 'here') return;
      } catch (error) {
        // A lease that was not answered in time may be answered the next time. That the cluster is gone as a whole is
        // told by the next look at the record, at once.
        if (!(error instanceof PollcastError) || error.code !== 'UNAVAILABLE') throw error;
        result = error.message;
      }
      if (this.clock.monotonic() >= deadline) {
        throw new PollcastError('UNAVAILABLE', `no node could start ${first.name}: ${result}`);
      }
      await sleep(this.clock, RETRY_MS);
      if (!wanted()) return;
    }
  }

  /** An owner that is not among the nodes is dead: then its lease decides. */
  async #known(name: string, node: NodeId): Promise<boolean> {
    if (node !== this.self) return this.monitor.knows(node);
    // One that is just ending here is nobody's any more: it has to be started anew.
    return this.supervisor.get(name)?.ending === null;
  }

  async #place(record: ProcessRecord): Promise<StartResult> {
    const definition = this.supervisor.kind(record.kind);
    const able = this.monitor.nodes.filter((node) => node.state === 'live' && node.kinds.includes(record.kind));
    const order = definition?.place
      ? definition.place(able, this.self, record)
      : [this.self, ...candidates(record.name, this.monitor.nodes, record.kind).filter((id) => id !== this.self)];
    let last: StartResult = 'refused';
    for (const node of order) {
      last = await this.#startOn(node, record);
      if (last !== 'refused') return last;
    }
    return last;
  }

  async #startOn(node: NodeId, record: ProcessRecord): Promise<StartResult> {
    const origin = record.fence > 0 ? 'takeover' : 'first';
    if (node === this.self) {
      const own = this.monitor.nodes.find((other) => other.id === node);
      if (own && own.state !== 'live') return 'refused';
      return this.supervisor.start(record.name, record.kind, origin);
    }
    try {
      const message = { do: 'start', name: record.name, kind: record.kind, origin };
      return (await this.mailbox.callNode(node, { to: 'kernel' }, message, 2_000)) as StartResult;
    } catch {
      // It may be dying: the next in order is asked.
      return 'refused';
    }
  }
}
