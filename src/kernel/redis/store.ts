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
import { removeHolds, writeHolds, type NewHold, type OldHold } from './holds.js';
import type { KernelKeys } from './keys.js';
import { fromHash, record, specArgs } from './records.js';
import { Together } from './together.js';

/** Holds that one script writes at most: Redis serves nobody else meanwhile. */
const HOLDS_PER_CALL = 500;

/** The cluster's shared memory in Redis: each method is one script, or one command; holds of one moment share theirs. */
export class RedisStore implements StorePort {
  /** `null`: the node is not in the cluster. */
  readonly #holding: Together<NewHold, ProcessRecord | null>;
  readonly #unholding: Together<OldHold, boolean>;

  constructor(
    private readonly scripts: ScriptRunner,
    private readonly keys: KernelKeys,
  ) {
    this.#holding = new Together((holds) => writeHolds(scripts, keys, holds), HOLDS_PER_CALL);
    this.#unholding = new Together((holds) => removeHolds(scripts, keys, holds), HOLDS_PER_CALL);
  }

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
    const written = await this.#holding.ask({ spec, hold });
    if (!written) throw new PollcastError('CONFLICT', `node ${hold.node} is not in the cluster`);
    return written;
  }

  unhold(name: string, node: NodeId, ref: string): Promise<boolean> {
    return this.#unholding.ask({ name, node, ref });
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
