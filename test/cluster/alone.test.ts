import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startCluster, type TestCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import type { TestNode } from '../support/node.js';
import { startPostgres, type TestPostgres } from '../support/postgres.js';
import { startProxy, type ProxyMode, type TestProxy } from '../support/proxy.js';
import { startRedis, type TestRedis } from '../support/redis.js';
import { clock, complaints, Lookout, oneRow } from './hub.js';
import { TestViewer } from './viewer.js';

const INTERVAL_MS = 300;
const TOPIC = { topic: 'parted' };
const POLLER = 'poller:parted';

let redis: TestRedis;
let postgres: TestPostgres;
let line: TestProxy;
let cluster: TestCluster;
let lookout: Lookout;
let alone: TestNode;
let viewers: TestViewer[];

beforeAll(async () => {
  redis = await startRedis();
  postgres = await startPostgres({ settings: { log_statement: 'all', log_line_prefix: '%n %a ' } });
  line = await startProxy(redis.port);
  cluster = await startCluster({
    nodes: 2,
    redis,
    postgres,
    topics: { 'parted.sql': clock('parted_rows', `${INTERVAL_MS}ms`) },
    schema: oneRow('parted_rows'),
    env: { LEASE_MS: '2000' },
  });
  alone = await cluster.add({ REDIS_URL: `redis://127.0.0.1:${line.port}`, NODE_NAME: `alone-${cluster.prefix}` });
  lookout = new Lookout(cluster);
  viewers = await Promise.all(cluster.nodes.map(({ url }) => TestViewer.watch(url, TOPIC)));
}, 60_000);

afterAll(async () => {
  line?.become('pass');
  for (const viewer of viewers ?? []) viewer.close();
  await lookout?.close();
  await cluster?.stop();
  await line?.stop();
  await postgres?.stop();
  await redis?.stop();
}, 60_000);

/** When a node has asked for the topic, by Postgres's own log, in ms. */
function asked(node: TestNode): number[] {
  const times: number[] = [];
  let at: number | null = null;
  for (const text of postgres.log) {
    const head = /^(\d+\.\d+) (.*?) ?LOG: /.exec(text);
    if (head) at = text.includes('execute') && head[2]?.includes(node.name) ? Number(head[1]) * 1000 : null;
    if (at === null || !text.includes('FROM parted_rows')) continue;
    times.push(at);
    at = null;
  }
  return times;
}

test.each<[ProxyMode, boolean]>([
  ['blackhole', false],
  ['half-open', false],
  ['blackhole', true],
])(
  'one node alone behind a line that is %s (it was the owner: %s): it asks for its own viewers, and nobody is taken back',
  async (mode, wasOwner) => {
    const [first] = cluster.nodes as [TestNode, ...TestNode[]];
    const owner = wasOwner ? alone : first;
    const others = cluster.nodes.filter((node) => node !== alone);
    const mine = viewers[cluster.nodes.indexOf(alone)] as TestViewer;
    const theirs = viewers.filter((viewer) => viewer !== mine);
    const moved = await fetch(`${first.url}/api/processes/${encodeURIComponent(POLLER)}/move`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ to: owner.name }),
    });
    expect([200, 409]).toContain(moved.status);
    await eventually(async () => (await lookout.owner(POLLER))?.node === owner.name, { what: 'the owner' });
    await Promise.all(viewers.map((viewer) => viewer.more(2)));
    const since = viewers.map(({ statuses }) => statuses.length);
    const shows = ({ row }: TestViewer, node: TestNode): boolean => String(row.by).includes(node.name);
    for (const viewer of viewers) viewer.cutOff = true;

    line.become(mode);
    await eventually(() => mine.statuses.length > (since[viewers.indexOf(mine)] as number) && shows(mine, alone), {
      what: 'rows that the node has asked for itself',
      deadlineMs: 60_000,
    });
    await eventually(() => theirs.every((viewer) => others.some((node) => shows(viewer, node))), {
      what: 'the others to be polled for by one of theirs',
      deadlineMs: 60_000,
    });
    // From its own rows on it asks once an interval at most; a slow machine makes that fewer.
    await mine.more(2);
    const from = asked(alone).at(-1) as number;
    await Promise.all(viewers.map((viewer) => viewer.more(10)));
    const times = asked(alone).filter((at) => at >= from);
    expect(times.length).toBeGreaterThanOrEqual(10);
    expect(times.length - 1).toBeLessThanOrEqual(Math.ceil(((times.at(-1) as number) - from) / INTERVAL_MS) + 1);

    line.become('pass');
    await eventually(() => viewers.every(({ statuses }) => (statuses.at(-1)?.state ?? 'live') === 'live'), {
      what: 'everybody to be live',
      deadlineMs: 60_000,
    });
    await Promise.all(viewers.map((viewer) => viewer.more(3)));
    const newest = viewers.map(({ last }) => last).reduce((a, b) => (b.epoch > a.epoch || b.seq > a.seq ? b : a));
    await Promise.all(viewers.map((viewer) => viewer.upTo(newest)));
    expect(new Set(viewers.map(({ last }) => last.epoch)).size).toBe(1);
    for (const viewer of viewers) {
      viewer.cutOff = false;
      expect(viewer.violations).toEqual([]);
      expect(viewer.disconnects).toEqual([]);
      // By the database's own clock: each frame is newer than the one before it.
      const found = viewer.received.map(({ rows }) => Number(rows[0]?.at));
      expect(found).toEqual([...found].sort((a, b) => a - b));
    }
    const words = mine.statuses.slice(since[viewers.indexOf(mine)]).map(({ state, reason }) => [state, reason]);
    expect(words).toEqual([
      ['stale', 'cluster'],
      ['live', undefined],
    ]);
    for (const node of cluster.nodes) {
      expect(node.alive()).toBe(true);
      expect(complaints(node)).toEqual([]);
    }
  },
  180_000,
);
