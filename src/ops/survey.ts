import { sleep, systemClock, type Clock } from '../kernel/clock.js';
import type { NodeId } from '../kernel/identity.js';
import { judge } from '../kernel/liveness.js';
import type { ClusterPorts } from '../kernel/ports/cluster.js';
import { takeSnapshot, type Snapshot } from './snapshot.js';

export interface SurveySettings {
  /** Those of this process's own environment; what the nodes say about themselves goes before them. */
  readonly leaseMs: number;
  readonly lingerMs: number;
  /** Between two looks, in ms: longer than any step that leaves things half done for a moment. */
  readonly confirmMs?: number;
  readonly clock?: Clock;
}

export interface Vitality {
  readonly state: 'live' | 'suspect' | 'dead';
  /** Why, unless it is live. */
  readonly evidence: string;
}

const CONFIRM_MS = 400;

/**
 * One or two looks at the cluster, and what they say about who is alive. By the kernel's own rule: a pulse that is
 * gone twice in a row, while our own is seen, or a heartbeat older than the lease. A node that is not announced is
 * dead when its pulse is gone; with a pulse it is about to announce itself.
 */
export class Survey {
  readonly #vitality = new Map<NodeId, Vitality>();

  constructor(
    private readonly self: NodeId,
    readonly first: Snapshot,
    readonly last: Snapshot,
    private readonly settings: SurveySettings,
  ) {}

  /** Looks once, and again only if somebody seems to be dead. */
  static async quick(ports: ClusterPorts, settings: SurveySettings): Promise<Survey> {
    const first = await takeSnapshot(ports);
    const missing = [...first.pulses].some(([id, count]) => count === 0 && id !== ports.node);
    return missing ? Survey.#confirm(ports, first, settings) : new Survey(ports.node, first, first, settings);
  }

  /** Looks twice in any case. */
  static async thorough(ports: ClusterPorts, settings: SurveySettings): Promise<Survey> {
    return Survey.#confirm(ports, await takeSnapshot(ports), settings);
  }

  static async #confirm(ports: ClusterPorts, first: Snapshot, settings: SurveySettings): Promise<Survey> {
    await sleep(settings.clock ?? systemClock, settings.confirmMs ?? CONFIRM_MS);
    return new Survey(ports.node, first, await takeSnapshot(ports), settings);
  }

  /** Ms: the longest lease that a node says it works with. */
  get leaseMs(): number {
    return this.#said('leaseMs') ?? this.settings.leaseMs;
  }

  get lingerMs(): number {
    return this.#said('lingerMs') ?? this.settings.lingerMs;
  }

  isDead(id: NodeId): boolean {
    return this.vitality(id).state === 'dead';
  }

  /** Whether a node of the cluster stands behind this id: it is announced and not dead. */
  isAlive(id: NodeId): boolean {
    return this.last.nodes.has(id) && !this.isDead(id);
  }

  vitality(id: NodeId): Vitality {
    let known = this.#vitality.get(id);
    if (!known) this.#vitality.set(id, (known = this.#judge(id)));
    return known;
  }

  /** Whether its pulse is gone, so that nothing of it can wake up again. */
  isGone(id: NodeId): boolean {
    return this.isDead(id) && this.last.pulses.get(id) === 0;
  }

  #judge(id: NodeId): Vitality {
    if (id === this.self) return { state: 'live', evidence: '' };
    return this.last.nodes.has(id) ? this.#judgeAnnounced(id) : this.#judgeUnknown(id);
  }

  #judgeAnnounced(id: NodeId): Vitality {
    const look = (zeros: ReadonlyMap<NodeId, number>, snapshot: Snapshot) => {
      const nodes = [snapshot.nodes.get(id)].filter((node) => node !== undefined);
      // We are no member with heartbeats of its own: that Redis answers is all we need to believe the others'.
      const sight = { nodes, pulses: snapshot.pulses, self: this.self, ownPulseAgeMs: Infinity, ownBeatsMs: Infinity };
      return judge(zeros, sight, this.leaseMs, 0);
    };
    const once = look(new Map(), this.first);
    const { dead, suspects } = this.first === this.last ? once : look(once.zeros, this.last);
    const death = dead.get(id);
    if (death) return { state: 'dead', evidence: death.evidence };
    const suspicion = suspects.get(id);
    return suspicion === undefined ? { state: 'live', evidence: '' } : { state: 'suspect', evidence: suspicion };
  }

  #judgeUnknown(id: NodeId): Vitality {
    const gone = [this.first, this.last].every(
      ({ nodes, pulses }) => !nodes.has(id) && pulses.get(id) === 0 && pulses.get(this.self) === 1,
    );
    if (gone && this.first !== this.last)
      return { state: 'dead', evidence: 'not among the nodes, and without a pulse' };
    return { state: 'suspect', evidence: 'not among the nodes' };
  }

  #said(figure: 'leaseMs' | 'lingerMs'): number | undefined {
    const said = [...this.last.nodes.values()].flatMap(({ info }) => info[figure] ?? []);
    return said.length > 0 ? Math.max(...said) : undefined;
  }
}
