import type { NodeId } from '../identity.js';

export type ProcessState = 'starting' | 'running' | 'stopping' | 'failed' | 'orphaned';

/** What makes a process: enough to start it anywhere. `args` must survive JSON. */
export interface ProcessSpec {
  readonly name: string;
  readonly kind: string;
  readonly args: unknown;
}

/** A spec that the cluster wants to run, with its present owner. */
export interface ProcessRecord extends ProcessSpec {
  /** `null`: nobody has claimed it yet, or its owner let it go. */
  readonly node: NodeId | null;
  readonly fence: number;
  readonly state: ProcessState;
  /** Wall clock ms of the cluster's clock when `state` was entered. */
  readonly since: number;
  readonly restarts: number;
  readonly error: string | null;
  /** Wall clock ms of the cluster's clock since when nobody holds it; `null` while somebody does. */
  readonly unheldSince: number | null;
}

export interface NodeRecord {
  readonly id: NodeId;
  readonly name: string;
  readonly version: string;
  readonly startedAt: number;
  readonly state: 'live' | 'draining' | 'cordoned';
  /** Kinds that this node can run. */
  readonly kinds: readonly string[];
  /** Free-form figures that the node tells about itself: viewers, slots … */
  readonly info: Readonly<Record<string, number>>;
}

export interface NodeSighting extends NodeRecord {
  /** Ms since the last heartbeat, on the cluster's clock. */
  readonly ageMs: number;
}

/** Somebody's wish that a process exists: a node, and what it wants it for (`ref`, unique within the node). */
export interface Hold {
  readonly node: NodeId;
  readonly ref: string;
  /** Opaque to the kernel. */
  readonly detail: string;
}

/**
 * The cluster's shared memory. All methods reject with `UNAVAILABLE` when the store does not answer; each is one
 * atomic operation.
 */
export interface StorePort {
  /**
   * Announces a node, or renews its announcement. `taken`: the id of another incarnation of this name whose last beat
   * is younger than `deadAfterMs`; nothing was written then. `era` changes when the store has lost its data.
   */
  announce(node: NodeRecord, deadAfterMs: number): Promise<{ taken: NodeId | null; era: string }>;
  /** Heartbeat. `false`: this node was buried meanwhile and must announce itself again. */
  beat(id: NodeId, info: Readonly<Record<string, number>>): Promise<boolean>;
  setNodeState(id: NodeId, state: NodeRecord['state']): Promise<boolean>;
  nodes(): Promise<NodeSighting[]>;
  /**
   * Removes a dead node and all its holds. Its processes stay, for the survivors to take over. Returns the names
   * whose holds changed; `null` when somebody else has already buried it.
   */
  bury(id: NodeId): Promise<string[] | null>;

  /** Registers a spec unless the name is there already; returns what is there now. */
  register(spec: ProcessSpec): Promise<ProcessRecord>;
  /** Replaces the arguments of a registered spec. `false`: there is none. */
  respec(spec: ProcessSpec): Promise<boolean>;
  /**
   * Writes a hold and, when the name is not there, the spec: one operation, so that `retire` either sees the hold or
   * has happened before it. Returns the record as it is now. Refused with `CONFLICT` for a buried node.
   */
  hold(spec: ProcessSpec, hold: Hold): Promise<ProcessRecord>;
  /** Takes a hold back. Returns whether it was there. */
  unhold(name: string, node: NodeId, ref: string): Promise<boolean>;
  holds(name: string): Promise<Hold[]>;
  /** Names on which a node has holds. */
  heldBy(node: NodeId): Promise<string[]>;
  /** Every node id that has holds, living or not: what finds the presence of the dead. */
  holders(): Promise<NodeId[]>;

  /** Makes a node the owner of a name under its fence. `null`: no such spec, or a higher fence was there. */
  claim(name: string, node: NodeId, fence: number): Promise<ProcessRecord | null>;
  /** Notes how a process fares. `false`: a higher fence was there, or the spec is gone. */
  report(name: string, fence: number, state: ProcessState, restarts: number, error: string | null): Promise<boolean>;
  /** Gives a name back without an owner (`orphaned`). `false` as above. */
  disown(name: string, fence: number): Promise<boolean>;
  /**
   * Ends a spec: removes it with its backup, unless somebody holds it or a higher fence was there. `force` removes it
   * in spite of holds (an operator's stop), fence 0 with `force` in spite of an owner.
   */
  retire(name: string, fence: number, force?: boolean): Promise<boolean>;
  process(name: string): Promise<ProcessRecord | null>;
  processes(): Promise<ProcessRecord[]>;

  /** Keeps a process's state under its fence. `false`: a higher fence was seen; the state is not kept. */
  save(name: string, fence: number, state: string): Promise<boolean>;
  load(name: string): Promise<string | null>;
  /** The cluster's clock, ms since 1970. */
  time(): Promise<number>;
}
