import { Redis } from 'ioredis';
import { eventually } from './eventually.js';
import { startRedis } from './redis.js';

export interface TestRedisCluster {
  /** Its nodes, comma-separated, as `REDIS_URL` takes them. */
  readonly url: string;
  /** Asks each shard by itself. */
  each<T>(ask: (client: Redis) => Promise<T>): Promise<T[]>;
  stop(): Promise<void>;
}

/** A Redis Cluster of two shards, one node each. */
export async function startRedisCluster(): Promise<TestRedisCluster> {
  const args = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000'];
  const shards = await Promise.all([startRedis({ args }), startRedis({ args })]);
  const each = <T>(ask: (client: Redis) => Promise<T>): Promise<T[]> =>
    Promise.all(
      shards.map(async ({ port }) => {
        const client = new Redis({ host: '127.0.0.1', port, connectionName: 'test' });
        client.on('error', () => undefined);
        try {
          return await ask(client);
        } finally {
          client.disconnect();
        }
      }),
    );
  const [first, second] = shards;
  let shard = 0;
  await each(async (client) => {
    const [from, to] = shard++ === 0 ? [0, 8_000] : [8_001, 16_383];
    await client.call('CLUSTER', 'ADDSLOTSRANGE', from, to);
    await client.call('CLUSTER', 'SET-CONFIG-EPOCH', shard);
    if (to === 16_383) await client.call('CLUSTER', 'MEET', '127.0.0.1', first.port);
  });
  const formed = async (): Promise<boolean> =>
    (await each((client) => client.call('CLUSTER', 'INFO'))).every((info) => String(info).includes('cluster_state:ok'));
  await eventually(formed, { what: 'the cluster to be formed', deadlineMs: 30_000 });
  return {
    url: [first.url, second.url].join(','),
    each,
    stop: async () => {
      await Promise.all(shards.map((one) => one.stop()));
    },
  };
}
