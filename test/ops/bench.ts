import { newNodeId } from '../../src/kernel/identity.js';
import { MemoryCluster } from '../../src/kernel/memory/cluster.js';
import type { ClusterPorts } from '../../src/kernel/ports/cluster.js';
import type { Grant } from '../../src/kernel/ports/lease.js';
import type { ProcessRecord } from '../../src/kernel/ports/store.js';
import { kernelKeys } from '../../src/kernel/redis/keys.js';
import { command, RedisBench } from '../kernel/ports/redis-bench.js';
import type { TestRedis } from '../support/redis.js';

/** A cluster in which things are planted by hand, as an operator's tools find them. */
export interface OpsBench {
  /** Ports of a node that is announced and has a pulse. `leaseMs`: what it says that it works with. */
  node(name: string, figures?: Record<string, number>): Promise<ClusterPorts>;
  /** Ports of somebody who is not a node but has a pulse, as the CLI. */
  operator(): Promise<ClusterPorts>;
  /** What `kill -9` leaves of a node: everything but its pulse. */
  kill(ports: ClusterPorts): Promise<void>;
  /** Makes a process that nobody holds look as if that were so for `ms`. */
  unheldFor(name: string, ms: number): Promise<void>;
  close(): Promise<void>;
}

export function memoryBench(): OpsBench {
  const cluster = new MemoryCluster();
  return {
    node: (name, figures) => joined(cluster.connect(newNodeId(name)), name, figures),
    operator: () => seeing(cluster.connect(newNodeId('operator'))),
    kill: (ports) => ports.bus.close(),
    unheldFor: (name, ms) => {
      const record = cluster.store.processes.get(name);
      if (record) record.unheldSince = Date.now() - ms;
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
}

export function redisBench(redis: TestRedis): OpsBench {
  const bench = new RedisBench(redis);
  const keys = kernelKeys(bench.prefix);
  return {
    node: async (name, figures) => joined(await bench.connect(newNodeId(name)), name, figures),
    operator: async () => seeing(await bench.connect(newNodeId('operator'))),
    kill: (ports) => ports.bus.close(),
    unheldFor: async (name, ms) => {
      await command(redis, (client) => client.hset(keys.process(name), 'unheld', String(Date.now() - ms)));
    },
    close: () => bench.close(),
  };
}

async function joined(ports: ClusterPorts, name: string, info: Record<string, number> = {}): Promise<ClusterPorts> {
  await ports.store.announce(
    { id: ports.node, name, version: '1.2.3', startedAt: Date.now(), state: 'live', kinds: ['poller', 'room'], info },
    0,
  );
  return seeing(ports);
}

async function seeing(ports: ClusterPorts): Promise<ClusterPorts> {
  await ports.bus.holdPulse(ports.node);
  return ports;
}

/** Long enough that nothing expires by itself during a test. */
export const LEASE_MS = 60_000;

export interface Run {
  readonly record: ProcessRecord;
  readonly grant: Grant;
}

/** What a node's kernel does to run a process. */
export async function run({ node, leases, store }: ClusterPorts, name: string, kind = 'poller'): Promise<Run> {
  await store.register({ name, kind, args: null });
  const grant = await leases.acquire(name, LEASE_MS);
  const fence = grant && (await leases.fence(grant));
  if (!grant || fence === null) throw new Error(`${name} is held by somebody else`);
  await store.claim(name, node, fence);
  await store.report(name, fence, 'running', 0, null);
  const record = await store.process(name);
  if (!record) throw new Error(`${name} is gone`);
  return { record, grant };
}

/** A node's viewers of one channel. */
export async function watch(ports: ClusterPorts, poller: string, channel: string, viewers: number): Promise<void> {
  const hold = { node: ports.node, ref: channel, detail: JSON.stringify({ n: viewers }) };
  await ports.store.hold({ name: poller, kind: 'poller', args: null }, hold);
}
