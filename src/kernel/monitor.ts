import { PollcastError } from '../errors.js';
import type { Clock } from './clock.js';
import type { Events } from './events.js';
import type { NodeId } from './identity.js';
import { judge, type Death } from './liveness.js';
import type { Logger } from './log.js';
import { Loop } from './loop.js';
import type { ClusterPorts } from './ports/cluster.js';
import type { NodeRecord, NodeSighting } from './ports/store.js';

/** Each node counts the pulses of all: with many of them more rarely, so that what Redis counts grows with the nodes, not with their square. */
const SWEEP_MS_PER_NODE = 2;

export interface MonitorSettings {
  readonly leaseMs: number;
  /** How often the pulses are counted. */
  readonly sweepMs: number;
  /** How soon a first zero is looked at again. */
  readonly confirmMs: number;
  /** How long our own pulse must have stood before we believe a zero. */
  readonly pulseGraceMs: number;
}

/** What the monitor tells its kernel. Each is called from a timer; a rejection is logged. */
export interface MonitorHooks {
  /** What this node tells about itself with each heartbeat. */
  info(): Readonly<Record<string, number>>;
  /** What this node announces itself as. */
  announcement(): NodeRecord;
  /** Removes a dead node and its holds. Tried again at the next sweep when it fails. */
  bury(node: NodeSighting, death: Death): Promise<void>;
  /** Runs its processes on. What fails here is left to the reconcile pass that follows. */
  takeOver(node: NodeSighting, death: Death): Promise<void>;
  /** This node had been buried, or (`storeLost`) the store had forgotten everything. */
  rejoined(storeLost: boolean): Promise<void>;
  /** Time to compare what should run with what runs. */
  reconcile(): Promise<void>;
  /** The nodes were read anew. */
  seen(nodes: readonly NodeSighting[]): void;
}

/**
 * Watches the other nodes and shows itself to them. Every node watches every node; nobody is elected.
 *
 * Admitted limit: after a pause of this node, its own picture is old. It therefore looks again (`beat`, `nodes`)
 * before it judges anybody, and judges by heartbeat only once its own have gone through for a whole lease time.
 */
export class Monitor {
  readonly #loops: Loop[] = [];
  #nodes: readonly NodeSighting[] = [];
  #zeros: ReadonlyMap<NodeId, number> = new Map();
  #suspects: ReadonlyMap<NodeId, string> = new Map();
  /** Found dead here, and not buried yet: not among `nodes` any more. One that is seen after its burial has come back. */
  readonly #mourned = new Set<NodeId>();
  #seenMono = -Infinity;
  #looks = 0;
  #looked = 0;
  #beatsSince: number | null = null;
  #joining: Promise<void> | null = null;
  /** Rejoining began and has not been finished: what was lost is not all written again. */
  #joinDue = false;
  #joins = 0;
  #forgivenUntil = -Infinity;
  #lastBeat = -Infinity;
  #closed = false;
  #reconciling: Loop | null = null;
  #up = true;
  era = '';

  constructor(
    private readonly ports: ClusterPorts,
    private readonly clock: Clock,
    private readonly settings: MonitorSettings,
    private readonly events: Events,
    private readonly log: Logger,
    private readonly hooks: MonitorHooks,
  ) {}

  /** Nodes as last seen, this one included. `ageMs` is as of then. */
  get nodes(): readonly NodeSighting[] {
    return this.#nodes;
  }

  /** Whether the cluster answered last time. */
  get up(): boolean {
    return this.#up;
  }

  isSuspect(node: NodeId): boolean {
    return this.#suspects.has(node);
  }

