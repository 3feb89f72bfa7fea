import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Round } from '../../../src/polling/frames/frames.js';
import { RedisFrames } from '../../../src/polling/frames/redis.js';
import { command, RedisBench } from '../../kernel/ports/redis-bench.js';
import { eventually } from '../../support/eventually.js';
import { startRedis, type TestRedis } from '../../support/redis.js';
import { found, framesSuite } from './frames.suite.js';

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

let nodes = 0;
framesSuite('Redis', () => {
  const bench = new RedisBench(redis);
  return Promise.resolve({
    store: async () => new RedisFrames(await bench.connect(`n${++nodes}~1`)),
    wipe: () => bench.wipe(),
    close: () => bench.close(),
  });
});

describe('frames in Redis', () => {
  it('rejects with UNAVAILABLE while Redis is away, tells when the link is back, and hears rounds again', async () => {
    const bench = new RedisBench(redis);
    try {
      const store = new RedisFrames(await bench.connect('a~1'));
      const links: boolean[] = [];
      const heard: Round[] = [];
      store.onLink((up) => links.push(up));
      await store.subscribe('p', (round) => heard.push(round));
      await redis.down();
      await expect(store.newest('p', 'a')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      await expect(store.publish('p', 1, found({ a: '[1]' }), { retainMs: 0 })).rejects.toMatchObject({
        code: 'UNAVAILABLE',
      });
      await redis.up();
      await eventually(() => links.at(-1) === true);
      await eventually(() => store.open('p', 1));
      await store.publish('p', 1, found({ a: '[1]' }), { retainMs: 0 });
      await eventually(() => heard.length > 0);
      expect(links).toEqual([false, true]);
      expect(heard[0]?.frames).toMatchObject([{ channel: 'a', seq: 1 }]);
    } finally {
      await bench.close();
    }
  });

  it('keeps the fence of a poller that begins anew after its end, for as long as it lives', async () => {
    const bench = new RedisBench(redis);
    try {
      const store = new RedisFrames(await bench.connect('a~1'));
      const ttl = () => command(redis, (client) => client.ttl(`{${bench.prefix}:p}:meta`));
      await store.open('p', 1);
      await store.drop('p', 1);
      expect(await ttl()).toBeGreaterThan(0);
      await store.open('p', 2);
      expect(await ttl()).toBe(-1);
    } finally {
      await bench.close();
    }
  });
});
