import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startCluster, type TestCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { clock, complaints, oneRow } from './hub.js';
import { TestViewer } from './viewer.js';

const OUTAGE_MS = 10_000;
let cluster: TestCluster;
let viewers: TestViewer[] = [];

beforeAll(async () => {
  cluster = await startCluster({
    nodes: 2,
    topics: { 'weather.sql': clock('weather', '250ms') },
    schema: oneRow('weather'),
    // Each node waits for the cluster; that it can do without is tried in redis-loss and alone.
    env: { LEASE_MS: '2000', ON_REDIS_LOSS: 'pause' },
  });
  viewers = await Promise.all(
    cluster.nodes.flatMap(({ url }) => [0, 1].map(() => TestViewer.watch(url, { topic: 'weather' }))),
  );
}, 60_000);

afterAll(async () => {
  for (const viewer of viewers) viewer.close();
  await cluster.stop();
}, 60_000);

/** What each viewer has been told since; waits until the last word is `state`. */
async function told(state: string, since: readonly number[]): Promise<string[][]> {
  const words = () =>
    viewers.map(({ statuses }, i) => statuses.slice(since[i]).map((status) => status.state as string));
  await eventually(() => words().every((list) => list.at(-1) === state), {
    what: `all viewers to be told ${state}`,
    deadlineMs: 30_000,
  });
  return words();
}

/** What is said while a node's line to Redis is down is lost; its viewers then go on from the newest frame. */
function cutOff(now: boolean): void {
  for (const viewer of viewers) viewer.cutOff = now;
}

function nothingBroke(): void {
  for (const viewer of viewers) {
    expect(viewer.violations).toEqual([]);
    // The hub stays, so nobody is disconnected.
    expect(viewer.disconnects).toEqual([]);
  }
  for (const node of cluster.nodes) {
    expect(node.alive()).toBe(true);
    expect(complaints(node)).toEqual([]);
  }
}

test('Postgres restarts: viewers are told, frames go on where they were', async () => {
  await Promise.all(viewers.map((viewer) => viewer.more(2)));
  const since = viewers.map(({ statuses }) => statuses.length);
  await cluster.postgres.down();
  await told('stale', since);
  for (const { statuses } of viewers) expect(statuses.at(-1)).toMatchObject({ channel: 'weather', reason: 'database' });
  await cluster.postgres.up();
  const words = await told('live', since);
  await Promise.all(viewers.map((viewer) => viewer.more(3)));
  // A machine that is slow stretches rounds, and says that it is live as often as that changes.
  for (const list of words) expect(list.filter((word, i) => word !== list[i - 1])).toEqual(['stale', 'live']);
  for (const { received } of viewers) expect(new Set(received.map(({ epoch }) => epoch)).size).toBe(1);
  nothingBroke();
}, 60_000);

test(`Redis is gone for ${OUTAGE_MS / 1000} s, and comes back empty: viewers are told, frames resume on both nodes`, async () => {
  await Promise.all(viewers.map((viewer) => viewer.more(1)));
  const since = viewers.map(({ statuses }) => statuses.length);
  cutOff(true);
  await cluster.redis.down();
  const downAt = Date.now();
  await told('stale', since);
  for (const { statuses } of viewers) expect(statuses.at(-1)).toMatchObject({ channel: 'weather', reason: 'cluster' });
  const refused = await fetch(`${cluster.nodes[0]?.url}/health/ready`);
  expect(refused.status).toBe(503);
  expect(((await refused.json()) as { reasons: string[] }).reasons.join()).toMatch(/cluster/);
  expect((await fetch(`${cluster.nodes[0]?.url}/health/live`)).status).toBe(200);
  await eventually(() => Date.now() - downAt >= OUTAGE_MS, { what: 'the end of the outage', everyMs: 100 });

  await cluster.redis.up();
  const upAt = Date.now();
  await told('live', since);
  await Promise.all(viewers.map((viewer) => viewer.more(3)));
  cutOff(false);
  console.log(
    `Redis gone for ${OUTAGE_MS} ms: live again ${Math.max(...viewers.map(({ statuses }) => statuses.at(-1)?.since ?? 0)) - upAt} ms after it answered`,
  );
  nothingBroke();
  await eventually(async () => (await fetch(`${cluster.nodes[1]?.url}/health/ready`)).status === 200);
  // Both nodes see the same channel again.
  const newest = viewers.map(({ last }) => last).reduce((a, b) => (b.epoch > a.epoch || b.seq > a.seq ? b : a));
  await Promise.all(viewers.map((viewer) => viewer.upTo(newest)));
  expect(new Set(viewers.map(({ last }) => last.epoch)).size).toBe(1);
}, 90_000);

test('Redis restarts with its data: the same epoch goes on', async () => {
  const epochs = viewers.map(({ last }) => last.epoch);
  const since = viewers.map(({ statuses }) => statuses.length);
  cutOff(true);
  await cluster.redis.restart({ keepData: true });
  await Promise.all(viewers.map((viewer) => viewer.more(3)));
  cutOff(false);
  await Promise.all(viewers.map((viewer) => viewer.more(2)));
  expect(viewers.map(({ last }) => last.epoch)).toEqual(epochs);
  await eventually(() =>
    viewers.every(({ statuses }, i) => statuses.length === since[i] || statuses.at(-1)?.state === 'live'),
  );
  nothingBroke();
}, 60_000);