  async start(): Promise<void> {
    await this.#look();
    const { leaseMs, sweepMs, confirmMs } = this.settings;
    const loop = (what: string, everyMs: () => number, step: () => Promise<void>): Loop => {
      const made = new Loop(this.clock, everyMs, step, (err) => this.log.debug({ err }, `${what} not done`));
      this.#loops.push(made);
      return made;
    };
    loop(
      'heartbeat',
      () => leaseMs / 3,
      () => this.#beat(),
    );
    loop(
      'sweep',
      () => (this.#zeros.size > 0 ? confirmMs : Math.max(sweepMs, this.#nodes.length * SWEEP_MS_PER_NODE)),
      () => this.#sweep(),
    );
    this.#reconciling = loop(
      'reconcile',
      () => leaseMs,
      () => this.hooks.reconcile(),
    );
    // What a cluster that was stopped as a whole, or our own dead incarnation, has left is taken up at once.
    this.reconcileSoon();
  }

  close(): void {
    this.#closed = true;
    for (const loop of this.#loops) loop.close();
  }

  /** Changes with every rejoining, and is `null` during one: what was read before then says nothing about now. */
  get membership(): number | null {
    return this.#joinDue ? null : this.#joins;
  }

  /** How long our own heartbeats have gone through without a miss. */
  #ownBeatsMs(): number {
    const now = this.clock.monotonic();
    // An unanswered beat is a miss long before it is an error.
    if (this.#beatsSince === null || now - this.#lastBeat > this.#missMs) return 0;
    return now - this.#beatsSince;
  }

  /** Two beats further apart than this have one missing between them. */
  get #missMs(): number {
    return (this.settings.leaseMs * 2) / 3;
  }

