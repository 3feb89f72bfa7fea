import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { streamXlsxRows } from 'hucre/xlsx';
import type { Socket } from 'socket.io-client';
import { clusterMarkOf } from '../../src/cluster/cluster-mark.js';
import { exportsRoot } from '../../src/exports/record.js';
import { call } from '../cluster/viewer.js';
import { startCluster, type TestCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import {
  connect as arrive,
  copy,
  current,
  download,
  ended,
  exported,
  folders,
  JWT,
  orphans,
  request,
} from './users.js';

const ADMIN = 'a-token-for-admins-of-the-test';
const ROWS = 260_000;
const COLUMNS = `id, CASE WHEN id % 7 = 0 THEN E'two\\nlines, "quoted"' WHEN id % 5 = 0 THEN NULL ELSE 'n° ' || id END AS name`;

let cluster: TestCluster;
let files: string;
const sockets: Socket[] = [];

beforeAll(async () => {
  files = await mkdtemp(join(tmpdir(), 'pollcast-exports-'));
  cluster = await startCluster({
    nodes: 3,
    topics: {
      'things.sql': `/*\ninterval: 5s\nkey: [id]\n*/\nSELECT ${COLUMNS}, at FROM things`,
      'slow.sql':
        `/*\ninterval: 5s\nkey: [id]\n*/\nSELECT ${COLUMNS}, CASE WHEN id % 1000 = 0 THEN pg_sleep(0.02)::text END AS pause ` +
        `FROM things ORDER BY id`,
      'part.sql': `/*\ninterval: 5s\nparams:\n  most: {type: int}\n  name: {type: text, default: "x"}\n*/\nSELECT id, :name AS name FROM things WHERE id <= :most ORDER BY id`,
      'broken.sql': `/*\ninterval: 5s\nkey: [id]\n*/\nSELECT id, 1 / (id - 1000) AS n FROM things`,
    },
    schema:
      `CREATE TABLE things AS SELECT i AS id, timestamptz '2026-01-01' + i * interval '1 s' AS at ` +
      `FROM generate_series(1, ${ROWS}) AS i; ALTER TABLE things ADD PRIMARY KEY (id); ANALYZE things`,
    env: { STORAGE_URL: `file:${files}`, ADMIN_TOKEN: ADMIN, ...JWT },
  });
}, 90_000);

afterAll(async () => {
  for (const socket of sockets) socket.close();
  await cluster.stop();
  await rm(files, { recursive: true, force: true });
}, 60_000);

/** Somebody at a node, and what he is told. */
async function connect(user: string, url = cluster.url): ReturnType<typeof arrive> {
  const arrived = await arrive(user, url);
  sockets.push(arrived.socket);
  return arrived;
}

/** Of all nodes together. */
async function figure(name: string): Promise<number> {
  let sum = 0;
  for (const { url } of cluster.nodes) {
    const lines = (await (await fetch(`${url}/metrics`)).text()).split('\n');
    sum += Number(lines.find((line) => line.startsWith(`pollcast_exports_${name} `))?.split(' ')[1] ?? 0);
  }
  return sum;
}

test('a csv is what COPY writes, from any node, as a whole or by a range, and only for its owner', async () => {
  const { socket, told } = await connect('ada');
  const asked = await request(socket, 'things');
  expect(asked).toMatchObject({ topic: 'things', format: 'csv', state: 'pending', rows: 0, progress: 0 });
  const ready = await ended(socket);
  expect(ready).toMatchObject({ id: asked.id, state: 'ready', rows: ROWS, progress: 1 });
  const wanted = await copy(cluster, `SELECT ${COLUMNS}, at FROM things ORDER BY id`);
  for (const node of cluster.nodes) {
    const response = await download('ada', ready.url, node.url);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-disposition')).toMatch(/^attachment; filename="things-[\d-]+\.csv"$/);
    expect((await response.text()) === wanted).toBe(true);
  }
  const bytes = Buffer.from(wanted);
  expect(ready.bytes).toBe(bytes.length);
  const from = bytes.length - 5_000_000;
  const part = await download('ada', ready.url, cluster.url, { Range: `bytes=${from}-${from + 4_000_000}` });
  expect(part.status).toBe(206);
  expect(part.headers.get('content-range')).toBe(`bytes ${from}-${from + 4_000_000}/${bytes.length}`);
  expect(Buffer.from(await part.arrayBuffer()).equals(bytes.subarray(from, from + 4_000_001))).toBe(true);
  const beyond = await download('ada', ready.url, cluster.url, { Range: `bytes=${bytes.length}-` });
  expect(beyond.status).toBe(416);

  expect((await download('eve', ready.url, cluster.url)).status).toBe(404);
  expect((await fetch(`${cluster.url}${ready.url}`)).status).toBe(401);

  // For a browser, which sends no token with a download: an address that says whose it is.
  const { url: link } = (await call(socket, 'export:link', { id: ready.id })) as unknown as { url: string };
  const linked = await fetch(`${cluster.nodes[1]?.url}${link}`);
  expect(linked.status).toBe(200);
  expect((await linked.text()) === wanted).toBe(true);
  expect((await fetch(`${cluster.url}${link}x`)).status).toBe(401);
  expect(await call(socket, 'export:link', { id: 'another' })).toMatchObject({ error: { code: 'NOT_FOUND' } });

  await eventually(() => told.at(-1)?.state === 'ready');
  const progress = told.map((view) => view.progress);
  expect(progress).toEqual([...progress].sort((a, b) => a - b));

  expect(await figure('ended_total{format="csv",state="ready"}')).toBe(1);
  expect(await figure('rows_total{format="csv"}')).toBe(ROWS);
  expect(await figure('downloaded_bytes_total')).toBeGreaterThanOrEqual(4 * bytes.length + 4_000_001);

  expect(await call(socket, 'export:dismiss', { id: 'another' })).toMatchObject({ error: { code: 'NOT_FOUND' } });
  expect(await call(socket, 'export:dismiss', { id: ready.id })).toEqual({ ok: true });
  expect(await current(socket)).toBeNull();
  expect((await download('ada', ready.url, cluster.url)).status).toBe(404);
  expect((await folders(files)).some((folder) => folder.endsWith(String(ready.id)))).toBe(false);
}, 120_000);

test('a file that is lost is an error with a code, not half an answer', async () => {
  const { socket } = await connect('hal');
  await request(socket, 'part', { most: 3 });
  const { id, url } = await ended(socket);
  const folder = (await folders(files)).find((one) => one.endsWith(id));
  await rm(folder ?? '', { recursive: true });
  for (const headers of [{}, { Range: 'bytes=1-2' }]) {
    const response = await download('hal', url, cluster.url, headers);
    expect(response.status).toBe(404);
    expect(response.headers.get('content-type')).toMatch(/^application\/json/);
    expect(response.headers.get('content-disposition')).toBeNull();
    expect(await response.json()).toMatchObject({ error: { code: 'NOT_FOUND' } });
  }
}, 60_000);

test('xlsx and pdf are of the same rows, under their own types', async () => {
  const { socket } = await connect('fay');
  for (const [format, type] of [
    ['xlsx', 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'],
    ['pdf', 'application/pdf'],
  ] as const) {
    await call(socket, 'export:request', { topic: 'part', params: { most: 5, name: '=1+1' }, format });
    const ready = await ended(socket);
    expect(ready).toMatchObject({ state: 'ready', rows: 5, format });
    const response = await download('fay', ready.url, cluster.url);
    expect(response.headers.get('content-type')).toBe(type);
    expect(response.headers.get('content-disposition')).toMatch(new RegExp(`\\.${format}"$`));
    const bytes = Buffer.from(await response.arrayBuffer());
    expect(bytes).toHaveLength(ready.bytes ?? -1);
    if (format === 'pdf') expect(bytes.subarray(0, 5).toString()).toBe('%PDF-');
    else {
      const rows = [];
      for await (const { values } of streamXlsxRows(bytes)) rows.push(values);
      expect(rows).toEqual([['id', 'name'], ...[1, 2, 3, 4, 5].map((id) => [id, '=1+1'])]);
    }
  }
}, 120_000);

test('100 requests of one user at once, through three nodes, make one export; the others are told of it', async () => {
  const people = await Promise.all(cluster.nodes.map((node) => connect('bob', node.url)));
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, i) =>
      call((people[i % people.length] as { socket: Socket }).socket, 'export:request', {
        topic: 'slow',
        format: 'csv',
      }),
    ),
  );
  const made = answers.filter(({ ok }) => ok).map((answer) => exported(answer).id);
  expect(made).toHaveLength(1);
  for (const answer of answers) {
    if (answer.ok) continue;
    expect(answer.error).toMatchObject({ code: 'EXPORT_RUNNING', details: { export: { id: made[0], topic: 'slow' } } });
  }
  const { socket } = people[1] as { socket: Socket };
  expect(await call(socket, 'export:cancel', { id: 'another' })).toMatchObject({ error: { code: 'NOT_FOUND' } });
  expect(exported(await call(socket, 'export:cancel', {}))).toMatchObject({ id: made[0], state: 'cancelled' });
  for (const { told } of people) await eventually(() => told.at(-1)?.state === 'cancelled');
  expect((await folders(files)).some((folder) => folder.endsWith(String(made[0])))).toBe(false);
  const busy = `SELECT 1 FROM pg_stat_activity WHERE query LIKE 'COPY%' AND state = 'active'`;
  await eventually(async () => (await cluster.postgres.query(busy)).length === 0, { what: 'the end of the query' });
  // Over is over: the next one may be asked for.
  await request(socket, 'part', { most: 3, name: `it's \\ "x"` });
  const ready = await ended(socket);
  expect(ready).toMatchObject({ state: 'ready', rows: 3, params: { most: 3 } });
  const text = await (await download('bob', ready.url, cluster.url)).text();
  expect(text).toBe(['id,name', ...[1, 2, 3].map((id) => `${id},"it's \\ ""x"""`), ''].join('\n'));
}, 120_000);

