import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { fraction } from '../../src/polling/names.js';
import { startCluster, type TestCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { clock, complaints, Lookout, nodeNamed, oneRow, others, processes } from './hub.js';
import { TestViewer } from './viewer.js';

const INTERVAL_MS = 500;
const POLLER = 'poller:grid';
let cluster: TestCluster;
let lookout: Lookout;
let viewers: TestViewer[] = [];

beforeAll(async () => {
  cluster = await startCluster({
    nginx: true,
    topics: { 'grid.sql': clock('handed_over', `${INTERVAL_MS}ms`) },
    schema: oneRow('handed_over'),
    env: { LEASE_MS: '4000' },
  });
  lookout = new Lookout(cluster);
  viewers = await Promise.all([
    ...cluster.nodes.map(({ url }) => TestViewer.watch(url, { topic: 'grid' })),
    ...cluster.nodes.map(() => TestViewer.watch(cluster.url, { topic: 'grid' })),
  ]);
}, 60_000);

afterAll(async () => {
  for (const viewer of viewers) viewer.close();
  await lookout.close();
  await cluster.stop();
}, 60_000);

/** Which due time of the topic's grid a poll belongs to. */
function due(at: number): number {
  return Math.floor((at - fraction('grid') * INTERVAL_MS) / INTERVAL_MS);
}

async function ownerOf(): Promise<{ node: string; fence: number }> {
  const owner = await lookout.owner(POLLER);
  if (!owner) throw new Error('nobody polls');
  return owner;
}

test('SIGTERM of the polling node: no poll is missed, and no frame lost, also not by its own viewers', async () => {
  await Promise.all(viewers.map((viewer) => viewer.more(3)));
  const owner = await ownerOf();
  const node = nodeNamed(cluster.nodes, owner.node);
  const rest = viewers.filter(({ socket }) => !isOn(socket.io.opts.port, node.port));
  const from = rest[0]?.received.length ?? 0;

  await node.kill('SIGTERM');
  expect({ ...(await node.exited), said: complaints(node) }).toEqual({ code: 0, signal: null, said: [] });
  await Promise.all(rest.map((viewer) => viewer.more(5)));

  const next = await ownerOf();
  expect(next.node).not.toBe(owner.node);
  expect(next.fence).toBeGreaterThan(owner.fence);
  for (const viewer of rest) {
    expect(viewer.violations).toEqual([]);
    expect(viewer.reloads).toBe(0);
    expect(viewer.statuses).toEqual([]);
    expect(new Set(viewer.received.map(({ epoch }) => epoch)).size).toBe(1);
    // Ended so that every client of socket.io comes back by itself: not 'io server disconnect'.
    expect(viewer.disconnects.every((reason) => reason === 'transport close')).toBe(true);
  }
  const polled = rest[0]?.received.slice(Math.max(0, from - 3)).map(({ rows }) => due(Number(rows[0]?.at))) ?? [];
  const missing = Array.from({ length: (polled.at(-1) ?? 0) - (polled[0] ?? 0) + 1 }, (_, i) => (polled[0] ?? 0) + i);
  expect(missing.filter((cell) => !polled.includes(cell))).toEqual([]);

  // The one that it stood on is gone: the test's own viewers there have nothing more to see.
  for (const viewer of viewers) if (!rest.includes(viewer)) viewer.close();
  viewers = rest;
  await cluster.add({ NODE_NAME: `after-term-${cluster.prefix}`, PORT: String(node.port) });
}, 60_000);

test('SIGSTOP for longer than the lease: another one polls; awake again, the old one is not heard and steps down', async () => {
  const owner = await ownerOf();
  const node = nodeNamed(cluster.nodes, owner.node);
  const its = await TestViewer.watch(node.url, { topic: 'grid' });
  viewers.push(its);
  await its.more(1);
  const survivors = viewers.filter(({ socket }) => !isOn(socket.io.opts.port, node.port));
  const counts = survivors.map(({ received, statuses }) => ({ received: received.length, statuses: statuses.length }));

  node.freeze();
  const next = await lookout.newOwner(POLLER, owner.node);
  expect(next.fence).toBeGreaterThan(owner.fence);
  const direct = survivors.filter((viewer) =>
    others(cluster.nodes, owner.node).some(({ port }) => isOn(viewer.socket.io.opts.port, port)),
  );
  await Promise.all(direct.map((viewer) => viewer.more(3)));

  node.thaw();
  const wokenAt = direct[0]?.received.length ?? 0;
  await Promise.all(direct.map((viewer) => viewer.more(4)));
  await its.upTo(direct[0]?.last ?? { epoch: 0, seq: 0 });

  // The store holds what the new one wrote, under its fence, and the old one knows it.
  const now = await lookout.owner(POLLER);
  expect(now?.fence).toBeGreaterThanOrEqual(next.fence);
  expect(now?.node).not.toBe(owner.node);
  const rows = await eventually(() => processes(node), { what: 'the woken node to answer' });
  expect(rows.filter(({ name }) => name === POLLER)).toEqual([
    expect.objectContaining({ node: now?.node, state: 'running' }),
  ]);
  await eventually(() => node.logs.some((line) => line.includes('others took this node for dead')), {
    what: 'the woken node to find out that it was taken for dead',
  });

  for (const [i, viewer] of survivors.entries()) {
    expect(viewer.violations).toEqual([]);
    expect(new Set(viewer.received.map(({ epoch }) => epoch)).size).toBe(1);
    if (!direct.includes(viewer)) continue;
    // Told at most once that it was stale, and at most once that it is live again.
    const told = viewer.statuses.slice(counts[i]?.statuses).map(({ state }) => state);
    expect([[], ['stale', 'live']]).toContainEqual(told);
  }
  expect(its.violations).toEqual([]);
  const after = direct[0]?.received.slice(wokenAt).map(({ rows: [row] }) => String(row?.by)) ?? [];
  expect(after.filter((by) => by.includes(owner.node))).toEqual([]);
  expect(node.alive()).toBe(true);
  expect(complaints(node)).toEqual([]);
}, 60_000);

function isOn(given: string | number | undefined, port: number): boolean {
  return String(given) === String(port);
}
