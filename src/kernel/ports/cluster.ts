import type { BusPort } from './bus.js';
import type { LeasePort } from './lease.js';
import type { StorePort } from './store.js';
import type { NodeId } from '../identity.js';

/** One node's connection to its cluster: the three ports, opened for one node id. */
export interface ClusterPorts {
  readonly node: NodeId;
  readonly leases: LeasePort;
  readonly store: StorePort;
  readonly bus: BusPort;
  close(): Promise<void>;
}
