import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { startCluster, type TestCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import type { TestNode } from '../support/node.js';
import { startProxy, type TestProxy } from '../support/proxy.js';
import { startRedis, type TestRedis } from '../support/redis.js';
import { clock, oneRow } from './hub.js';
import { TestViewer } from './viewer.js';

let redis: TestRedis;
let line: TestProxy;
let cluster: TestCluster;
let node: TestNode;

beforeAll(async () => {
  redis = await startRedis();
  line = await startProxy(redis.port);
  cluster = await startCluster({
    nodes: 0,
    redis,
    topics: { 'clock.sql': clock('canary_rows', '200ms') },
    schema: oneRow('canary_rows'),
  });
  node = await cluster.add({ REDIS_URL: `redis://127.0.0.1:${line.port}` });
}, 60_000);

afterAll(async () => {
  await cluster?.stop();
  await line?.stop();
  await redis?.stop();
}, 60_000);

async function health(): Promise<{ ok: boolean; reasons?: string[] }> {
  const response = await fetch(`${node.url}/health/ready`);
  return (await response.json()) as { ok: boolean; reasons?: string[] };
}

test('nothing gets through although every command is answered: health is red and viewers are told, until it does', async () => {
  const viewer = await TestViewer.watch(node.url, { topic: 'clock' });
  viewer.cutOff = true;
  await viewer.more(2);
  expect(await health()).toEqual({ ok: true });

  line.become('mute');
  const red = await eventually(async () => {
    const answer = await health();
    return answer.ok ? null : answer;
  });
  expect(red).toMatchObject({ ok: false });
  expect(red?.reasons).toContainEqual(expect.stringMatching(/^canary: a message to this node itself did not arrive/));
  // Commands do get through, on the very same line.
  const client = new Redis({ port: line.port, host: '127.0.0.1' });
  expect(await client.ping()).toBe('PONG');
  client.disconnect();
  await eventually(() => viewer.statuses.some(({ state, reason }) => state === 'stale' && reason === 'cluster'), {
    what: 'word that the rows may be old',
  });

  line.become('pass');
  await eventually(async () => (await health()).ok, { what: 'health to be green again' });
  await eventually(() => viewer.statuses.at(-1)?.state === 'live', { what: 'live rows' });
  await viewer.more(2);
  expect(viewer.violations).toEqual([]);
  viewer.close();
}, 120_000);
