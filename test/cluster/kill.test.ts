import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startCluster, type TestCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { clock, Lookout, nodeNamed, oneRow } from './hub.js';
import { figures, TestViewer } from './viewer.js';

const ROUNDS = 20;
const VIEWERS = 6;
const POLLER = 'poller:beat';
let cluster: TestCluster;
let lookout: Lookout;
let viewers: TestViewer[] = [];

beforeAll(async () => {
  cluster = await startCluster({
    // One to spare: the rounds follow so quickly that of three, two would always have only just come.
    nodes: 4,
    nginx: true,
    topics: { 'beat.sql': clock('killed_beat', '200ms') },
    schema: oneRow('killed_beat'),
  });
  lookout = new Lookout(cluster);
  viewers = await Promise.all(Array.from({ length: VIEWERS }, () => TestViewer.watch(cluster.url, { topic: 'beat' })));
  // Nodes that have just come do not take a missing pulse for a death yet: that is another test's business.
  await viewers[0]?.more(12);
}, 60_000);

afterAll(async () => {
  for (const viewer of viewers) viewer.close();
  await lookout.close();
  await cluster.stop();
}, 60_000);

test(`kill -9 of the polling node, ${ROUNDS} times: frames go on, none lost, none twice, seq never back`, async () => {
  const takeovers: number[] = [];
  const frames: number[] = [];
  const returns: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await Promise.all(viewers.map((viewer) => viewer.more(1)));
    const owner = await lookout.owner(POLLER);
    if (!owner) throw new Error('nobody polls');
    const node = nodeNamed(cluster.nodes, owner.node);
    const cuts = viewers.map(({ disconnects }) => disconnects.length);
    const seen = viewers.map(({ received }) => received.length);

    const killedAt = Date.now();
    await node.kill('SIGKILL');
    const next = await lookout.newOwner(POLLER, owner.node);
    takeovers.push(Date.now() - killedAt);
    expect(next.fence).toBeGreaterThan(owner.fence);

    const first = await eventually(
      () =>
        viewers
          .flatMap((viewer, i) => viewer.received.slice(seen[i]))
          .find(({ rows }) => String(rows[0]?.by).includes(next.node)),
      { what: 'a frame of the new owner', everyMs: 5 },
    );
    frames.push(first.at - killedAt);
    await Promise.all(viewers.map((viewer) => viewer.upTo(first)));
    const moved = viewers.filter(({ disconnects }, i) => disconnects.length > (cuts[i] ?? 0));
    for (const viewer of moved) {
      await eventually(() => viewer.socket.connected && viewer.backAt >= viewer.lostAt, { what: 'a viewer back' });
      returns.push(viewer.backAt - viewer.lostAt);
    }
    await cluster.add({ PORT: String(node.port), NODE_NAME: `r${round}-${cluster.prefix}` });
  }
  console.log(
    `kill -9 × ${ROUNDS}: new owner ${figures(takeovers)}; first frame ${figures(frames)}; ` +
      `${returns.length} viewers back ${figures(returns)}`,
  );

  const newest = viewers.map(({ last }) => last).reduce((a, b) => (b.seq > a.seq ? b : a));
  await Promise.all(viewers.map((viewer) => viewer.upTo(newest)));
  for (const viewer of viewers) {
    expect(viewer.violations).toEqual([]);
    // Nothing was skipped: every return went on from where it was.
    expect(viewer.reloads).toBe(0);
    expect(new Set(viewer.received.map(({ epoch }) => epoch)).size).toBe(1);
    for (const reason of viewer.disconnects) expect(reason).toBe('transport close');
  }
  const seen = new Map<string, string>();
  for (const viewer of viewers) {
    for (const [position, rows] of viewer.bySeq) {
      expect(rows).toBe(seen.get(position) ?? rows);
      seen.set(position, rows);
    }
  }
}, 180_000);
