import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startCluster, type TestCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { projectRoot } from '../support/project.js';
import { clock, get, Lookout, oneRow, others } from './hub.js';
import { TestViewer } from './viewer.js';

const POLLER = 'poller:moved';
let cluster: TestCluster;
let lookout: Lookout;
let viewers: TestViewer[] = [];

beforeAll(async () => {
  cluster = await startCluster({
    topics: { 'moved.sql': clock('moved_rows', '250ms'), 'later.sql': clock('later_rows', '250ms') },
    schema: oneRow('moved_rows') + oneRow('later_rows'),
    env: { LEASE_MS: '2000' },
  });
  lookout = new Lookout(cluster);
  viewers = await Promise.all(cluster.nodes.map(({ url }) => TestViewer.watch(url, { topic: 'moved' })));
}, 60_000);

afterAll(async () => {
  for (const viewer of viewers) viewer.close();
  await lookout.close();
  await cluster.stop();
}, 60_000);

/** The real tool, over the cluster's Redis. */
function pollcast(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const env = { PATH: process.env.PATH, REDIS_URL: cluster.redis.url, REDIS_PREFIX: cluster.prefix };
  return new Promise((resolve) => {
    execFile(process.execPath, [join(projectRoot, 'dist', 'cli.js'), ...args], { env }, (error, out, err) =>
      resolve({ code: Number(error?.code ?? 0), out, err }),
    );
  });
}

async function owner(): Promise<{ node: string; fence: number }> {
  return eventually(() => lookout.owner(POLLER), { what: `an owner of ${POLLER}` });
}

function nothingLost(): void {
  for (const viewer of viewers) {
    expect(viewer.violations).toEqual([]);
    expect(viewer.statuses).toEqual([]);
    expect(new Set(viewer.received.map(({ epoch }) => epoch)).size).toBe(1);
  }
}

test('move hands a watched poller to the node that is named, and viewers notice nothing', async () => {
  const before = await owner();
  const [target] = others(cluster.nodes, before.node);
  const moved = await pollcast('move', POLLER, '--to', target?.name ?? '');
  expect(moved).toMatchObject({ code: 0, err: '' });
  expect(moved.out).toContain(target?.name);
  const after = await owner();
  expect(after.node).toBe(target?.name);
  expect(after.fence).toBeGreaterThan(before.fence);
  await Promise.all(viewers.map((viewer) => viewer.more(4)));
  nothingLost();
});

test('a cordoned node gets no process until it is uncordoned', async () => {
  const before = await owner();
  const rest = others(cluster.nodes, before.node);
  for (const { name } of rest) expect((await pollcast('cordon', name)).code).toBe(0);
  const states = await get<{ name: string; state: string }[]>(`${cluster.url}/api/nodes`);
  expect(
    states
      .filter(({ state }) => state === 'cordoned')
      .map(({ name }) => name)
      .sort(),
  ).toEqual(rest.map(({ name }) => name).sort());
  const late = await TestViewer.watch(rest[0]?.url ?? '', { topic: 'later' });
  viewers.push(late);
  expect((await lookout.owner('poller:later'))?.node).toBe(before.node);
  viewers.pop()?.close();
  const refused = await pollcast('move', POLLER);
  expect(refused.code).not.toBe(0);
  expect(refused.err).not.toBe('');
  for (const { name } of rest) expect((await pollcast('uncordon', name)).code).toBe(0);
  expect((await pollcast('move', POLLER)).code).toBe(0);
  expect((await owner()).node).not.toBe(before.node);
  await Promise.all(viewers.map((viewer) => viewer.more(2)));
  nothingLost();
});

test('what does not exist is refused with a sentence', async () => {
  for (const args of [
    ['stop', 'poller:nothing'],
    ['move', 'poller:nothing'],
    ['cordon', 'nobody'],
  ]) {
    const { code, out, err } = await pollcast(...args);
    expect(code).not.toBe(0);
    expect(out).toBe('');
    expect(err).toContain(args[1]);
    expect(err).not.toMatch(/ at .*\.js:/);
  }
});