test('what cannot be exported is answered with a code, and a failed export can be asked for again', async () => {
  const { socket } = await connect('cy');
  for (const format of ['doc', undefined]) {
    const answer = await call(socket, 'export:request', { topic: 'things', format });
    expect(answer).toMatchObject({
      error: { code: 'BAD_REQUEST', message: expect.stringMatching(/there are: csv, xlsx, pdf/) },
    });
  }
  expect(await call(socket, 'export:request', { topic: 'none', format: 'csv' })).toMatchObject({
    error: { code: 'UNKNOWN_TOPIC' },
  });
  expect(await call(socket, 'export:request', { topic: 'part', format: 'csv' })).toMatchObject({
    error: { code: 'INVALID_PARAMS' },
  });
  expect(await current(socket)).toBeNull();
  const { id } = await request(socket, 'broken');
  const failed = await ended(socket);
  expect(failed).toMatchObject({ id, state: 'error', error: { code: 'QUERY_FAILED' } });
  expect(failed.url).toBeUndefined();
  await request(socket, 'part', { most: 1 });
  expect(await ended(socket)).toMatchObject({ state: 'ready', rows: 1 });
}, 120_000);

test('a file that no export knows is found and removed: by the tool, and by the admin API', async () => {
  const mark = clusterMarkOf({ redisUrl: cluster.redis.url, redisPrefix: cluster.prefix, port: 0 });
  const folder = join(files, exportsRoot(mark), 'nobodys');
  const name = `${exportsRoot(mark)}/nobodys`;
  const { socket } = await connect('gus');
  await request(socket, 'part', { most: 2 });
  const ready = await ended(socket);
  const plant = async (): Promise<void> => {
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, '7-00001.csv'), 'left');
    await writeFile(join(folder, '.x.unfinished'), 'half');
  };
  const headers = { Authorization: `Bearer ${ADMIN}` };
  const api = async (path: string, method = 'GET'): Promise<unknown> =>
    (await fetch(`${cluster.url}/api/zombies${path}`, { method, headers })).json();
  const found = {
    kind: 'orphan-file',
    name,
    node: null,
    evidence: '2 files, 8 bytes, of an export that no record names',
  };

  await plant();
  expect(await orphans(cluster, `file:${files}`)).toMatchObject([found]);
  expect(await api('')).toMatchObject([found]);
  expect(await orphans(cluster, `file:${files}`, '--clean')).toMatchObject([{ ...found, removed: true }]);
  expect(await orphans(cluster, `file:${files}`)).toEqual([]);
  await plant();
  expect(await api('/clean', 'POST')).toMatchObject([{ ...found, removed: true }]);
  expect(await api('')).toEqual([]);
  expect((await folders(files)).some((one) => one.endsWith('nobodys'))).toBe(false);
  expect(await (await download('gus', ready.url, cluster.url)).text()).toBe('id,name\n1,x\n2,x\n');
}, 60_000);
