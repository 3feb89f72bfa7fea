import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { expectNoLeaks } from './leaks.js';
import { startRedis, type TestRedis } from './redis.js';

let redis: TestRedis;

beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

test('a lease that is still held under the prefix is reported with its holder', async () => {
  const client = new Redis(redis.url);
  await client.set('mine:lease:poller:sales', 'node-1~abc#nonce', 'PX', 60_000);
  await client.set('other:lease:poller:sales', 'node-2~abc#nonce', 'PX', 60_000);
  await client.set('mine:note', 'not a lease');
  await client.quit();

  const check = expectNoLeaks({ redis, prefix: 'mine', patienceMs: 300 });
  await expect(check).rejects.toThrow(/poller:sales = node-1~abc#nonce/);
  await expect(expectNoLeaks({ redis, prefix: 'nobodys' })).resolves.toBeUndefined();
});

test('a connection that is still open is reported', async () => {
  const client = new Redis(redis.url, { connectionName: 'forgotten' });
  await client.ping();
  await expect(expectNoLeaks({ redis, patienceMs: 300 })).rejects.toThrow(/forgotten/);
  client.disconnect();
  await expect(expectNoLeaks({ redis })).resolves.toBeUndefined();
});
