import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { eventually } from './eventually.js';
import { startRedis, type TestRedis } from './redis.js';

let server: TestRedis;
let client: Redis;

beforeAll(async () => {
  server = await startRedis();
  client = new Redis(server.url, { retryStrategy: () => 20, maxRetriesPerRequest: null });
  client.on('error', () => undefined);
});
afterAll(async () => {
  client.disconnect();
  await server.stop();
});

test('answers, and is new enough for sharded pub/sub', async () => {
  expect(await client.ping()).toBe('PONG');
  expect(await client.spublish('channel', 'message')).toBe(0);
});

test('passes its arguments on', async () => {
  const small = await startRedis({ args: ['--maxmemory', '10mb'] });
  const other = new Redis(small.url);
  expect(await other.config('GET', 'maxmemory')).toEqual(['maxmemory', String(10 * 1024 * 1024)]);
  other.disconnect();
  await small.stop();
});

test('comes back on its port with its data, as another process', async () => {
  await client.set('kept', 'yes');
  const before = server.pid;
  await server.restart({ keepData: true });
  expect(server.pid).not.toBe(before);
  expect(await client.get('kept')).toBe('yes');
});

test('comes back empty when the data is not kept', async () => {
  await client.set('lost', 'yes');
  await server.restart({ keepData: false });
  expect(await client.get('lost')).toBeNull();
});

test('is silent while frozen, and answers when thawed', async () => {
  server.freeze();
  let answered = false;
  const answer = client.ping().then(() => (answered = true));
  // Another server's round trips pass meanwhile: time enough for an answer, if one could come.
  const witness = await startRedis();
  const other = new Redis(witness.url);
  for (let i = 0; i < 50; i++) await other.ping();
  expect(answered).toBe(false);
  server.thaw();
  await answer;
  expect(answered).toBe(true);
  other.disconnect();
  await witness.stop();
});

test('is gone after down, and stays gone until up', async () => {
  await server.down();
  const probe = new Redis(server.url, { lazyConnect: true, retryStrategy: null, maxRetriesPerRequest: 0 });
  probe.on('error', () => undefined);
  await expect(probe.connect()).rejects.toThrow();
  probe.disconnect();
  await server.up();
  expect(await eventually(() => client.ping())).toBe('PONG');
});
