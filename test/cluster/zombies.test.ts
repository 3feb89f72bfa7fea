import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { newLeaseValue, newNodeId } from '../../src/kernel/identity.js';
import { startCluster, type TestCluster } from '../support/cluster.js';
import { projectRoot } from '../support/project.js';
import { clock, Lookout, oneRow } from './hub.js';
import { TestViewer } from './viewer.js';

interface Zombie {
  kind: string;
  name: string;
  node: string | null;
  ageMs: number;
  evidence: string;
  removed?: boolean;
  outcome?: string;
}

const LIVING = 'poller:living';
const ghost = newNodeId('ghost');
let cluster: TestCluster;
let lookout: Lookout;
let viewer: TestViewer;

beforeAll(async () => {
  cluster = await startCluster({
    nodes: 2,
    topics: { 'living.sql': clock('living_rows', '250ms') },
    schema: oneRow('living_rows'),
    // So long that no reconcile pass of the nodes clears away what is planted before the tool finds it.
    env: { LEASE_MS: '120000', LINGER_MS: '1000' },
  });
  lookout = new Lookout(cluster);
  viewer = await TestViewer.watch(cluster.url, { topic: 'living' });
}, 60_000);

afterAll(async () => {
  viewer.close();
  await lookout.close();
  await cluster.stop();
}, 60_000);

/** The real tool, over the cluster's Redis. */
function zombies(...args: string[]): Promise<{ code: number; found: Zombie[] }> {
  const env = { PATH: process.env.PATH, REDIS_URL: cluster.redis.url, REDIS_PREFIX: cluster.prefix };
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      [join(projectRoot, 'dist', 'cli.js'), 'zombies', '--json', ...args],
      { env },
      (error, stdout, stderr) => {
        try {
          resolve({ code: Number(error?.code ?? 0), found: JSON.parse(stdout) as Zombie[] });
        } catch (cause) {
          reject(new Error(`${stdout}\n${stderr}`, { cause }));
        }
      },
    );
  });
}

async function plantProcess(name: string, fields: Record<string, string | number>): Promise<void> {
  const { client, keys } = lookout;
  const now = Date.now();
  const record = { name, kind: 'poller', args: '{}', node: '', fence: 7, state: 'running', since: now - 60_000 };
  await client.hset(keys.process(name), { ...record, restarts: 0, error: '', unheld: '', ...fields });
  await client.sadd(keys.processes, name);
}

async function plant(): Promise<Record<string, string>> {
  const { client, keys } = lookout;
  const living = await client.hget(keys.process(LIVING), 'node');
  if (!living) throw new Error('nobody polls');
  // Says that a living node runs it, but nobody has its lease.
  await plantProcess('poller:lost', { node: living });
  await plantProcess('poller:of_the_dead', { node: ghost });
  await client.set(keys.lease('poller:of_the_dead'), newLeaseValue(ghost), 'PX', 600_000);
  await plantProcess('poller:unwatched', { state: 'orphaned', unheld: Date.now() - 3_600_000 });
  await client.set(keys.lease('poller:nothing'), newLeaseValue(ghost), 'PX', 600_000);
  await client.hset(keys.holds(LIVING), `${ghost}\nliving`, '{"n":3}');
  await client.hset(keys.heldBy(ghost), LIVING, 1);
  await client.sadd(keys.holders, ghost);
  return client.hgetall(keys.process(LIVING));
}

test('a living cluster has none', async () => {
  expect(await zombies()).toEqual({ code: 0, found: [] });
});

test('one of each kind is found with its evidence, cleaned away, and the living are left alone', async () => {
  const holds = await lookout.client.hgetall(lookout.keys.holds(LIVING));
  expect(Object.keys(holds)).toHaveLength(1);
  const before = await plant();
  const dry = await zombies();
  expect(dry.code).toBe(1);
  const byKind = Object.fromEntries(dry.found.map((zombie) => [zombie.kind, zombie]));
  expect(dry.found).toHaveLength(5);
  expect(byKind['lost-lease']).toMatchObject({
    name: 'poller:lost',
    evidence: expect.stringMatching(/nobody holds its lease/) as unknown,
  });
  expect(byKind['dead-owner']).toMatchObject({
    name: 'poller:of_the_dead',
    node: 'ghost',
    evidence: expect.stringMatching(/fence 7.*dead.*without a pulse/) as unknown,
  });
  expect(byKind['unwatched-poller']).toMatchObject({
    name: 'poller:unwatched',
    evidence: expect.stringMatching(/without viewers for 36\d{5} ms.*linger/) as unknown,
  });
  expect(byKind['dead-presence']).toMatchObject({
    name: LIVING,
    node: 'ghost',
    evidence: expect.stringMatching(/presence of ghost.*dead/) as unknown,
  });
  expect(byKind['orphan-lease']).toMatchObject({
    name: 'poller:nothing',
    node: 'ghost',
    evidence: expect.stringMatching(/lease.*without a process/) as unknown,
  });
  for (const { ageMs } of dry.found) expect(ageMs).toBeGreaterThanOrEqual(0);
  expect(byKind['unwatched-poller']?.ageMs).toBeGreaterThan(3_500_000);

  // Looking changed nothing.
  expect((await zombies()).found.map(({ kind }) => kind).sort()).toEqual(dry.found.map(({ kind }) => kind).sort());

  const seq = viewer.last.seq;
  const cleaned = await zombies('--clean');
  expect(cleaned.found.filter(({ removed }) => !removed)).toEqual([]);
  expect(cleaned.found).toHaveLength(5);
  expect(cleaned.code).toBe(0);
  expect(await zombies('--clean')).toEqual({ code: 0, found: [] });
  expect(await zombies()).toEqual({ code: 0, found: [] });

  const { client, keys } = lookout;
  expect(await client.exists(keys.lease('poller:nothing'), keys.lease('poller:of_the_dead'), keys.heldBy(ghost))).toBe(
    0,
  );
  expect(await client.sismember(keys.holders, ghost)).toBe(0);
  // The same owner under the same fence with its lease, the same viewer with the same channel.
  expect(await client.hgetall(keys.process(LIVING))).toEqual(before);
  expect(await client.get(keys.lease(LIVING))).toContain(before['node']);
  expect(await client.hgetall(keys.holds(LIVING))).toEqual(holds);
  await viewer.more(2);
  expect(viewer.last.seq).toBeGreaterThan(seq);
  expect(viewer.violations).toEqual([]);
  expect(viewer.statuses).toEqual([]);
}, 60_000);

test('what was planted is not resurrected', async () => {
  const names = await lookout.names();
  expect(names).toContain(LIVING);
  expect(names).not.toContain('poller:of_the_dead');
  expect(names).not.toContain('poller:unwatched');
});
