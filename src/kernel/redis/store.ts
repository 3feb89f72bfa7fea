import { randomBytes } from 'node:crypto';
import { PollcastError } from '../../errors.js';
import { nodeName, type NodeId } from '../identity.js';
import type {
  Hold,
  NodeRecord,
  NodeSighting,
  ProcessRecord,
  ProcessSpec,
  ProcessState,
  StorePort,
} from '../ports/store.js';
import { unavailable, type ScriptRunner } from './connection.js';
import type { KernelKeys } from './keys.js';

/** The cluster's shared memory in Redis: each method is one script, or one command. */
export class RedisStore implements StorePort {
  constructor(
    private readonly scripts: ScriptRunner,
    private readonly keys: KernelKeys,
  ) {}

  async announce(node: NodeRecord, deadAfterMs: number): Promise<{ taken: NodeId | null; era: string }> {
    const { keys } = this;
    const { info, state, ...record } = node;
    const [taken, era] = (await this.scripts.run(
      'announce',
      [keys.nodes, keys.beats, keys.infos, keys.states, keys.era],
      [
        node.id,
        `${nodeName(node.id)}~`,
        JSON.stringify(record),
        state,
        JSON.stringify(info),
        deadAfterMs,
        randomBytes(9).toString('base64url'),
      ],
    )) as [string, string];
    return { taken: taken || null, era };
  }

  async beat(id: NodeId, info: Readonly<Record<string, number>>): Promise<boolean> {
    const { keys } = this;
    return (await this.scripts.run('beat', [keys.nodes, keys.beats, keys.infos], [id, JSON.stringify(info)])) === 1;
  }

  async setNodeState(id: NodeId, state: NodeRecord['state']): Promise<boolean> {
    return (await this.scripts.run('set-node-state', [this.keys.nodes, this.keys.states], [id, state])) === 1;
  }

  async nodes(): Promise<NodeSighting[]> {
    const { keys } = this;
    const flat = (await this.scripts.run('nodes', [keys.nodes, keys.beats, keys.infos, keys.states])) as string[];
    const nodes: NodeSighting[] = [];
    for (let i = 0; i < flat.length; i += 4) {
      const record = JSON.parse(flat[i] as string) as Omit<NodeRecord, 'info' | 'state'>;
      nodes.push({
        ...record,
        ageMs: Number(flat[i + 1]),
        info: JSON.parse(flat[i + 2] as string) as Record<string, number>,
        state: flat[i + 3] as NodeRecord['state'],
      });
    }
    return nodes;
  }

  async bury(id: NodeId): Promise<string[] | null> {
    const { keys } = this;
    const names = await this.scripts.run(
      'bury',
      [keys.nodes, keys.beats, keys.infos, keys.states, keys.holders, keys.heldBy(id)],
      [id, keys.holdsPrefix, keys.processPrefix],
    );
    return names as string[] | null;
  }

  async register(spec: ProcessSpec): Promise<ProcessRecord> {
    const { keys } = this;
    return record(
      await this.scripts.run(
        'register',
        [keys.processes, keys.process(spec.name), keys.holds(spec.name)],
        specArgs(spec),
      ),
    );
  }

  async respec(spec: ProcessSpec): Promise<boolean> {
    return (await this.scripts.run('respec', [this.keys.process(spec.name)], [specArgs(spec)[2]])) === 1;
  }

  async hold(spec: ProcessSpec, hold: Hold): Promise<ProcessRecord> {
    const { keys } = this;
    const flat = await this.scripts.run(
      'hold',
      [
        keys.processes,
        keys.process(spec.name),
        keys.holds(spec.name),
        keys.heldBy(hold.node),
        keys.holders,
        keys.nodes,
      ],
      [...specArgs(spec), hold.node, hold.ref, hold.detail],
    );
    if (!flat) throw new PollcastError('CONFLICT', `node ${hold.node} is not in the cluster`);
    return record(flat);
  }

