import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startCluster, type TestCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { clock, get, oneRow, others, processes } from './hub.js';
import { TestViewer } from './viewer.js';

const VIEWERS = 30;
const INTERVAL_MS = 500;
let cluster: TestCluster;
const viewers: TestViewer[] = [];

beforeAll(async () => {
  cluster = await startCluster({
    nginx: true,
    topics: { 'shared.sql': clock('one_query', `${INTERVAL_MS}ms`), 'quiet.sql': 'SELECT n FROM quiet_rows' },
    schema: oneRow('one_query') + oneRow('quiet_rows'),
  });
  viewers.push(
    ...(await Promise.all(Array.from({ length: VIEWERS }, () => TestViewer.watch(cluster.url, { topic: 'shared' })))),
  );
}, 60_000);

afterAll(async () => {
  for (const viewer of viewers) viewer.close();
  await cluster.stop();
}, 60_000);

test('30 viewers over three nodes cost one query per interval', async () => {
  const [first] = viewers;
  if (!first) throw new Error('no viewer');
  const spread = await eventually(
    async () => {
      const [row] = await get<{ viewers: number; nodes: Record<string, number> }[]>(
        `${cluster.nodes[0]?.url}/api/viewers`,
      );
      return row?.viewers === VIEWERS ? row.nodes : null;
    },
    { what: 'presence of all viewers' },
  );
  expect(Object.keys(spread).sort()).toEqual(cluster.nodes.map(({ name }) => name));

  await first.more(1);
  const from = first.last;
  const before = await cluster.postgres.queryCount('one_query', cluster.database.name);
  await first.more(10);
  const after = await cluster.postgres.queryCount('one_query', cluster.database.name);
  const to = first.last;

  const published = to.seq - from.seq;
  expect(after - before).toBeGreaterThanOrEqual(published - 1);
  // One more may have begun between a look at the frames and a look at the statements.
  expect(after - before).toBeLessThanOrEqual(published + 2);
  const intervals = (Number(to.rows[0]?.at) - Number(from.rows[0]?.at)) / INTERVAL_MS;
  expect(published).toBeLessThanOrEqual(Math.ceil(intervals) + 1);
});

test('all of them see the same frames, each once and in order', async () => {
  const newest = viewers.map(({ last }) => last).reduce((a, b) => (b.seq > a.seq ? b : a));
  await Promise.all(viewers.map((viewer) => viewer.upTo(newest)));
  const seen = new Map<string, string>();
  for (const viewer of viewers) {
    expect(viewer.violations).toEqual([]);
    expect(viewer.statuses).toEqual([]);
    for (const [position, rows] of viewer.bySeq) {
      expect(rows).toBe(seen.get(position) ?? rows);
      seen.set(position, rows);
    }
  }
});

test('one node asks for all: the others hold no connection for it', async () => {
  const pollers = (await processes(cluster.nodes[0]!)).filter(({ kind }) => kind === 'poller');
  expect(pollers).toHaveLength(1);
  const [row] = pollers;
  expect(row).toMatchObject({ name: 'poller:shared', kind: 'poller', state: 'running' });
  const askers = new Set(viewers.flatMap(({ received }) => received.map(({ rows }) => rows[0]?.by)));
  expect([...askers]).toEqual([expect.stringContaining(row?.node ?? '')]);
  expect(others(cluster.nodes, row?.node ?? '')).toHaveLength(2);
});

test('a viewer that comes later is served without a query of its own', async () => {
  const topic = 'quiet';
  const first = await TestViewer.watch(cluster.url, { topic });
  const late = await Promise.all(Array.from({ length: 12 }, () => TestViewer.watch(cluster.url, { topic })));
  viewers.push(first, ...late);
  for (const viewer of late) expect(viewer.last).toMatchObject({ seq: first.last.seq, rows: [{ n: 1 }] });
  // Published once: later polls found nothing new.
  expect(first.last.seq).toBe(1);
});