  /** Whether a node is in the cluster: looks again before it says no, for it may be new. */
  async knows(id: NodeId): Promise<boolean> {
    const there = (): boolean => this.#nodes.some((node) => node.id === id);
    if (there() || this.#mourned.has(id)) return there();
    if (this.clock.monotonic() - this.#seenMono > this.settings.sweepMs) await this.#look();
    return there();
  }

  /** Joins again at once if this node was buried, instead of at its next heartbeat. */
  async confirm(): Promise<void> {
    const known = await this.ports.store.beat(this.ports.node, this.hooks.info());
    if (!known || this.#joinDue) await this.#rejoin();
  }

  /** Compares what should run with what runs now instead of at the next pass. */
  reconcileSoon(): void {
    this.#reconciling?.kick();
  }

  /** Reads the nodes anew: after somebody said that he came or went. */
  async refresh(): Promise<readonly NodeSighting[]> {
    await this.#look();
    return this.#nodes;
  }

  async #beat(): Promise<void> {
    const now = this.clock.monotonic();
    try {
      const known = await this.ports.store.beat(this.ports.node, this.hooks.info());
      if (this.#closed) return;
      if (!known || this.#joinDue) await this.#rejoin();
      // A gap between two beats, whatever made it, means that our picture of the others has one too.
      if (this.#beatsSince === null || now - this.#lastBeat > this.#missMs) this.#beatsSince = now;
      this.#lastBeat = now;
      await this.#look();
      if (!this.#up) this.reconcileSoon();
      this.#link(true);
    } catch (error) {
      this.#beatsSince = null;
      this.#link(false);
      throw error;
    }
  }

  #rejoin(): Promise<void> {
    this.#joining ??= this.#joinAgain().finally(() => (this.#joining = null));
    return this.#joining;
  }

  async #joinAgain(): Promise<void> {
    this.#joinDue = true;
    const { taken, era } = await this.ports.store.announce(this.hooks.announcement(), this.settings.leaseMs);
    if (taken)
      throw new PollcastError('CONFLICT', `this node was taken for dead, and ${taken} has its name now: stop this one`);
    const storeLost = era !== this.era;
    this.log.warn(
      { storeLost },
      storeLost ? 'the store lost its data; writing it again' : 'others took this node for dead; joining again',
    );
    this.#joins += 1;
    if (storeLost) this.#forgivenUntil = this.clock.monotonic() + this.settings.leaseMs;
    await this.hooks.rejoined(storeLost);
    this.era = era;
    this.#joinDue = false;
    this.events.emit('rejoined', { storeLost });
    this.reconcileSoon();
  }

  async #look(): Promise<void> {
    const asked = ++this.#looks;
    const all = await this.ports.store.nodes();
    // A later look has answered before this one: it knows better.
    if (this.#closed || asked < this.#looked) return;
    this.#looked = asked;
    const nodes = this.#picture(all);
    const before = this.#nodes.map((node) => node.id);
    this.#nodes = nodes;
    this.#seenMono = this.clock.monotonic();
    const now = new Set(nodes.map((node) => node.id));
    const told = (id: NodeId): boolean => id !== this.ports.node;
    for (const id of now) if (told(id) && !before.includes(id)) this.events.emit('node:up', { node: id });
    for (const id of before) {
      if (told(id) && !now.has(id)) this.events.emit('node:down', { node: id, evidence: 'it left' });
    }
    this.hooks.seen(nodes);
  }

  /**
   * What was read, less those that are being buried. A store that has lost its data knows nobody at first: for as long
   * as the others may need to write themselves down again, those whom it lacks have not left. Their pulses tell.
   */
  #picture(all: readonly NodeSighting[]): NodeSighting[] {
    const self = this.ports.node;
    const there = new Set(all.map((node) => node.id));
    const forgetful = !there.has(self) || this.clock.monotonic() < this.#forgivenUntil;
    const missing = forgetful ? this.#nodes.filter((node) => node.id !== self && !there.has(node.id)) : [];
    return [...all, ...missing].filter((node) => !this.#mourned.has(node.id));
  }

  async #sweep(): Promise<void> {
    const { leaseMs } = this.settings;
    // Somebody's heartbeat is late: his lease may run out between two of our own beats.
    const lateMs = Math.max(0, ...this.#nodes.filter((n) => n.id !== this.ports.node).map((n) => n.ageMs));
    const picture = this.clock.monotonic() - this.#seenMono;
    if (this.#up && picture > (lateMs > leaseMs / 2 ? this.settings.sweepMs : leaseMs / 3)) await this.#look();
    const ids = this.#nodes.map((node) => node.id);
    if (ids.length < 2) return;
    const asked = this.clock.monotonic();
    const counts = await this.ports.bus.pulses(ids);
    // An answer that took so long tells what was, not what is: this node was paused, or Redis was.
    if (this.#closed || this.clock.monotonic() - asked > leaseMs / 3) return;
    const judgement = judge(
      this.#zeros,
      {
        nodes: this.#nodes,
        pulses: new Map(ids.map((id, i) => [id, counts[i] ?? 0])),
        self: this.ports.node,
        ownPulseAgeMs: this.ports.bus.pulseAgeMs(),
        ownBeatsMs: this.#ownBeatsMs(),
      },
      leaseMs,
      this.settings.pulseGraceMs,
    );
    this.#zeros = judgement.zeros;
    for (const [node, evidence] of judgement.suspects) {
      if (!this.#suspects.has(node)) this.events.emit('node:suspect', { node, evidence });
    }
    this.#suspects = judgement.suspects;
    for (const [id, death] of judgement.dead) {
      const node = this.#nodes.find((candidate) => candidate.id === id);
      if (node && !this.#mourned.has(id)) this.#mourn(node, death);
    }
  }

  #mourn(node: NodeSighting, death: Death): void {
    this.#mourned.add(node.id);
    this.#nodes = this.#nodes.filter((other) => other.id !== node.id);
    this.events.emit('node:down', { node: node.id, evidence: death.evidence });
    const trouble = (err: unknown): void =>
      this.log.warn({ err, node: node.id }, 'a dead node is not cleared away yet');
    this.hooks
      .bury(node, death)
      .catch(trouble)
      .finally(() => this.#mourned.delete(node.id));
    this.hooks
      .takeOver(node, death)
      .catch(trouble)
      // What it was about to own, or had begun to take over itself, has no record under its name.
      .finally(() => this.reconcileSoon());
  }

  #link(up: boolean): void {
    if (up === this.#up) return;
    this.#up = up;
    if (up) this.log.info({}, 'the cluster answers again');
    else this.log.warn({}, 'the cluster does not answer');
    this.events.emit('link', { up });
  }
}
