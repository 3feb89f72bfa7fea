import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newNodeId } from '../../../src/kernel/identity.js';
import { silent } from '../../../src/kernel/log.js';
import { openRedisCluster, type RedisPorts } from '../../../src/kernel/redis/cluster.js';
import { RedisHistory } from '../../../src/rooms/history/redis.js';
import { MemoryRooms } from '../../../src/rooms/store/memory.js';
import { RedisRooms } from '../../../src/rooms/store/redis.js';
import { eventually } from '../../support/eventually.js';
import { startRedisCluster, type TestRedisCluster } from '../../support/redis-cluster.js';
import { startRedis, type TestRedis } from '../../support/redis.js';
import { VirtualTime } from '../../support/virtual-clock.js';
import { historySuite } from '../history/history.suite.js';
import { storeSuite, type StoreBench } from './store.suite.js';

let redis: TestRedis;
let cluster: TestRedisCluster;
beforeAll(async () => {
  [redis, cluster] = await Promise.all([startRedis(), startRedisCluster()]);
}, 60_000);
afterAll(() => Promise.all([redis.stop(), cluster.stop()]));

let prefixes = 0;

/** Connections on a prefix of their own. */
function connections(url: () => string): { open(): Promise<RedisPorts>; close(): Promise<void> } {
  const prefix = `rooms-${(prefixes += 1)}`;
  const opened: RedisPorts[] = [];
  return {
    async open() {
      const ports = await openRedisCluster({ node: newNodeId('a'), url: url(), lockUrls: [], prefix, log: silent });
      opened.push(ports);
      return ports;
    },
    async close() {
      for (const ports of opened) await ports.close();
    },
  };
}

function inRedis(url: () => string): () => Promise<StoreBench> {
  return () => {
    const { open, close } = connections(url);
    return Promise.resolve({
      another: async () => new RedisRooms(await open()),
      // Redis has a clock of its own.
      pass: (ms) => new Promise((wake) => setTimeout(wake, ms)),
      close,
    });
  };
}

storeSuite('in memory', () => {
  const time = new VirtualTime();
  const store = new MemoryRooms(time.clock());
  return Promise.resolve({
    another: () => Promise.resolve(store),
    pass: (ms) => time.advance(ms),
    close: () => Promise.resolve(),
  });
});
storeSuite(
  'in Redis',
  inRedis(() => redis.url),
);
storeSuite(
  'in a Redis Cluster',
  inRedis(() => cluster.url),
);

const closing: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const close of closing) await close();
});
historySuite('in a Redis Cluster', async () => {
  const { open, close } = connections(() => cluster.url);
  closing.push(close);
  return new RedisHistory(await open());
});

describe('rooms in a Redis Cluster', () => {
  it('lie on all of its shards', async () => {
    const { open, close } = connections(() => cluster.url);
    const ports = await open();
    const store = new RedisRooms(ports);
    for (let n = 0; n < 60; n++) {
      const head = { room: `r${n}`, version: 1, status: null, members: 1, at: 1 };
      await store.commit(`r${n}`, 1, { head, state: '{}', events: [], keepMs: null });
    }
    const counts = await cluster.each(async (client) => (await client.keys(`{${ports.prefix}:rooms:*}:room:*`)).length);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(60);
    expect(Math.min(...counts)).toBeGreaterThan(10);
    await close();
  });
});

describe('rooms while Redis is away', () => {
  it('are refused with UNAVAILABLE, and there again afterwards with what they had', async () => {
    const own = await startRedis();
    const { open, close } = connections(() => own.url);
    const store = new RedisRooms(await open());
    const head = { room: 'a', version: 1, status: null, members: 1, at: 1 };
    const one = { head, state: 'kept', events: [], keepMs: null };
    await store.commit('a', 1, one);
    await own.down({ keepData: true });
    const refused = { code: 'UNAVAILABLE' };
    await expect(store.commit('a', 1, one)).rejects.toMatchObject(refused);
    await expect(store.open('a', 1)).rejects.toMatchObject(refused);
    await expect(store.follow(() => undefined)).rejects.toMatchObject(refused);
    await expect(store.feed(10)).rejects.toMatchObject(refused);
    await expect(store.heads()).rejects.toMatchObject(refused);
    await own.up();
    expect(await eventually(() => store.open('a', 2), { what: 'Redis' })).toEqual({ saved: 'kept' });
    await close();
    await own.stop();
  });
});
