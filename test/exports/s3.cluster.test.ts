import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Readable } from 'node:stream';
import type { Socket } from 'socket.io-client';
import { clusterMarkOf } from '../../src/cluster/cluster-mark.js';
import { exportsRoot } from '../../src/exports/record.js';
import { S3Storage } from '../../src/storage/s3-storage.js';
import { Lookout, nodeNamed, others } from '../cluster/hub.js';
import { call } from '../cluster/viewer.js';
import { startCluster, type TestCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { startProxy, type TestProxy } from '../support/proxy.js';
import { startS3, type TestS3 } from '../support/s3.js';
import { connect, copy, current, download, ended, JWT, orphans, request } from './users.js';

/** Two pieces and a bit. */
const ROWS = 230_000;

let s3: TestS3;
let proxy: TestProxy;
let storageUrl: string;
let storage: S3Storage;
let cluster: TestCluster;
let lookout: Lookout;
let wanted: string;
const sockets: Socket[] = [];

beforeAll(async () => {
  s3 = await startS3();
  const bucket = await s3.createBucket();
  const straight = s3.url(bucket, '/some/prefix');
  const port = Number(/127\.0\.0\.1%3A(\d+)/.exec(straight)?.[1]);
  proxy = await startProxy(port);
  storageUrl = straight.replace(`%3A${port}`, `%3A${proxy.port}`);
  storage = new S3Storage(straight);
  cluster = await startCluster({
    nodes: 2,
    topics: {
      'things.sql': `/*\ninterval: 1m\nkey: [id]\nparams:\n  held: {type: bool, default: false}\n*/
SELECT id, repeat('x', 20) AS text, CASE WHEN :held AND id = 150000 THEN pass() END AS gate FROM things ORDER BY id`,
    },
    schema: `CREATE TABLE things AS SELECT i AS id FROM generate_series(1, ${ROWS}) AS i;
ALTER TABLE things ADD PRIMARY KEY (id);
ANALYZE things;
CREATE TABLE gate (open bool);
INSERT INTO gate VALUES (false);
CREATE FUNCTION pass() RETURNS text LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  WHILE NOT (SELECT open FROM gate) LOOP PERFORM pg_sleep(0.02); END LOOP;
  RETURN NULL;
END $$`,
    env: { STORAGE_URL: storageUrl, LEASE_MS: '2000', ...JWT },
  });
  lookout = new Lookout(cluster);
  wanted = await copy(cluster, `SELECT id, repeat('x', 20) AS text, NULL::text AS gate FROM things ORDER BY id`);
}, 90_000);

afterAll(async () => {
  for (const socket of sockets) socket.close();
  await cluster.postgres.query('UPDATE gate SET open = true', [], cluster.database.name);
  await lookout.close();
  await cluster.stop();
  await storage.close();
  await proxy.stop();
  await s3.stop();
}, 60_000);

async function arrive(user: string, url: string): Promise<Socket> {
  const { socket } = await connect(user, url);
  sockets.push(socket);
  return socket;
}

function root(): string {
  return exportsRoot(clusterMarkOf({ redisUrl: cluster.redis.url, redisPrefix: cluster.prefix, port: 0 }));
}

async function stored(): Promise<string[]> {
  const paths = [];
  for await (const { path } of storage.list(root())) paths.push(path);
  return paths;
}

test('a bucket that does not answer is an error with a code, for the export and for the download; both work afterwards', async () => {
  const socket = await arrive('ada', cluster.url);
  proxy.become('refuse');
  await request(socket, 'things');
  expect(await ended(socket)).toMatchObject({ state: 'error', error: { code: 'UNAVAILABLE' } });
  proxy.become('pass');
  await request(socket, 'things');
  const ready = await ended(socket);
  expect(ready).toMatchObject({ state: 'ready', rows: ROWS });
  proxy.become('refuse');
  const refused = await download('ada', ready.url, cluster.url);
  expect(refused.status).toBe(503);
  expect(await refused.json()).toMatchObject({ error: { code: 'UNAVAILABLE' } });
  proxy.become('pass');
  for (const node of cluster.nodes) {
    expect((await (await download('ada', ready.url, node.url)).text()) === wanted).toBe(true);
  }
  const bytes = Buffer.from(wanted);
  // Over the seam of two pieces.
  const part = await download('ada', ready.url, cluster.url, { Range: `bytes=10-${bytes.length - 11}` });
  expect(part.status).toBe(206);
  expect(Buffer.from(await part.arrayBuffer()).equals(bytes.subarray(10, bytes.length - 10))).toBe(true);
  expect(await call(socket, 'export:dismiss', { id: ready.id })).toEqual({ ok: true });
  await eventually(async () => (await stored()).length === 0, { what: 'the end of its objects' });
}, 120_000);

test('xlsx and pdf are made from objects, and nothing but the file is left of them', async () => {
  const socket = await arrive('bob', cluster.url);
  for (const [format, start] of [
    ['xlsx', 'PK'],
    ['pdf', '%PDF-'],
  ] as const) {
    await request(socket, 'things', {}, format);
    const ready = await ended(socket);
    expect([ready.error ?? null, ready.state, ready.rows]).toEqual([null, 'ready', format === 'pdf' ? 2_000 : ROWS]);
    const bytes = Buffer.from(await (await download('bob', ready.url, cluster.url)).arrayBuffer());
    expect(bytes).toHaveLength(ready.bytes ?? -1);
    expect(bytes.subarray(0, start.length).toString()).toBe(start);
    await eventually(async () => (await stored()).length === 1, { what: 'the end of the pieces' });
  }
}, 120_000);

test('kill -9 of the exporting node: another goes on behind the pieces in the bucket, and what nobody knows is a zombie', async () => {
  const first = await arrive('cy', cluster.url);
  const { id } = await request(first, 'things', { held: true });
  const owner = await eventually(() => lookout.owner('export:cy'), { what: 'an owner' });
  const [at] = others(cluster.nodes, owner.node);
  const socket = await arrive('cy', at?.url ?? '');
  const whole = async (): Promise<string[]> => (await stored()).filter((path) => path.includes(id));
  await eventually(async () => ((await current(socket))?.rows ?? 0) > 140_000, {
    what: 'the second piece',
    deadlineMs: 60_000,
  });
  expect(await whole()).toHaveLength(1);
  const killedAt = Date.now();
  await nodeNamed(cluster.nodes, owner.node).kill('SIGKILL');
  const next = await lookout.newOwner('export:cy', owner.node);
  console.log(`kill -9 on S3: another node went on after ${Date.now() - killedAt} ms`);
  await cluster.postgres.query('UPDATE gate SET open = true', [], cluster.database.name);
  const ready = await ended(socket);
  expect(ready).toMatchObject({ id, state: 'ready', rows: ROWS });
  expect(ready.restarted).toBeUndefined();
  expect((await (await download('cy', ready.url, at?.url ?? '')).text()) === wanted).toBe(true);
  const fences = (await whole()).map((path) => Number(/(\d+)-\d+\.csv$/.exec(path)?.[1])).sort((a, b) => a - b);
  expect(fences).toEqual([owner.fence, next.fence, next.fence]);

  const nobodys = `${root()}/nobodys/7-00001.csv`;
  await storage.write(nobodys, Readable.from(['left']));
  expect(await orphans(cluster, storageUrl)).toMatchObject([{ kind: 'orphan-file', name: `${root()}/nobodys` }]);
  expect(await orphans(cluster, storageUrl, '--clean')).toMatchObject([{ removed: true }]);
  expect(await stored()).not.toContain(nobodys);
  expect(await whole()).toHaveLength(3);
}, 120_000);
