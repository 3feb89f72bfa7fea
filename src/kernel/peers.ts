import { PollcastError } from '../errors.js';
import type { Clock } from './clock.js';
import type { NodeId } from './identity.js';
import type { Logger } from './log.js';
import { Mailbox, type Address } from './mailbox.js';
import type { Monitor } from './monitor.js';
import { notHere } from './process.js';
import type { Offer, Prepare, Supervisor } from './supervisor.js';
import type { ClusterPorts } from './ports/cluster.js';
import type { LeaseValue } from './ports/lease.js';

/** What kernels ask each other. */
export type KernelMessage =
  | { do: 'start'; name: string; kind: string; origin: 'first' | 'takeover' }
  | { do: 'take'; name: string; kind: string; value: LeaseValue }
  | { do: 'prepare'; name: string; kind: string }
  | { do: 'stop'; name: string; unlessHeld?: true }
  | { do: 'move'; name: string; to: NodeId }
  /** `hop`: passed on by a node that was the owner once. */
  | { do: 'holds'; names: readonly string[]; hop?: true }
  | { do: 'merge'; name: string; state: unknown }
  /** Your lease on it was taken over, for you were taken for dead. */
  | { do: 'check'; name: string }
  /** A node came, went or changed its state. */
  | { do: 'look' };

const KERNEL: Address = { to: 'kernel' };
const OFFER_MS = 2_000;
/** Its process runs on meanwhile. */
const PREPARE_MS = 4_000;

/** This node's side of what the kernels of a cluster say to each other, and the way to its own processes. */
export class Peers {
  readonly mailbox: Mailbox;

  constructor(
    private readonly ports: ClusterPorts,
    private readonly supervisor: Supervisor,
    private readonly monitor: Monitor,
    clock: Clock,
    private readonly log: Logger,
    /** Looks whether a process of this node has been overtaken. */
    private readonly check: (name: string) => Promise<void>,
  ) {
    this.mailbox = new Mailbox(
      ports,
      { deliver: (at, message) => this.#deliver(at, message), locate: (name) => this.#locate(name) },
      clock,
      log,
    );
  }

  ask(node: NodeId, message: KernelMessage, timeoutMs?: number): Promise<unknown> {
    return this.mailbox.callNode(node, KERNEL, message, timeoutMs);
  }

  tell(node: NodeId, message: KernelMessage): void {
    this.mailbox.castNode(node, KERNEL, message);
  }

  broadcast(message: KernelMessage): void {
    for (const node of this.monitor.nodes) if (node.id !== this.ports.node) this.tell(node.id, message);
  }

  readonly offer: Offer = async (to, name, kind, value) => {
    if (!this.monitor.up) throw new PollcastError('UNAVAILABLE', 'the cluster does not answer');
    return (await this.ask(to, { do: 'take', name, kind, value }, OFFER_MS)) === true;
  };

  readonly prepare: Prepare = async (to, name, kind) => {
    if (!this.monitor.up) return false;
    return (await this.ask(to, { do: 'prepare', name, kind }, PREPARE_MS)) === true;
  };

  /** Tells the owners of `names`, wherever they are. Never rejects: who is not told reads it again some time. */
  async tellHoldsChanged(names: readonly string[]): Promise<void> {
    await Promise.all(
      names.map(async (name) => {
        if (this.#changedHere(name)) return;
        const owner = await this.#whereIs(name);
        if (owner) this.tell(owner, { do: 'holds', names: [name] });
      }),
    );
  }

  async #passOnHoldsChanged(names: readonly string[], hop: boolean): Promise<void> {
    for (const name of names) {
      if (this.#changedHere(name) || hop) continue;
      // The sender took this node for the owner, and so may our own memory be wrong.
      this.mailbox.forgetOwner(name);
      const owner = await this.#whereIs(name);
      if (owner) this.tell(owner, { do: 'holds', names: [name], hop: true });
    }
  }

  #changedHere(name: string): boolean {
    const process = this.supervisor.get(name);
    if (!process || process.ending) return false;
    process.holdsChanged();
    return true;
  }

  async #whereIs(name: string): Promise<NodeId | null> {
    try {
      return await this.mailbox.locate(name);
    } catch (error) {
      this.log.debug({ err: error, name }, 'its owner is not told of its holds');
      return null;
    }
  }

  async #locate(name: string): Promise<NodeId | null> {
    if (this.supervisor.get(name)?.ending === null) return this.ports.node;
    const owner = (await this.ports.store.process(name))?.node ?? null;
    // Ours by the record, but not running: about to start, or to be found lost.
    if (owner === null || owner === this.ports.node) return null;
    // A message to the dead is answered by nobody: better wait for the next owner.
    return (await this.monitor.knows(owner)) ? owner : null;
  }

  #deliver(at: Address, message: unknown): Promise<unknown> {
    if (at.to === 'kernel') return this.#handle(message as KernelMessage);
    const process = this.supervisor.get(at.name);
    return process ? process.deliver(message) : Promise.reject(notHere(at.name));
  }

  async #handle(message: KernelMessage): Promise<unknown> {
    switch (message.do) {
      case 'start':
        return this.supervisor.start(message.name, message.kind, message.origin);
      case 'take':
        return (await this.supervisor.start(message.name, message.kind, 'handover', message.value)) === 'here';
      case 'prepare':
        return this.supervisor.prepare(message.name, message.kind);
      case 'stop':
        return this.supervisor.retire(message.name, message.unlessHeld !== true);
      case 'move':
        return this.#handOver(message.name, message.to);
      case 'holds':
        await this.#passOnHoldsChanged(message.names, message.hop === true);
        return true;
      case 'merge':
        await this.supervisor.get(message.name)?.merge(message.state);
        return true;
      case 'check':
        await this.check(message.name);
        return true;
      case 'look':
        await this.monitor.refresh();
        this.monitor.reconcileSoon();
        return true;
    }
  }

  async #handOver(name: string, to: NodeId): Promise<boolean> {
    const kind = this.supervisor.get(name)?.record.kind;
    if (kind === undefined) return false;
    if (await this.supervisor.handOver(name, [to], this.offer, this.prepare)) return true;
    // Declined: it goes on here, not at the next reconcile pass somewhere.
    await this.supervisor.start(name, kind, 'takeover');
    return false;
  }
}
