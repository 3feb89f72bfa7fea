import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startCluster, type TestCluster } from './cluster.js';
import { eventually } from './eventually.js';
import { startNode } from './node.js';

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2, nginx: true, topics: { 'clock.sql': 'SELECT 1 AS n' } });
}, 60_000);
afterAll(() => cluster.stop(), 60_000);

test('every node is a process of its own and is ready, also through nginx', async () => {
  expect(new Set(cluster.nodes.map(({ pid }) => pid)).size).toBe(2);
  for (const url of [...cluster.nodes.map((node) => node.url), cluster.url]) {
    expect((await fetch(`${url}/health/ready`)).status).toBe(200);
  }
});

test('a frozen node does not answer, and does again when thawed', async () => {
  const node = cluster.nodes[1];
  if (!node) throw new Error('no second node');
  node.freeze();
  await expect(fetch(`${node.url}/health/live`, { signal: AbortSignal.timeout(300) })).rejects.toThrow();
  node.thaw();
  expect((await eventually(() => fetch(`${node.url}/health/live`))).status).toBe(200);
});

test('a killed node is gone at once, and does not spoil the stop of the others', async () => {
  const node = await cluster.add();
  await node.kill('SIGKILL');
  expect(await node.exited).toEqual({ code: null, signal: 'SIGKILL' });
  expect(node.alive()).toBe(false);
});

test('a node that cannot start fails the start with its own words', async () => {
  const started = startNode({ env: { DATABASE_URL: cluster.database.url, LEASE_MS: 'soon' } });
  await expect(started).rejects.toThrow(/LEASE_MS.*expected.*got/);
});
