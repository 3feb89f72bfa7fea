import { sleep, type Clock } from './clock.js';
import type { Events } from './events.js';
import type { NodeId } from './identity.js';
import type { ProcessContext, ProcessKind, StopReason } from './kind.js';
import type { Lease, LeaseKeeper } from './lease.js';
import type { Logger } from './log.js';
import { OwnedProcess, type ProcessHost } from './process.js';
import type { LeaseValue } from './ports/lease.js';
import type { ClusterPorts } from './ports/cluster.js';

/** What came of an attempt to run a name here. */
export type StartResult =
  /** It runs here. */
  | 'here'
  /** Somebody else holds its lease. */
  | 'held'
  /** There is no such spec any more. */
  | 'gone'
  /** This node must not take it: it drains, or does not know the kind. */
  | 'refused';

type Origin = ProcessContext<unknown>['origin'];

/** The processes that this node owns: started, restarted, handed over and stopped here and nowhere else. */
export class Supervisor {
  readonly #kinds = new Map<string, ProcessKind>();
  readonly #owned = new Map<string, OwnedProcess>();
  readonly #starting = new Map<string, Promise<StartResult>>();
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
      onGone: (process) => {
        if (this.#owned.get(process.name) === process) this.#owned.delete(process.name);
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

  /**
   * Runs a registered name here if its lease can be had; `from` is the grant of a dead or leaving owner to replace.
   * Callers that come at the same time share one attempt. Rejects with `UNAVAILABLE` when the cluster does not answer.
   */
  start(name: string, kind: string, origin: Origin, from?: LeaseValue): Promise<StartResult> {
    if (this.#owned.has(name)) return Promise.resolve('here');
    const underWay = this.#starting.get(name);
    if (underWay) return underWay;
    const attempt = this.#start(name, kind, origin, from).finally(() => this.#starting.delete(name));
    this.#starting.set(name, attempt);
    return attempt;
  }

  async #start(name: string, kind: string, origin: Origin, from?: LeaseValue): Promise<StartResult> {
    const definition = this.#kinds.get(kind);
    if (!definition || this.closed) return 'refused';
    // Lost between the grant and the process's birth: nothing runs yet, so `alive()` below is enough.
    let process: OwnedProcess | null = null;
    const onLost = (certain: boolean): void => {
      this.events.emit('lease:lost', { name, certain });
      void process?.stop('lease-lost');
    };
    const lease = from
      ? await this.keeper.takeOver(name, from, onLost)
      : await this.keeper.acquire(name, onLost);
    if (!lease) return 'held';
    try {
      const fence = await this.keeper.fence(lease);
      if (fence === null) return await this.#abandon(lease, 'held');
      const record = await this.ports.store.claim(name, this.ports.node, fence);
      if (!record) return await this.#abandon(lease, 'gone');
      const saved = await this.ports.store.load(name);
      if (!lease.alive()) return await this.#abandon(lease, 'held');
      if (this.closed) {
        await this.ports.store.disown(name, fence);
        return await this.#abandon(lease, 'refused');
      }
      process = new OwnedProcess(this.#host, definition, record, lease);
      this.#owned.set(name, process);
      void process.launch(saved === null ? null : JSON.parse(saved), origin);
      return 'here';
    } catch (error) {
      await this.#abandon(lease, 'held');
      throw error;
    }
  }

  async #abandon(lease: Lease, result: StartResult): Promise<StartResult> {
    await this.keeper.release(lease);
    return result;
  }

  /** Ends a process of this node for good, whoever holds it. `false`: it does not run here. */
  async retire(name: string): Promise<boolean> {
    const process = this.#owned.get(name);
    if (!process) return false;
    await this.ports.store.retire(name, process.fence, true);
    await process.stop('retired');
    return true;
  }

  /** Stops a process without ending its spec, because its ownership is gone. */
  async drop(name: string, reason: StopReason = 'lease-lost'): Promise<void> {
    await this.#owned.get(name)?.stop(reason);
  }

  /**
   * Hands one process to `to`: it is stopped here, then its very grant is replaced by the successor's, so the name is
   * never free in between. `offer` asks the successor; when it declines, the name is given back without an owner.
   */
  async handOver(
    name: string,
    to: NodeId | null,
    offer: (to: NodeId, name: string, kind: string, value: LeaseValue) => Promise<boolean>,
  ): Promise<boolean> {
    const process = this.#owned.get(name);
    if (!process) return false;
    const { lease, record } = process;
    await process.stop('handover');
    let taken = false;
    if (to) {
      try {
        taken = await offer(to, name, record.kind, lease.grant.value);
      } catch (error) {
        this.log.warn({ err: error, name, to }, 'handover not answered');
      }
    }
    if (taken && to) {
      this.keeper.forget(lease);
      this.events.emit('process:handed-over', { name, kind: record.kind, to });
      return true;
    }
    try {
      await this.ports.store.disown(name, record.fence);
    } catch (error) {
      this.log.debug({ err: error, name }, 'not disowned; its lease tells');
    }
    await this.keeper.release(lease);
    return false;
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
