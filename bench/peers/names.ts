import { Redis } from 'ioredis';
import type { Logger } from '../../src/kernel/log.js';
import { hubModule, useHub } from '../support/project.js';
import { settingsOf } from './peer.js';
import type * as kernelModule from '../../src/kernel/kernel.js';
import type * as redisModule from '../../src/kernel/redis/cluster.js';
import type * as identityModule from '../../src/kernel/identity.js';

interface Settings {
  readonly hub: string;
  readonly redisUrl: string;
  readonly node: string;
  readonly leaseMs: number;
  /** Starts of processes that may be under way at once. */
  readonly atOnce: number;
}

/** What the bench tells it: make sure of the names from `from` up to `to`, called `prefix` and a number. */
interface EnsureOrder {
  readonly prefix: string;
  readonly from: number;
  readonly to: number;
  /** Wall clock ms at which to begin. */
  readonly at?: number;
}

/** A node that is only a kernel: named processes of the least kind, held on Redis. */
const settings = settingsOf<Settings>();
useHub(settings.hub);
const { Kernel } = await hubModule<typeof kernelModule>('kernel/kernel.js');
const { openRedisCluster } = await hubModule<typeof redisModule>('kernel/redis/cluster.js');
const { newNodeId } = await hubModule<typeof identityModule>('kernel/identity.js');

const say = (fields: object, message: string): void =>
  void process.stderr.write(`${message} ${JSON.stringify(fields)}\n`);
const quiet = (): void => undefined;
const log: Logger = { debug: quiet, info: quiet, warn: say, error: say };

const node = newNodeId(settings.node);
const ports = await openRedisCluster({ node, url: settings.redisUrl, lockUrls: [], prefix: 'bench', log });
const kernel = new Kernel({ ports, version: 'bench', log, leaseMs: settings.leaseMs });
const counter = new Redis(settings.redisUrl);
kernel.define<{ count: boolean }, unknown, unknown, unknown>({
  kind: 'idle',
  start: async ({ count }, context) => {
    // Counted where both nodes see it: a second start of a name that is owned would show.
    if (count) await counter.hincrby('bench:starts', context.name, 1);
    return {};
  },
});
await kernel.start();

process.on('message', (order: EnsureOrder) => {
  ensure(order).then(
    (latencies) => process.send?.({ latencies, owned: kernel.owned().length }),
    (error: unknown) => process.send?.({ error: String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));
process.send?.({ port: 0 });

async function ensure({ prefix, from, to, at }: EnsureOrder): Promise<number[]> {
  if (at !== undefined) await new Promise((wake) => setTimeout(wake, at - Date.now()));
  const latencies: number[] = [];
  let next = from;
  const worker = async (): Promise<void> => {
    while (next < to) {
      const name = `${prefix}:${next++}`;
      const began = performance.now();
      await kernel.ensure({ name, kind: 'idle', args: { count: at !== undefined } });
      latencies.push(performance.now() - began);
    }
  };
  await Promise.all(Array.from({ length: settings.atOnce }, worker));
  return latencies;
}
