import { PollcastError } from '../errors.js';
import { sleep, type Clock } from './clock.js';
import { nodeName, type NodeId } from './identity.js';
import type { KernelMessage } from './peers.js';
import { candidates } from './placement.js';
import type { LeasePort } from './ports/lease.js';
import type { NodeSighting, ProcessRecord, StorePort } from './ports/store.js';

/** What an operator may ask of the cluster: of a node's kernel, or from outside of a `KernelClient`. */
export interface ClusterCommands {
  /** Ends a process for good, in spite of its holders. Rejects with `NOT_FOUND`; `UNAVAILABLE` when its owner hangs. */
  stop(name: string): Promise<void>;
  /**
   * Has its owner end a process unless somebody holds it, in one operation. `false`: somebody does, or it has no owner.
   * Rejects with `NOT_FOUND`; `UNAVAILABLE` when its owner hangs.
   */
  stopUnlessHeld(name: string): Promise<boolean>;
  /** Hands a process to another node (default: the next in order), resolves with it. Rejects with `NOT_FOUND`, `UNAVAILABLE`. */
  move(name: string, to?: NodeId): Promise<NodeId>;
  /** Stops (or resumes) placing processes on a node, by name. Rejects with `NOT_FOUND`; `CONFLICT` when it leaves. */
  cordon(node: string, cordoned?: boolean): Promise<void>;
}

export interface CommandParts {
  readonly store: StorePort;
  readonly leases: LeasePort;
  readonly clock: Clock;
  /** The living nodes, read anew. */
  nodes(): Promise<readonly NodeSighting[]>;
  ask(node: NodeId, message: KernelMessage): Promise<unknown>;
  /** Tells all kernels that something about the nodes has changed. */
  look(): void | Promise<void>;
}

const ATTEMPTS = 5;
const RETRY_MS = 25;

export class Commands implements ClusterCommands {
  constructor(private readonly parts: CommandParts) {}

  async stop(name: string): Promise<void> {
    const { store, clock } = this.parts;
    let record: ProcessRecord | null = await this.#existing(name);
    for (let attempt = 0; record && attempt < ATTEMPTS; attempt++) {
      const owner = await this.#livingOwner(record);
      if (owner) {
        if ((await this.parts.ask(owner, { do: 'stop', name })) === true) return;
      } else if (await store.retire(name, record.fence, true)) return this.#dropLeaseOf(record);
      // It changed hands meanwhile.
      await sleep(clock, RETRY_MS);
      record = await store.process(name);
    }
    if (record) throw new PollcastError('UNAVAILABLE', `${name} changes hands again and again; try again`);
  }

  async stopUnlessHeld(name: string): Promise<boolean> {
    const owner = await this.#livingOwner(await this.#existing(name));
    return owner !== null && (await this.parts.ask(owner, { do: 'stop', name, unlessHeld: true })) === true;
  }

  async move(name: string, to?: NodeId): Promise<NodeId> {
    const record = await this.#existing(name);
    if (!record.node) throw new PollcastError('UNAVAILABLE', `${name} has no owner now; it is being placed`);
    if (to === record.node) return to;
    const nodes = await this.parts.nodes();
    const able = candidates(name, nodes, record.kind).filter((id) => id !== record.node);
    const target = to ?? able[0];
    // Looked at before it is stopped: an offer that must be declined would cost its lease.
    if (!target || !able.includes(target)) {
      const who = to ? `${nodeName(to)} can not` : 'no other node can';
      throw new PollcastError('UNAVAILABLE', `${who} take ${name}`);
    }
    if ((await this.parts.ask(record.node, { do: 'move', name, to: target })) !== true) {
      throw new PollcastError('UNAVAILABLE', `${nodeName(target)} did not take ${name}`);
    }
    return target;
  }

  async cordon(name: string, cordoned = true): Promise<void> {
    const nodes = await this.parts.nodes();
    const node = nodes.find((candidate) => candidate.name === name || candidate.id === name);
    if (!node) {
      const names = nodes.map((other) => other.name).join(', ');
      throw new PollcastError('NOT_FOUND', `there is no node ${name}; there are ${names}`);
    }
    if (node.state === 'draining') {
      throw new PollcastError('CONFLICT', `${node.name} is leaving: it takes nothing any more`);
    }
    await this.parts.store.setNodeState(node.id, cordoned ? 'cordoned' : 'live');
    await this.parts.look();
  }

  async #existing(name: string): Promise<ProcessRecord> {
    const record = await this.parts.store.process(name);
    if (!record) throw new PollcastError('NOT_FOUND', `there is no process ${name}`);
    return record;
  }

  async #livingOwner({ node }: ProcessRecord): Promise<NodeId | null> {
    if (node === null) return null;
    return (await this.parts.nodes()).some((other) => other.id === node) ? node : null;
  }

  /** A dead owner's grant would stand for a while on a name that is over. */
  async #dropLeaseOf({ name, node }: ProcessRecord): Promise<void> {
    const [lease] = await this.parts.leases.holders([name]);
    if (lease && lease.node === node) await this.parts.leases.remove(name, lease.value);
  }
}
