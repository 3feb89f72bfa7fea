import { PollcastError } from '../errors.js';
import type { ClusterCommands } from '../kernel/commands.js';
import { nodeName } from '../kernel/identity.js';
import type { ClusterPorts } from '../kernel/ports/cluster.js';
import type { ProcessRecord } from '../kernel/ports/store.js';
import { POLLER_KIND } from '../polling/names.js';
import { didYouMean } from '../topics/nearest.js';
import { Survey, type SurveySettings } from './survey.js';
import {
  nodeRows,
  processRows,
  viewerRows,
  type NodeRow,
  type OperatedFrames,
  type ProcessRow,
  type ViewerRow,
} from './tables.js';
import { ZombieHunter, type Cleaned, type ZombieSource } from './zombie-hunter.js';
import type { Zombie } from './zombies.js';

/** What an operator can see and do: on a node, over its admin API, or on the cluster's Redis itself. */
export interface Operator {
  nodes(): Promise<NodeRow[]>;
  processes(): Promise<ProcessRow[]>;
  viewers(): Promise<ViewerRow[]>;
  zombies(): Promise<Zombie[]>;
  /** Removes what can be removed of them; see `ZombieHunter`. */
  cleanZombies(): Promise<Cleaned[]>;
  /** Rejects with `NOT_FOUND` (as the next two), which names the nearest. */
  stop(name: string): Promise<void>;
  /** Resolves with the name of the node that has it now. */
  move(name: string, to?: string): Promise<string>;
  cordon(node: string, cordoned: boolean): Promise<void>;
}

export interface OperationsParts {
  readonly ports: ClusterPorts;
  readonly commands: ClusterCommands;
  readonly frames: OperatedFrames;
  readonly settings: SurveySettings;
  readonly zombieSources?: Iterable<ZombieSource>;
}

/** The operator's tools over a cluster's ports. They need no node alive, but for moving a process. */
export class Operations implements Operator {
  readonly #hunter: ZombieHunter;

  constructor(private readonly parts: OperationsParts) {
    this.#hunter = new ZombieHunter(parts.ports, parts.commands, parts.frames, parts.settings, parts.zombieSources);
  }

  async nodes(): Promise<NodeRow[]> {
    return nodeRows(await this.#survey(), this.parts.ports);
  }

  async processes(): Promise<ProcessRow[]> {
    return processRows(await this.#survey());
  }

  async viewers(): Promise<ViewerRow[]> {
    return viewerRows(await this.#survey(), this.parts.ports, this.parts.frames);
  }

  zombies(): Promise<Zombie[]> {
    return this.#hunter.find();
  }

  cleanZombies(): Promise<Cleaned[]> {
    return this.#hunter.clean();
  }

  async stop(name: string): Promise<void> {
    const { kind, fence } = await this.#existing(name);
    await this.parts.commands.stop(name);
    // A poller that runs removes its frames itself; one without an owner cannot.
    if (kind === POLLER_KIND) await this.parts.frames.drop(name, fence);
  }

  async move(name: string, to?: string): Promise<string> {
    await this.#existing(name);
    return nodeName(await this.parts.commands.move(name, to === undefined ? undefined : await this.#livingNode(to)));
  }

  async cordon(node: string, cordoned: boolean): Promise<void> {
    await this.parts.commands.cordon(await this.#livingNode(node), cordoned);
  }

  #survey(): Promise<Survey> {
    return Survey.quick(this.parts.ports, this.parts.settings);
  }

  async #existing(name: string): Promise<ProcessRecord> {
    const { store } = this.parts.ports;
    const record = await store.process(name);
    if (record) return record;
    const names = (await store.processes()).map((record) => record.name);
    throw new PollcastError('NOT_FOUND', `there is no process \`${name}\`${didYouMean(name, names) || listed(names)}`);
  }

  /** The id of the incarnation that lives, of the several that a name may have had. */
  async #livingNode(name: string): Promise<string> {
    const survey = await this.#survey();
    const nodes = [...survey.last.nodes.values()];
    const named = nodes.filter((node) => node.name === name || node.id === name);
    const living = named.find((node) => !survey.isDead(node.id));
    if (living) return living.id;
    if (named.length > 0) throw new PollcastError('UNAVAILABLE', `${name} is dead: there is nothing that it could do`);
    const names = nodes.filter((node) => !survey.isDead(node.id)).map((node) => node.name);
    throw new PollcastError('NOT_FOUND', `there is no node \`${name}\`${didYouMean(name, names) || listed(names)}`);
  }
}

const LISTED = 10;

function listed(names: readonly string[]): string {
  if (names.length === 0) return '; there are none';
  const more = names.length > LISTED ? ` and ${names.length - LISTED} more` : '';
  return `; there are ${names.slice(0, LISTED).join(', ')}${more}`;
}
