import { setMaxListeners } from 'node:events';
import { sleep, type Clock, type Timer } from './clock.js';
import type { NodeId } from './identity.js';
import type { LeaseKeeper } from './lease.js';
import type { Death } from './liveness.js';
import type { Logger } from './log.js';
import type { Monitor } from './monitor.js';
import { candidates } from './placement.js';
import type { OwnedProcess } from './process.js';
import type { Supervisor } from './supervisor.js';
import type { ClusterPorts } from './ports/cluster.js';
import type { Holder } from './ports/lease.js';
import type { NodeSighting, ProcessRecord } from './ports/store.js';

/** How long the second in order waits before it does what the first should have done. */
const STAGGER_MS = 60;
/** How long whoever registers a process may take to start it. */
const NEWBORN_MS = 250;
const AT_ONCE = 64;

/** A name that nobody alive seems to run, as it was read at `readAt` (monotonic). */
interface Vacancy {
  readonly record: ProcessRecord;
  readonly holder: Holder | null;
  readonly seize: boolean;
  readonly readAt: number;
}

/**
 * Brings what runs in line with what should run: at once when a node has died, and in a regular pass that heals
 * whatever an event missed. Every step is safe to be done by several nodes: the lease decides.
 */
export class Reconciler {
  /** Names that had no lease in the last pass, and since when (monotonic) they have had none. */
  #vacant: ReadonlyMap<string, number> = new Map();
  #again: Timer | null = null;
  readonly #closing = new AbortController();

  constructor(
    private readonly ports: ClusterPorts,
    private readonly supervisor: Supervisor,
    private readonly keeper: LeaseKeeper,
    private readonly monitor: Monitor,
    private readonly clock: Clock,
    private readonly leaseMs: number,
    private readonly log: Logger,
    private readonly hooks: {
      holdsChanged(names: readonly string[]): void;
      /** Gives the owner with the higher fence what the one with the lower knew. */
      mergeInto(owner: NodeId, name: string, state: unknown): void;
      /** A grant was replaced under a node that was taken for dead: should it live, it must stop at once. */
      seized(name: string, from: NodeId): void;
    },
  ) {
    // As many wait as a dead node had processes: no leak that Node would have to warn of.
    setMaxListeners(0, this.#closing.signal);
  }

  /** Removes a dead node and its holds, and tells the owners of what it held. */
  async bury(id: NodeId): Promise<void> {
    const names = await this.ports.store.bury(id);
    if (names && names.length > 0) this.hooks.holdsChanged(names);
  }

  /** Takes over what a dead node owned. */
  async takeOverFrom(dead: NodeSighting, death: Death): Promise<void> {
    this.log.warn({ node: dead.name, evidence: death.evidence }, 'a node is dead');
    const readAt = this.clock.monotonic();
    const records = (await this.ports.store.processes()).filter((record) => record.node === dead.id);
    const holders = await this.ports.leases.holders(records.map((record) => record.name));
    const seize = death.by === 'pulse';
    await this.#inTurn(records.map((record, i) => ({ record, holder: holders[i] ?? null, seize, readAt })));
  }

  /** Starts here what is ours to start: the first in rendezvous order at once, the next ones in their turns. */
  async #inTurn(vacancies: readonly Vacancy[]): Promise<void> {
    const turns = vacancies
      .map((vacancy) => ({ vacancy, rank: this.#rank(vacancy.record) }))
      .filter(({ rank }) => rank >= 0)
      .sort((a, b) => a.rank - b.rank);
    await each(turns, async ({ vacancy, rank }) => {
      try {
        await this.#fill(vacancy, rank);
      } catch (error) {
        // One of many: the others are not to wait for it. The next pass finds it again.
        this.log.debug({ err: error, name: vacancy.record.name }, 'not started yet');
      }
    });
  }

  #rank(record: ProcessRecord): number {
    return candidates(record.name, this.#living(record.node), record.kind).indexOf(this.ports.node);
  }

  /**
   * `seize`: the holder is surely gone, so its grant is replaced; else its time is waited for, because a hanging
   * owner that wakes up believes in its lease until then. All waits count from when it was read, not from each other.
   */
  async #fill({ record, holder, seize, readAt }: Vacancy, rank: number): Promise<void> {
    if (rank > 0) {
      const before = holder?.value;
      await this.#until(readAt + rank * STAGGER_MS);
      const now = await this.ports.store.process(record.name);
      if (!now || now.node !== record.node || now.fence !== record.fence) return;
      readAt = this.clock.monotonic();
      holder = (await this.ports.leases.holders([record.name]))[0] ?? null;
      // Another grant than the one that was to be replaced: somebody, its last owner perhaps, was quicker.
      if (holder && holder.value !== before) return;
    }
    if (holder && holder.node !== record.node) return;
    if (holder && !seize) await this.#until(readAt + holder.leftMs + 1);
    // Read long ago, for this node was paused: whoever was gone may be back.
    else if (this.clock.monotonic() - readAt > this.leaseMs / 3) return;
    if (this.#closing.signal.aborted) return;
    const from = holder && seize ? holder.value : undefined;
    const result = await this.supervisor.start(record.name, record.kind, record.fence > 0 ? 'takeover' : 'first', from);
    if (result === 'here' && from && record.node) this.hooks.seized(record.name, record.node);
  }

  #until(mono: number): Promise<void> {
    const ms = mono - this.clock.monotonic();
    return ms > 0 ? sleep(this.clock, ms, this.#closing.signal) : Promise.resolve();
  }

  /** Those that may take a name; its last owner too, when that is this node. */
  #living(owner: NodeId | null): NodeSighting[] {
    return this.monitor.nodes.filter(
      (node) => (node.id !== owner || owner === this.ports.node) && !this.monitor.isSuspect(node.id),
    );
  }

  /** One pass over everything. */
  async run(): Promise<void> {
    const { membership } = this.monitor;
    const readAt = this.clock.monotonic();
    // Before anything is read: what is lost from now on may be lost because of what is not seen below.
    const lost = [...this.supervisor.lost.keys()];
    const records = await this.ports.store.processes();
    const byName = new Map(records.map((record) => [record.name, record]));
    const owned = this.supervisor.owned();
    const missing: OwnedProcess[] = [];
    for (const process of owned) {
      // Read again: it may have been registered after the list was made.
      if (!byName.has(process.name) && !(await this.ports.store.process(process.name))) missing.push(process);
    }
    const living = new Set((await this.monitor.refresh()).map((node) => node.id));
    // A store that does not know this node has buried it, or lost its data: what it lacks is not what was ended.
    // Rejoining writes it again, and another pass follows.
    if (!living.has(this.ports.node) || membership === null || membership !== this.monitor.membership) return;
    for (const process of missing) await this.supervisor.drop(process.name, 'retired');
    for (const name of lost) this.supervisor.forget(name);
    for (const process of owned) await this.#compare(process, byName.get(process.name));
    await this.#fillVacancies(records, living, readAt);
    await this.#buryUnknown(living);
  }

  /** Looks whether one of our own has been overtaken, because somebody says so. */
  async check(name: string): Promise<void> {
    const process = this.supervisor.get(name);
    if (process) await this.#compare(process, (await this.ports.store.process(name)) ?? undefined);
  }

  /** Holds one of our own against its record. */
  async #compare(process: OwnedProcess, record: ProcessRecord | undefined): Promise<void> {
    if (!record || process.ending) return;
    if (record.fence > process.fence) {
      const state = await this.supervisor.yieldTo(process.name, record.fence);
      if (state !== undefined && record.node) this.hooks.mergeInto(record.node, record.name, state);
    } else if (!process.lease.alive()) return;
    else if (record.node !== this.ports.node) await process.claimAgain();
    else if (record.state !== process.state) await process.reportAgain();
  }

  async #fillVacancies(records: readonly ProcessRecord[], living: ReadonlySet<NodeId>, readAt: number): Promise<void> {
    const strange = records.filter((r) => !this.supervisor.get(r.name) && !this.supervisor.isStarting(r.name));
    const holders = await this.ports.leases.holders(strange.map((record) => record.name));
    const gone = await this.#gone(holders, living);
    const vacant = new Map<string, number>();
    let again = Infinity;
    const vacancies = strange.flatMap((record, i): Vacancy[] => {
      const holder = holders[i] ?? null;
      if (!holder) {
        const since = this.#vacant.get(record.name) ?? readAt;
        vacant.set(record.name, since);
        const patience = this.#patience(record, living);
        if (readAt - since >= patience) return [{ record, holder, seize: true, readAt }];
        again = Math.min(again, patience);
        return [];
      }
      // Our own grant under which nothing runs: given up here when in doubt, and still standing there.
      const stale = holder.node === this.ports.node && !this.keeper.keeps(record.name);
      if (stale || gone.has(holder.node))
        return [{ record: { ...record, node: holder.node }, holder, seize: true, readAt }];
      // Taken for dead but not ended: it hangs, and may wake up before its lease is over.
      if (!living.has(holder.node)) again = Math.min(again, holder.leftMs + 1);
      return [];
    });
    this.#vacant = vacant;
    this.#lookAgainIn(again);
    await this.#inTurn(vacancies);
  }

