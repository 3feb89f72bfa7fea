import { randomBytes } from 'node:crypto';
import { redactUrls, type Config } from '../config.js';
import { describe, PollcastError } from '../errors.js';
import { newNodeId } from '../kernel/identity.js';
import type { Logger } from '../kernel/log.js';
import { MemoryCluster } from '../kernel/memory/cluster.js';
import type { ClusterPorts } from '../kernel/ports/cluster.js';
import { openRedisCluster, type RedisPorts } from '../kernel/redis/cluster.js';
import { unavailable } from '../kernel/redis/connection.js';
import type { FrameStore } from '../polling/frames/frames.js';
import { MemoryFrames } from '../polling/frames/memory.js';
import { RedisFrames } from '../polling/frames/redis.js';

/**
 * This node's cluster: Redis when there is one, else its own memory.
 *
 * @throws PollcastError `UNAVAILABLE` for whoever starts it, with where Redis was looked for
 */
export async function openCluster(config: Config, log: Logger): Promise<ClusterPorts> {
  const { redisUrl: url, lockRedisUrls: lockUrls, redisPrefix: prefix } = config;
  const node = newNodeId(config.nodeName);
  if (url === undefined) return new MemoryCluster().connect(node);
  try {
    return await openRedisCluster({ node, url, lockUrls, prefix, log });
  } catch (error) {
    const where = redactUrls([url, ...lockUrls].join(', '));
    const reason = error instanceof Error && error.cause !== undefined ? ` (${describe(error.cause)})` : '';
    const message = `Redis at ${where} does not answer${reason}: is REDIS_URL right, and does it run?`;
    throw new PollcastError('UNAVAILABLE', message, undefined, { cause: error });
  }
}

export function isRedis(ports: ClusterPorts): ports is RedisPorts {
  return 'subscriber' in ports;
}

export function openFrames(ports: ClusterPorts): FrameStore {
  return isRedis(ports) ? new RedisFrames(ports) : new MemoryFrames();
}

const SECRET_BYTES = 32;

/** Random bytes that all nodes of the cluster have in common: made by the first that asks. */
export async function clusterSecret(ports: ClusterPorts): Promise<Uint8Array> {
  const made = randomBytes(SECRET_BYTES);
  if (!isRedis(ports)) return made;
  const key = `{${ports.prefix}}:secret`;
  try {
    await ports.client.set(key, made.toString('base64'), 'NX');
    return Buffer.from((await ports.client.get(key)) ?? '', 'base64');
  } catch (error) {
    throw unavailable(error);
  }
}