  async unhold(name: string, node: NodeId, ref: string): Promise<boolean> {
    const { keys } = this;
    const touched = [keys.holds(name), keys.heldBy(node), keys.holders, keys.process(name)];
    return (await this.scripts.run('unhold', touched, [name, node, ref])) === 1;
  }

  async holds(name: string): Promise<Hold[]> {
    const fields = await this.#ask((client) => client.hgetall(this.keys.holds(name)));
    return Object.entries(fields).map(([field, detail]) => {
      const at = field.indexOf('\n');
      return { node: field.slice(0, at), ref: field.slice(at + 1), detail };
    });
  }

  heldBy(node: NodeId): Promise<string[]> {
    return this.#ask((client) => client.hkeys(this.keys.heldBy(node)));
  }

  holders(): Promise<NodeId[]> {
    return this.#ask((client) => client.smembers(this.keys.holders));
  }

  async claim(name: string, node: NodeId, fence: number): Promise<ProcessRecord | null> {
    const flat = await this.scripts.run('claim', [this.keys.process(name)], [node, fence]);
    return flat ? record(flat) : null;
  }

  async report(
    name: string,
    fence: number,
    state: ProcessState,
    restarts: number,
    error: string | null,
  ): Promise<boolean> {
    return (await this.scripts.run('report', [this.keys.process(name)], [fence, state, restarts, error ?? ''])) === 1;
  }

  async disown(name: string, fence: number): Promise<boolean> {
    return (await this.scripts.run('disown', [this.keys.process(name)], [fence])) === 1;
  }

  async retire(name: string, fence: number, force = false): Promise<boolean> {
    const { keys } = this;
    return (
      (await this.scripts.run(
        'retire',
        [keys.processes, keys.process(name), keys.holds(name), keys.backup(name)],
        [name, fence, force ? '1' : '0'],
      )) === 1
    );
  }

  async process(name: string): Promise<ProcessRecord | null> {
    const hash = await this.#ask((client) => client.hgetall(this.keys.process(name)));
    return hash['name'] === undefined ? null : fromHash(hash);
  }

  async processes(): Promise<ProcessRecord[]> {
    const lists = (await this.scripts.run('processes', [this.keys.processes], [this.keys.processPrefix])) as unknown[];
    return lists.map(record);
  }

  async save(name: string, fence: number, state: string): Promise<boolean> {
    return (await this.scripts.run('save', [this.keys.process(name), this.keys.backup(name)], [fence, state])) === 1;
  }

  load(name: string): Promise<string | null> {
    return this.#ask((client) => client.get(this.keys.backup(name)));
  }

  async time(): Promise<number> {
    const [seconds, micros] = await this.#ask((client) => client.time());
    return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
  }

  async #ask<T>(question: (client: ScriptRunner['client']) => Promise<T>): Promise<T> {
    try {
      return await question(this.scripts.client);
    } catch (error) {
      throw unavailable(error);
    }
  }
}

function specArgs(spec: ProcessSpec): [string, string, string] {
  return [spec.name, spec.kind, JSON.stringify(spec.args ?? null)];
}

function record(flat: unknown): ProcessRecord {
  const list = flat as string[];
  const hash: Record<string, string> = {};
  for (let i = 0; i < list.length; i += 2) hash[list[i] as string] = list[i + 1] as string;
  return fromHash(hash);
}

function fromHash(hash: Record<string, string>): ProcessRecord {
  return {
    name: hash['name'] ?? '',
    kind: hash['kind'] ?? '',
    args: JSON.parse(hash['args'] ?? 'null') as unknown,
    node: hash['node'] || null,
    fence: Number(hash['fence']),
    state: hash['state'] as ProcessState,
    since: Number(hash['since']),
    restarts: Number(hash['restarts']),
    error: hash['error'] || null,
    unheldSince: hash['unheld'] ? Number(hash['unheld']) : null,
  };
}