  #lookAgainIn(ms: number): void {
    this.#again?.cancel();
    if (ms < this.leaseMs && !this.#closing.signal.aborted) {
      this.#again = this.clock.after(ms, () => this.monitor.reconcileSoon());
    }
  }

  /** Ends what waits for its turn. */
  close(): void {
    this.#closing.abort();
    this.#again?.cancel();
  }

  /** How long a name without a lease is left alone, for it may be just a moment between two steps of somebody's. */
  #patience({ node, fence }: ProcessRecord, living: ReadonlySet<NodeId>): number {
    // Registered, and about to be started by whoever registered it.
    if (node === null) return fence === 0 ? NEWBORN_MS : 0;
    // What is ours by the record but does not run here was lost here: there is nobody to wait for.
    return node !== this.ports.node && living.has(node) ? this.leaseMs / 2 : 0;
  }

  /** Those of the holders that are not in the cluster and have no pulse. */
  async #gone(holders: readonly (Holder | null)[], living: ReadonlySet<NodeId>): Promise<Set<NodeId>> {
    const strangers = [
      ...new Set(holders.flatMap((holder) => (holder && !living.has(holder.node) ? [holder.node] : []))),
    ];
    const counts = await this.ports.bus.pulses(strangers);
    return new Set(strangers.filter((_, i) => counts[i] === 0));
  }

  /** Holds of nodes that nobody knows: what a burial that was cut short left behind. */
  async #buryUnknown(living: ReadonlySet<NodeId>): Promise<void> {
    for (const node of await this.ports.store.holders()) {
      if (living.has(node)) continue;
      const nodes = await this.monitor.refresh();
      if (!nodes.some((other) => other.id === node)) await this.bury(node);
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
