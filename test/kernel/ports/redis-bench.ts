import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { silent } from '../../../src/kernel/log.js';
import { openRedisCluster, type RedisPorts } from '../../../src/kernel/redis/cluster.js';
import type { TestRedis } from '../../support/redis.js';

/** A cluster of its own (a random prefix) in a Redis that several tests share. */
export class RedisBench {
  readonly prefix = `t${randomBytes(4).toString('hex')}`;
  readonly opened: RedisPorts[] = [];

  constructor(
    readonly redis: TestRedis,
    readonly locks: readonly TestRedis[] = [],
  ) {}

  async connect(node: string): Promise<RedisPorts> {
    const ports = await openRedisCluster({
      node,
      url: this.redis.url,
      lockUrls: this.locks.map((lock) => lock.url),
      prefix: this.prefix,
      log: silent,
    });
    this.opened.push(ports);
    return ports;
  }

  /** FLUSHALL everywhere. */
  async wipe(): Promise<void> {
    for (const redis of new Set([this.redis, ...this.locks])) await command(redis, (client) => client.flushall());
  }

  async close(): Promise<void> {
    for (const ports of this.opened.splice(0)) await ports.close();
  }
}

/** One command on a connection of its own. */
export async function command<T>(redis: TestRedis, run: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis({ host: '127.0.0.1', port: redis.port, connectionName: 'test' });
  client.on('error', () => undefined);
  try {
    return await run(client);
  } finally {
    client.disconnect();
  }
}
