import { sleep, type Clock } from './clock.js';
import type { Events } from './events.js';
import type { NodeId } from './identity.js';
import type { ProcessContext, ProcessKind, StopReason } from './kind.js';
import type { Lease, LeaseKeeper } from './lease.js';
import type { Logger } from './log.js';
import { OwnedProcess, type ProcessHost } from './process.js';
import type { LeaseValue } from './ports/lease.js';
import type { ClusterPorts } from './ports/cluster.js';
import type { ProcessSpec } from './ports/store.js';

/** What came of an attempt to run a name here. */
export type StartResult =
  /** It runs here. */
  | 'here'
  /** Somebody else holds its lease. */
  | 'held'
  /** There is no such spec any more. */
  | 'gone'
  /** This node must not take it: it drains, does not know the kind, or has no room for it. */
  | 'refused';

/** Asks a node to replace a leaving owner's grant by its own. */
export type Offer = (to: NodeId, name: string, kind: string, value: LeaseValue) => Promise<boolean>;

/** Asks a node to make ready for what it is about to be offered. */
export type Prepare = (to: NodeId, name: string, kind: string) => Promise<boolean>;

type Origin = ProcessContext<unknown>['origin'];

/** The processes that this node owns: started, restarted, handed over and stopped here and nowhere else. */
export class Supervisor {
  readonly #kinds = new Map<string, ProcessKind>();
  readonly #owned = new Map<string, OwnedProcess>();
  readonly #starting = new Map<string, Promise<StartResult>>();
  /** Of those that have been admitted and are not owned yet. */
  readonly #startingKinds = new Map<string, string>();
  /**
   * What ran here and was lost, or is on its way to another node, until it is seen again in the store: when the store has
   * lost its data, the leases go with it, and nobody else knows what there was.
   */
  readonly #lost = new Map<string, ProcessSpec>();
  readonly #host: ProcessHost;
  /** Set when the node drains: it starts nothing more. */
  closed = false;

  constructor(
    private readonly ports: ClusterPorts,
    private readonly keeper: LeaseKeeper,
    private readonly clock: Clock,
    private readonly events: Events,
    private readonly log: Logger,
    random: () => number,
  ) {
    this.#host = {
      node: ports.node,
      clock,
      store: ports.store,
      keeper,
      events,
      log,
      random,
      onGone: (process, reason) => {
        if (this.#owned.get(process.name) === process) this.#owned.delete(process.name);
        if (reason === 'lease-lost' || reason === 'handover') this.#lost.set(process.name, process.record);
      },
    };
  }

  define(kind: ProcessKind): void {
    if (this.#kinds.has(kind.kind)) throw new Error(`kind ${kind.kind} is defined twice`);
    this.#kinds.set(kind.kind, kind);
  }

  kind(name: string): ProcessKind | undefined {
    return this.#kinds.get(name);
  }

  get kinds(): string[] {
    return [...this.#kinds.keys()];
  }

  owned(): OwnedProcess[] {
    return [...this.#owned.values()];
  }

  isStarting(name: string): boolean {
    return this.#starting.has(name);
  }

  get(name: string): OwnedProcess | undefined {
    return this.#owned.get(name);
  }

  /** Specs that were lost here; `forget` once they are known to be in the store, or to be ended. */
  get lost(): ReadonlyMap<string, ProcessSpec> {
    return this.#lost;
  }

  forget(name: string): void {
    this.#lost.delete(name);
  }

  /**
   * Runs a registered name here if its lease can be had; `from` is the very grant to replace: of a dead or leaving
   * owner, or one of this node's own that nothing stands behind. Callers that come at the same time share one attempt.
   * Rejects with `UNAVAILABLE` when the cluster does not answer.
   */
  async start(name: string, kind: string, origin: Origin, from?: LeaseValue): Promise<StartResult> {
    for (;;) {
      const underWay = this.#starting.get(name);
      if (underWay) {
        const result = await underWay;
        // That attempt did not know of the grant which this one may replace.
        if (result !== 'held' || from === undefined) return result;
        continue;
      }
      const ending = this.#owned.get(name)?.ending;
      if (ending === undefined) break;
      if (ending === null) return 'here';
      await ending;
    }
    const attempt = this.#start(name, kind, origin, from).finally(() => {
      this.#starting.delete(name);
      this.#startingKinds.delete(name);
    });
    this.#starting.set(name, attempt);
    return attempt;
  }

  /** Whether this node would take one more of a kind. */
  admits(name: string, definition: ProcessKind): boolean {
    const { kind } = definition;
    if (!definition.admit) return true;
    const running = this.owned().filter((process) => process.record.kind === kind).length;
    const starting = [...this.#startingKinds].filter(([other, its]) => its === kind && other !== name).length;
    return definition.admit(name, running + starting);
  }

  /** Makes ready to take what another node is about to hand over. */
  async prepare(name: string, kind: string): Promise<boolean> {
    const definition = this.#kinds.get(kind);
    if (!definition?.prepare || this.closed || !this.admits(name, definition)) return false;
    const record = await this.ports.store.process(name);
    return record !== null && !this.closed && definition.prepare(record);
  }

  async #start(name: string, kind: string, origin: Origin, from?: LeaseValue): Promise<StartResult> {
    const definition = this.#kinds.get(kind);
    if (!definition || this.closed || !this.admits(name, definition)) return 'refused';
    this.#startingKinds.set(name, kind);
    // Lost between the grant and the process's birth: nothing runs yet, so `alive()` below is enough.
    let process: OwnedProcess | null = null;
    const onLost = (certain: boolean): void => {
      if (!process) return;
      this.events.emit('lease:lost', { name, certain });
      void process.stop('lease-lost');
    };
    const lease = from ? await this.keeper.takeOver(name, from, onLost) : await this.keeper.acquire(name, onLost);
    if (!lease) return 'held';
    let claimed: number | null = null;
    try {
      const fence = await this.keeper.fence(lease);
      // Hung since the grant, it may be another's: a record must not name an owner without a lease, however briefly.
      if (fence === null || !lease.alive()) return await this.#abandon(lease, 'held');
      claimed = fence;
      const record = await this.ports.store.claim(name, this.ports.node, fence);
      if (!record) return await this.#abandon(lease, 'gone');
      const saved = await this.ports.store.load(name);
      if (!lease.alive()) return await this.#abandon(lease, 'held', claimed);
      if (this.closed) return await this.#abandon(lease, 'refused', claimed);
      process = new OwnedProcess(this.#host, definition, record, lease);
      this.#owned.set(name, process);
      this.#startingKinds.delete(name);
      this.#lost.delete(name);
      void process.launch(saved === null ? null : JSON.parse(saved), origin);
      return 'here';
    } catch (error) {
      await this.#abandon(lease, 'held', claimed);
      throw error;
    }
  }

  /** Undoes a start, `claimed` included: a record that names us says that it runs here, and nobody else would start it. */
  async #abandon(lease: Lease, result: StartResult, claimed: number | null = null): Promise<StartResult> {
    if (claimed !== null) await this.#disown(lease.name, claimed);
    await this.keeper.release(lease);
    return result;
  }

  async #disown(name: string, fence: number): Promise<void> {
    try {
      await this.ports.store.disown(name, fence);
    } catch (error) {
      this.log.debug({ err: error, name }, 'not disowned; its lease tells');
    }
  }

