import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startCluster, type TestCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { startPostgres, type TestPostgres } from '../support/postgres.js';
import { clock, complaints, oneRow } from './hub.js';
import { TestViewer } from './viewer.js';

const INTERVAL_MS = 500;
/** Viewers are told when the cluster is away; some polls later every node must have taken over for its own. */
const TAKEN_OVER_MS = 4_000;
const REDIS_LOST = { topic: 'lost' };
let postgres: TestPostgres;
let cluster: TestCluster;
let viewers: TestViewer[] = [];

beforeAll(async () => {
  // What was asked is read from Postgres's own log: when, and by which node.
  postgres = await startPostgres({ settings: { log_statement: 'all', log_line_prefix: '%n %a ' } });
  cluster = await startCluster({
    nodes: 3,
    postgres,
    topics: { 'lost.sql': clock('redis_lost', `${INTERVAL_MS}ms`) },
    schema: oneRow('redis_lost'),
    env: { LEASE_MS: '2000' },
  });
  viewers = await Promise.all(cluster.nodes.flatMap(({ url }) => [0, 1].map(() => TestViewer.watch(url, REDIS_LOST))));
}, 60_000);

afterAll(async () => {
  for (const viewer of viewers) viewer.close();
  try {
    await cluster.stop();
  } finally {
    await postgres.stop();
  }
}, 60_000);

/** When the topic was asked for, by node. */
function asked(from: number, to: number): Map<string, number[]> {
  const times = new Map(cluster.nodes.map(({ name }) => [name, [] as number[]]));
  let entry: { at: number; by: string } | null = null;
  for (const line of postgres.log) {
    const head = /^(\d+\.\d+) (.*?) ?LOG: /.exec(line);
    // A statement has several lines: who and when stand on its first, the table on a later one.
    if (head) entry = { at: Number(head[1]) * 1000, by: line.includes('execute') ? (head[2] ?? '') : '' };
    if (!entry || !line.includes('FROM redis_lost')) continue;
    const { at, by } = entry;
    const node = cluster.nodes.find(({ name }) => by.includes(name));
    if (node && at >= from && at < to) times.get(node.name)?.push(at);
    entry = null;
  }
  return times;
}

async function told(state: string): Promise<void> {
  await eventually(() => viewers.every(({ statuses }) => statuses.at(-1)?.state === state), {
    what: `all viewers to be told ${state}`,
    deadlineMs: 30_000,
  });
}

/** What is left out when a viewer's epoch begins anew is told by nobody: only that nothing goes back. */
function cutOff(now: boolean): void {
  for (const viewer of viewers) viewer.cutOff = now;
}

async function outage(ms: number, away: () => Promise<void>, back: () => Promise<void>): Promise<void> {
  await Promise.all(viewers.map((viewer) => viewer.more(1)));
  const since = viewers.map(({ statuses }) => statuses.length);
  cutOff(true);
  await away();
  const awayAt = Date.now();
  await told('stale');
  await eventually(() => Date.now() - awayAt >= TAKEN_OVER_MS, { what: 'every node to have taken over', everyMs: 100 });
  // A new viewer comes in on the way, to a node that can ask nobody.
  const late = await TestViewer.watch(cluster.nodes[1]?.url ?? '', REDIS_LOST);
  late.cutOff = true;
  viewers.push(late);
  since.push(0);
  await eventually(() => Date.now() - awayAt >= ms, {
    what: 'the end of the outage',
    everyMs: 100,
    deadlineMs: 60_000,
  });
  const endAt = Date.now();
  await back();
  const upAt = Date.now();
  await told('live');
  const liveAt = Date.now();
  await Promise.all(viewers.map((viewer) => viewer.more(3)));
  cutOff(false);
  const newest = viewers.map(({ last }) => last).reduce((a, b) => (b.epoch > a.epoch || b.seq > a.seq ? b : a));
  await Promise.all(viewers.map((viewer) => viewer.upTo(newest)));
  expect(new Set(viewers.map(({ last }) => last.epoch)).size).toBe(1);

  const from = awayAt + TAKEN_OVER_MS;
  const intervals = Math.ceil((endAt - from) / INTERVAL_MS);
  const perNode = [...asked(from, endAt).values()].map(({ length }) => length);
  for (const count of perNode) {
    expect(count).toBeLessThanOrEqual(intervals + 1);
    expect(count).toBeGreaterThan(0);
  }
  let longestGap = 0;
  for (const [i, viewer] of viewers.entries()) {
    expect(viewer.violations).toEqual([]);
    expect(viewer.disconnects).toEqual([]);
    expect(viewer.statuses.slice(since[i]).map(({ state, reason }) => [state, reason])).toEqual([
      ['stale', 'cluster'],
      ['live', undefined],
    ]);
    const times = viewer.received.filter(({ at }) => at >= awayAt && at <= liveAt).map(({ at }) => at);
    // Not what was found before, told again: each frame is newer than the one before it.
    const found = viewer.received.map(({ rows }) => Number(rows[0]?.at));
    expect(found).toEqual([...found].sort((a, b) => a - b));
    expect(times.length).toBeGreaterThan(0);
    if (viewer !== late) times.forEach((at, n) => (longestGap = Math.max(longestGap, at - (times[n - 1] ?? awayAt))));
  }
  for (const node of cluster.nodes) {
    expect(node.alive()).toBe(true);
    expect(complaints(node)).toEqual([]);
  }
  console.log(
    `Redis away for ${endAt - awayAt} ms: ${perNode.join(', ')} queries by the nodes in ${intervals} intervals of ` +
      `${INTERVAL_MS} ms; the longest a viewer went without a frame: ${longestGap} ms; live ${liveAt - upAt} ms after it answered`,
  );
}

test('Redis is away for 10 s and comes back with its data: every node polls for its viewers, then one for all', async () => {
  const { redis } = cluster;
  await outage(
    10_000,
    () => redis.down({ keepData: true }),
    () => redis.up(),
  );
}, 60_000);

test('Redis is away for 30 s and comes back empty', async () => {
  const { redis } = cluster;
  await outage(
    30_000,
    () => redis.down(),
    () => redis.up(),
  );
}, 90_000);

test('Redis hangs with its connections open', async () => {
  const { redis } = cluster;
  await outage(
    10_000,
    () => Promise.resolve(redis.freeze()),
    () => Promise.resolve(redis.thaw()),
  );
}, 60_000);
