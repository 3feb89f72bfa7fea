import { PollcastError } from '../../errors.js';
import type { Clock } from '../clock.js';
import type { NodeId } from '../identity.js';
import type {
  Hold,
  NodeRecord,
  NodeSighting,
  ProcessRecord,
  ProcessSpec,
  ProcessState,
  StorePort,
} from '../ports/store.js';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** What the nodes of a `MemoryCluster` share. */
export class MemoryStore {
  readonly nodes = new Map<NodeId, { record: Mutable<NodeRecord>; beat: number }>();
  readonly processes = new Map<string, Mutable<ProcessRecord>>();
  readonly holds = new Map<string, Map<string, Hold>>();
  readonly states = new Map<string, { fence: number; state: string }>();
  era = 'memory';

  constructor(readonly clock: Clock) {}

  /** Forgets everything, as a Redis that restarts without its data does. */
  wipe(): void {
    this.nodes.clear();
    this.processes.clear();
    this.holds.clear();
    this.states.clear();
    this.era += "'";
  }
}

export class MemoryStorePort implements StorePort {
  constructor(
    private readonly shared: MemoryStore,
    private readonly reach: () => Promise<void>,
  ) {}

  async announce(node: NodeRecord, deadAfterMs: number): Promise<{ taken: NodeId | null; era: string }> {
    await this.reach();
    const { nodes, era } = this.shared;
    for (const [id, other] of nodes) {
      if (id !== node.id && other.record.name === node.name && this.#now() - other.beat < deadAfterMs) {
        return { taken: id, era };
      }
    }
    nodes.set(node.id, { record: { ...node }, beat: this.#now() });
    return { taken: null, era };
  }

  async beat(id: NodeId, info: Readonly<Record<string, number>>): Promise<boolean> {
    await this.reach();
    const node = this.shared.nodes.get(id);
    if (!node) return false;
    node.beat = this.#now();
    node.record.info = info;
    return true;
  }

  async setNodeState(id: NodeId, state: NodeRecord['state']): Promise<boolean> {
    await this.reach();
    const node = this.shared.nodes.get(id);
    if (node) node.record.state = state;
    return node !== undefined;
  }

  async nodes(): Promise<NodeSighting[]> {
    await this.reach();
    return [...this.shared.nodes.values()].map(({ record, beat }) => ({ ...record, ageMs: this.#now() - beat }));
  }

  async bury(id: NodeId): Promise<string[] | null> {
    await this.reach();
    const known = this.shared.nodes.delete(id);
    const names: string[] = [];
    for (const [name, holds] of this.shared.holds) {
      const before = holds.size;
      for (const [key, hold] of holds) if (hold.node === id) holds.delete(key);
      if (holds.size < before) names.push(name);
      if (holds.size === 0) this.#unheld(name);
    }
    return known || names.length > 0 ? names : null;
  }

  async register(spec: ProcessSpec): Promise<ProcessRecord> {
    await this.reach();
    return { ...this.#register(spec) };
  }

  async respec(spec: ProcessSpec): Promise<boolean> {
    await this.reach();
    const record = this.shared.processes.get(spec.name);
    if (record) record.args = clone(spec.args);
    return record !== undefined;
  }

  async hold(spec: ProcessSpec, hold: Hold): Promise<ProcessRecord> {
    await this.reach();
    if (!this.shared.nodes.has(hold.node))
      throw new PollcastError('CONFLICT', `node ${hold.node} is not in the cluster`);
    const holds = this.shared.holds.get(spec.name) ?? new Map<string, Hold>();
    this.shared.holds.set(spec.name, holds);
    holds.set(key(hold.node, hold.ref), { ...hold });
    const record = this.#register(spec);
    record.unheldSince = null;
    return { ...record };
  }

  async unhold(name: string, node: NodeId, ref: string): Promise<boolean> {
    await this.reach();
    const holds = this.shared.holds.get(name);
    const there = holds?.delete(key(node, ref)) ?? false;
    if (holds?.size === 0) this.#unheld(name);
    return there;
  }

  async holds(name: string): Promise<Hold[]> {
    await this.reach();
    return [...(this.shared.holds.get(name)?.values() ?? [])];
  }

  async heldBy(node: NodeId): Promise<string[]> {
    await this.reach();
    return [...this.shared.holds]
      .filter(([, holds]) => [...holds.values()].some((h) => h.node === node))
      .map(([name]) => name);
  }

  async holders(): Promise<NodeId[]> {
    await this.reach();
    const ids = new Set<NodeId>();
    for (const holds of this.shared.holds.values()) for (const hold of holds.values()) ids.add(hold.node);
    return [...ids];
  }

  async claim(name: string, node: NodeId, fence: number): Promise<ProcessRecord | null> {
    await this.reach();
    const record = this.shared.processes.get(name);
    if (!record || record.fence > fence) return null;
    Object.assign(record, { node, fence, state: 'starting', since: this.#now(), error: null });
    return { ...record };
  }

  async report(
    name: string,
    fence: number,
    state: ProcessState,
    restarts: number,
    error: string | null,
  ): Promise<boolean> {
    await this.reach();
    const record = this.shared.processes.get(name);
    if (!record || record.fence > fence) return false;
    if (record.state !== state) record.since = this.#now();
    Object.assign(record, { state, restarts, error });
    return true;
  }

  async disown(name: string, fence: number): Promise<boolean> {
    await this.reach();
    const record = this.shared.processes.get(name);
    if (!record || record.fence > fence) return false;
    Object.assign(record, { node: null, state: 'orphaned', since: this.#now() });
    return true;
  }

  async retire(name: string, fence: number, force = false): Promise<boolean> {
    await this.reach();
    const record = this.shared.processes.get(name);
    if (!record) return false;
    if (record.fence > fence && !(force && fence === 0)) return false;
    if (!force && (this.shared.holds.get(name)?.size ?? 0) > 0) return false;
    this.shared.processes.delete(name);
    this.shared.states.delete(name);
    return true;
  }

  async process(name: string): Promise<ProcessRecord | null> {
    await this.reach();
    const record = this.shared.processes.get(name);
    return record ? { ...record } : null;
  }

  async processes(): Promise<ProcessRecord[]> {
    await this.reach();
    return [...this.shared.processes.values()].map((record) => ({ ...record }));
  }

  async save(name: string, fence: number, state: string): Promise<boolean> {
    await this.reach();
    const record = this.shared.processes.get(name);
    if (!record || record.fence > fence) return false;
    this.shared.states.set(name, { fence, state });
    return true;
  }

  async load(name: string): Promise<string | null> {
    await this.reach();
    return this.shared.states.get(name)?.state ?? null;
  }

  async time(): Promise<number> {
    await this.reach();
    return this.#now();
  }

  #register(spec: ProcessSpec): Mutable<ProcessRecord> {
    let record = this.shared.processes.get(spec.name);
    if (!record) {
      record = {
        name: spec.name,
        kind: spec.kind,
        args: clone(spec.args),
        node: null,
        fence: 0,
        state: 'orphaned',
        since: this.#now(),
        restarts: 0,
        error: null,
        unheldSince: this.shared.holds.has(spec.name) ? null : this.#now(),
      };
      this.shared.processes.set(spec.name, record);
    }
    return record;
  }

  /** The last hold is gone. */
  #unheld(name: string): void {
    this.shared.holds.delete(name);
    const record = this.shared.processes.get(name);
    if (record) record.unheldSince = this.#now();
  }

  #now(): number {
    return this.shared.clock.now();
  }
}

function key(node: NodeId, ref: string): string {
  return `${node}\n${ref}`;
}

/** What the store gives back never shares memory with what was put in: as over the wire. */
function clone(value: unknown): unknown {
  return value === undefined ? null : (JSON.parse(JSON.stringify(value)) as unknown);
}