  /**
   * Ends a process of this node for good, with `force` whoever holds it. `false`: it does not run here, or is held and
   * goes on, or somebody else has overtaken it; then it stops, but its spec stands.
   */
  async retire(name: string, force = true): Promise<boolean> {
    const process = this.#owned.get(name);
    if (!process) return false;
    const retired = await this.ports.store.retire(name, process.fence, force);
    if (!retired && !force) return false;
    await process.stop(retired ? 'retired' : 'lease-lost');
    return retired;
  }

  /** Stops a process without ending its spec, because its ownership is gone. */
  async drop(name: string, reason: StopReason = 'lease-lost'): Promise<void> {
    await this.#owned.get(name)?.stop(reason);
  }

  /**
   * Hands one process to the first of `successors` that takes it: it is stopped here, then its very grant is replaced
   * by the successor's, so the name is never free in between. When all decline, the name is given back without an
   * owner. Resolves with who took it.
   *
   * A kind that can is made ready on its successor first, while it still runs here.
   */
  async handOver(name: string, successors: readonly NodeId[], offer: Offer, prepare?: Prepare): Promise<NodeId | null> {
    const process = this.#owned.get(name);
    if (!process) return null;
    const order = process.ending ? [] : await this.#prepared(process, successors, prepare);
    if (process.ending) {
      await process.ending;
      return null;
    }
    const { lease } = process;
    this.keeper.leave(lease);
    await process.stop('handover');
    // Read now: until it stopped, it may have been restarted under another fence.
    const { kind, fence } = process.record;
    for (const to of order) {
      try {
        if (!(await offer(to, name, kind, lease.grant.value))) continue;
      } catch (error) {
        // It may have taken it all the same: then the grant is gone, and nobody else can.
        this.log.warn({ err: error, name, to }, 'handover not answered');
        continue;
      }
      this.keeper.forget(lease);
      this.#lost.delete(name);
      this.events.emit('process:handed-over', { name, kind, to });
      return to;
    }
    await this.#abandon(lease, 'refused', fence);
    return null;
  }

  /** The successors with the first that is ready at their head. */
  async #prepared(
    { name, record }: OwnedProcess,
    successors: readonly NodeId[],
    prepare: Prepare | undefined,
  ): Promise<readonly NodeId[]> {
    if (!prepare || !this.#kinds.get(record.kind)?.prepare) return successors;
    for (const to of successors) {
      try {
        if (await prepare(to, name, record.kind)) return [to, ...successors.filter((other) => other !== to)];
      } catch (error) {
        this.log.debug({ err: error, name, to }, 'not made ready for a handover');
      }
    }
    return successors;
  }

  /** Two owners met: if ours has the lower fence it stops. Returns what it knew, for the other to merge. */
  async yieldTo(name: string, fence: number): Promise<unknown> {
    const process = this.#owned.get(name);
    if (!process || process.fence >= fence) return undefined;
    this.events.emit('process:conflict', { name, fence: process.fence, other: fence });
    const state = process.snapshot();
    await process.stop('lease-lost');
    return state;
  }

  /** Waits until nothing is being started, so that a drain sees all there is. */
  async settle(): Promise<void> {
    while (this.#starting.size > 0) {
      await Promise.allSettled(this.#starting.values());
      await sleep(this.clock, 0);
    }
  }
}
