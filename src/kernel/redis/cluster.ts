import { systemClock, type Clock } from '../clock.js';
import type { NodeId } from '../identity.js';
import type { Logger } from '../log.js';
import type { ClusterPorts } from '../ports/cluster.js';
import { RedisBus } from './bus.js';
import { connect, loadScripts, ScriptRunner, type RedisClient } from './connection.js';
import { kernelKeys } from './keys.js';
import { RedisLeases } from './leases.js';
import { RedisStore } from './store.js';
import { RedisSubscriber } from './subscriber.js';

export interface RedisClusterOptions {
  readonly node: NodeId;
  readonly url: string;
  /** Independent masters for the lock's quorum; empty: `url`. */
  readonly lockUrls: readonly string[];
  readonly prefix: string;
  readonly log: Logger;
  readonly clock?: Clock;
}

/** A node's connections to Redis, beside the ports that the kernel uses: for the frames and the socket adapter. */
export interface RedisPorts extends ClusterPorts {
  readonly client: RedisClient;
  readonly subscriber: RedisSubscriber;
  readonly prefix: string;
}

const LOCK_TIMEOUT_MS = 300;
const COMMAND_TIMEOUT_MS = 1_500;
const scripts = loadScripts(new URL('../scripts/', import.meta.url));

/** Opens everything; rejects with `UNAVAILABLE`, and leaves nothing open, when a Redis does not answer. */
export async function openRedisCluster(options: RedisClusterOptions): Promise<RedisPorts> {
  const { node, url, log, prefix } = options;
  const clock = options.clock ?? systemClock;
  const keys = kernelKeys(prefix);
  const opened: { disconnect(): void }[] = [];
  const open = async (target: string, name: string, commandTimeoutMs: number): Promise<RedisClient> => {
    const client = await connect({ url: target, name: `${name}:${node}`, commandTimeoutMs, log });
    opened.push(client);
    return client;
  };
  try {
    const client = await open(url, 'pollcast', COMMAND_TIMEOUT_MS);
    const lockUrls = options.lockUrls.length > 0 ? options.lockUrls : [url];
    const masters: ScriptRunner[] = [];
    for (const lockUrl of lockUrls)
      masters.push(new ScriptRunner(await open(lockUrl, 'locks', LOCK_TIMEOUT_MS), scripts));
    const subscriber = await RedisSubscriber.open({ url, name: `subscriber:${node}`, log });
    opened.push({ disconnect: () => subscriber.close() });
    const runner = new ScriptRunner(client, scripts);
    const bus = new RedisBus(url, runner, subscriber, keys, clock, log);
    return {
      node,
      client,
      subscriber,
      prefix,
      leases: new RedisLeases(masters, node, keys, clock),
      store: new RedisStore(runner, keys),
      bus,
      close: async () => {
        await bus.close();
        for (const connection of opened.splice(0)) connection.disconnect();
      },
    };
  } catch (error) {
    for (const connection of opened) connection.disconnect();
    throw error;
  }
}
