import type { NodeId } from '../kernel/identity.js';
import type { ClusterPorts } from '../kernel/ports/cluster.js';
import type { Holder } from '../kernel/ports/lease.js';
import type { NodeSighting, ProcessRecord } from '../kernel/ports/store.js';

/**
 * What the cluster looked like in one moment, as far as several reads make a moment: nothing is judged by one snapshot
 * that could be the middle of a step.
 */
export interface Snapshot {
  /** The cluster's clock, ms since 1970. */
  readonly at: number;
  readonly nodes: ReadonlyMap<NodeId, NodeSighting>;
  /** How many hold the pulse of each node that is named anywhere below, and our own. */
  readonly pulses: ReadonlyMap<NodeId, number>;
  readonly processes: ReadonlyMap<string, ProcessRecord>;
  readonly leases: ReadonlyMap<string, Holder>;
  /** Processes on which each node has holds. */
  readonly heldBy: ReadonlyMap<NodeId, readonly string[]>;
}

/** Reads it all. Works with no node alive. Rejects with `UNAVAILABLE` when the cluster does not answer. */
export async function takeSnapshot({ node, store, leases, bus }: ClusterPorts): Promise<Snapshot> {
  // Holds before nodes and processes before leases: who has just come or gone is then in the later one, if in any.
  const holders = await store.holders();
  const heldBy = new Map(await Promise.all(holders.map(async (id) => [id, await store.heldBy(id)] as const)));
  const [processes, nodes, at] = await Promise.all([store.processes(), store.nodes(), store.time()]);
  const held = await leases.all();
  const ids = new Set<NodeId>([node, ...holders, ...nodes.map(({ id }) => id), ...held.map((lease) => lease.node)]);
  for (const record of processes) if (record.node) ids.add(record.node);
  const named = [...ids];
  const counts = await bus.pulses(named);
  return {
    at,
    nodes: new Map(nodes.map((sighting) => [sighting.id, sighting])),
    pulses: new Map(named.map((id, i) => [id, counts[i] ?? 0])),
    processes: new Map(processes.map((record) => [record.name, record])),
    leases: new Map(held.map(({ name, ...holder }) => [name, holder])),
    heldBy,
  };
}
