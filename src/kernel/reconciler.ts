import { sleep, type Clock } from './clock.js';
import type { NodeId } from './identity.js';
import type { Death } from './liveness.js';
import type { Logger } from './log.js';
import type { Monitor } from './monitor.js';
import { candidates } from './placement.js';
import type { Supervisor } from './supervisor.js';
import type { ClusterPorts } from './ports/cluster.js';
import type { Holder } from './ports/lease.js';
import type { NodeSighting, ProcessRecord } from './ports/store.js';

/** How long the second in order waits before it does what the first should have done. */
const STAGGER_MS = 60;
const AT_ONCE = 64;

/**
 * Brings what runs in line with what should run: at once when a node has died, and in a regular pass that heals
 * whatever an event missed. Every step is safe to be done by several nodes: the lease decides.
 */
export class Reconciler {
  /** Names whose owner lives but whose lease was missing in the last pass: once may be a moment between two owners. */
  #leaseless = new Set<string>();

  constructor(
    private readonly ports: ClusterPorts,
    private readonly supervisor: Supervisor,
    private readonly monitor: Monitor,
    private readonly clock: Clock,
    private readonly log: Logger,
    private readonly hooks: {
      holdsChanged(names: readonly string[]): void;
      /** Gives the owner with the higher fence what the one with the lower knew. */
      mergeInto(owner: NodeId, name: string, state: unknown): void;
    },
  ) {}

  /** Takes over what a dead node owned, and removes its holds. */
  async takeOverFrom(dead: NodeSighting, death: Death): Promise<void> {
    this.log.warn({ node: dead.name, evidence: death.evidence }, 'a node is dead');
    const buried = this.#bury(dead.id);
    const records = (await this.ports.store.processes()).filter((record) => record.node === dead.id);
    const holders = await this.ports.leases.holders(records.map((record) => record.name));
    await each(records, (record, i) => this.#inTurn(record, holders[i] ?? null, death.by === 'pulse'));
    await buried;
  }

  async #bury(id: NodeId): Promise<void> {
    const names = await this.ports.store.bury(id);
    if (names && names.length > 0) this.hooks.holdsChanged(names);
  }

  /**
   * The first in rendezvous order acts at once, the next ones only if it is still undone after their turn has come.
   * `seize`: the holder is surely gone, so its grant is replaced; else its time is waited for, because a hanging
   * owner that wakes up believes in its lease until then.
   */
  async #inTurn(record: ProcessRecord, holder: Holder | null, seize: boolean): Promise<void> {
    const order = candidates(record.name, this.#living(record.node), record.kind);
    const rank = order.indexOf(this.ports.node);
    if (rank < 0) return;
    if (rank > 0) {
      await sleep(this.clock, rank * STAGGER_MS);
      const now = await this.ports.store.process(record.name);
      if (!now || now.node !== record.node || now.fence !== record.fence) return;
      holder = (await this.ports.leases.holders([record.name]))[0] ?? null;
    }
    if (holder && holder.node !== record.node) return;
    if (holder && !seize) await sleep(this.clock, holder.leftMs + 1);
    const from = holder && seize ? holder.value : undefined;
    await this.supervisor.start(record.name, record.kind, record.fence > 0 ? 'takeover' : 'first', from);
  }

  /** Those that may take a name; its last owner too, when that is this node. */
  #living(owner: NodeId | null): NodeSighting[] {
    return this.monitor.nodes.filter(
      (node) => (node.id !== owner || owner === this.ports.node) && !this.monitor.isSuspect(node.id),
    );
  }

  /** One pass over everything. */
  async run(): Promise<void> {
    const records = await this.ports.store.processes();
    const byName = new Map(records.map((record) => [record.name, record]));
    for (const process of this.supervisor.owned()) {
      const record = byName.get(process.name);
      if (!record) {
        // Read again: it may have been registered after the list was made.
        if (!(await this.ports.store.process(process.name))) await this.supervisor.drop(process.name, 'retired');
      } else if (record.fence > process.fence && record.node && record.node !== this.ports.node) {
        const state = await this.supervisor.yieldTo(process.name, record.fence);
        if (state !== undefined) this.hooks.mergeInto(record.node, record.name, state);
      }
    }
    const strange = records.filter((r) => !this.supervisor.get(r.name) && !this.supervisor.isStarting(r.name));
    const holders = await this.ports.leases.holders(strange.map((record) => record.name));
    const living = new Set((await this.monitor.refresh()).map((node) => node.id));
    const leaseless = new Set<string>();
    await each(strange, async (record, i) => {
      const holder = holders[i] ?? null;
      // What is ours by the record but does not run here was lost here: there is nobody to wait for.
      const ownerLives = record.node !== null && record.node !== this.ports.node && living.has(record.node);
      if (holder && living.has(holder.node)) return;
      if (!holder && ownerLives && !this.#leaseless.has(record.name)) {
        leaseless.add(record.name);
        return;
      }
      await this.#inTurn(holder ? { ...record, node: holder.node } : record, holder, true);
    });
    this.#leaseless = leaseless;
    await this.#buryUnknown(living);
  }

  /** Holds of nodes that nobody knows: what a burial that was cut short left behind. */
  async #buryUnknown(living: ReadonlySet<NodeId>): Promise<void> {
    for (const node of await this.ports.store.holders()) {
      if (living.has(node)) continue;
      const nodes = await this.monitor.refresh();
      if (!nodes.some((other) => other.id === node)) await this.#bury(node);
    }
  }
}

async function each<T>(items: readonly T[], step: (item: T, index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let i = next++; i < items.length; i = next++) await step(items[i] as T, i);
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, worker));
}
