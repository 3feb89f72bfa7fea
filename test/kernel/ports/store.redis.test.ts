import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from '../../support/eventually.js';
import { startRedis, type TestRedis } from '../../support/redis.js';
import { RedisBench } from './redis-bench.js';
import { storeSuite } from './store.suite.js';

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

storeSuite('Redis', async () => {
  const bench = new RedisBench(redis);
  return {
    port: async (node) => (await bench.connect(node)).store,
    wipe: () => bench.wipe(),
    close: () => bench.close(),
  };
});

describe('the store when Redis does not answer', () => {
  it('rejects with UNAVAILABLE, and works again when Redis does, its scripts forgotten or not', async () => {
    const bench = new RedisBench(redis);
    try {
      const { store } = await bench.connect('a~1');
      await store.register({ name: 'x', kind: 'k', args: 1 });
      await redis.down({ keepData: true });
      await expect(store.process('x')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      await expect(store.register({ name: 'y', kind: 'k', args: 1 })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      await redis.up();
      const record = await eventually(() => store.register({ name: 'x', kind: 'other', args: 2 }), { what: 'Redis' });
      expect(record).toMatchObject({ name: 'x', kind: 'k', args: 1 });
    } finally {
      await bench.close();
    }
  });
});
