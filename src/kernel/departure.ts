import type { NodeId } from './identity.js';
import type { Logger } from './log.js';
import type { Monitor } from './monitor.js';
import { successors } from './placement.js';
import type { OwnedProcess } from './process.js';
import type { Offer, Prepare, Supervisor } from './supervisor.js';
import type { NodeSighting } from './ports/store.js';

const HANDOVERS_AT_ONCE = 32;

/** Takes everything off a node that leaves: each process goes to its next node before its lease is let go. */
export class Departure {
  constructor(
    private readonly self: NodeId,
    private readonly supervisor: Supervisor,
    private readonly monitor: Monitor,
    private readonly offer: Offer,
    private readonly prepare: Prepare,
    private readonly log: Logger,
  ) {}

  /**
   * @param reachable whether the cluster has just answered. Without it nothing can be handed over: everything is
   *   stopped, and the leases end by themselves.
   */
  async run(reachable: boolean): Promise<void> {
    this.supervisor.closed = true;
    await this.supervisor.settle();
    const nodes = reachable ? await this.#nodes() : [];
    const processes = this.supervisor.owned();
    let next = 0;
    const worker = async (): Promise<void> => {
      for (let process = processes[next++]; process; process = processes[next++]) {
        await this.#leave(process, nodes, reachable);
      }
    };
    await Promise.all(Array.from({ length: HANDOVERS_AT_ONCE }, worker));
  }

  async #nodes(): Promise<readonly NodeSighting[]> {
    try {
      return await this.monitor.refresh();
    } catch {
      return this.monitor.nodes;
    }
  }

  async #leave(process: OwnedProcess, nodes: readonly NodeSighting[], reachable: boolean): Promise<void> {
    const { name, record } = process;
    // Asked for each of them: thousands that wait for the time-out of a cluster that is gone would never end.
    if (!reachable || !this.monitor.up) return process.stop('lease-lost');
    const healthy = nodes.filter(({ id }) => !this.monitor.isSuspect(id));
    const order = successors(record, healthy, this.self, this.supervisor.kind(record.kind));
    try {
      await this.supervisor.handOver(name, order, this.offer, this.prepare);
    } catch (error) {
      this.log.warn({ err: error, name }, 'not handed over');
    }
  }
}
