import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { Socket } from 'socket.io-client';
import type { ExportView } from '../../src/exports/record.js';
import { Lookout, nodeNamed, others } from '../cluster/hub.js';
import { call } from '../cluster/viewer.js';
import { startCluster, type TestCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import type { TestNode } from '../support/node.js';
import { connect, copy, current, download, ended, exported, folders, JWT, request, writers } from './users.js';

const ROWS = 260_000;
const PIECE_ROWS = 100_000;
const COLUMNS = `id, CASE WHEN id % 7 = 0 THEN E'two\nlines, "quoted"' WHEN id % 5 = 0 THEN NULL ELSE 'n° ' || id END AS name`;

let cluster: TestCluster;
let lookout: Lookout;
let files: string;
let wanted: string;
const sockets: Socket[] = [];

/**
 * A topic whose statement stops at the row that its gate stands at, so that an export is killed just there however fast or
 * slow the machine is.
 */
const GATED = `/*
interval: 1m
key: [id]
params:
  gate: {type: text}
*/
SELECT ${COLUMNS}, CASE WHEN id % 500 = 0 THEN pass(:gate, id) END AS gate FROM things ORDER BY id`;

const SCHEMA = `
CREATE TABLE things AS SELECT i AS id FROM generate_series(1, ${ROWS}) AS i;
ALTER TABLE things ADD PRIMARY KEY (id);
ANALYZE things;
CREATE TABLE gates (name text PRIMARY KEY, upto int NOT NULL);
CREATE FUNCTION pass(gate text, i int) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  WHILE coalesce((SELECT upto FROM gates WHERE name = gate), 0) < i LOOP
    PERFORM pg_sleep(0.02);
  END LOOP;
  RETURN NULL;
END $$`;

beforeAll(async () => {
  files = await mkdtemp(join(tmpdir(), 'pollcast-exports-'));
  cluster = await startCluster({
    nodes: 3,
    topics: { 'gated.sql': GATED },
    schema: SCHEMA,
    env: { STORAGE_URL: `file:${files}`, LEASE_MS: '2000', ...JWT },
  });
  lookout = new Lookout(cluster);
  wanted = await copy(cluster, `SELECT ${COLUMNS}, NULL::text AS gate FROM things ORDER BY id`);
}, 90_000);

// Those that a test has killed are replaced.
beforeEach(async () => {
  const missing = 3 - cluster.nodes.filter((node) => node.alive()).length;
  await Promise.all(Array.from({ length: missing }, () => cluster.add()));
}, 90_000);

afterAll(async () => {
  for (const socket of sockets) socket.close();
  // What still stands at its gate would keep its connection.
  await cluster.postgres.query('UPDATE gates SET upto = $1', [ROWS], cluster.database.name);
  await lookout.close();
  await cluster.stop();
  await rm(files, { recursive: true, force: true });
}, 60_000);

async function openGate(name: string, upto = ROWS): Promise<void> {
  const sql = `INSERT INTO gates VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET upto = $2`;
  await cluster.postgres.query(sql, [name, upto], cluster.database.name);
}

interface Started {
  id: string;
  /** Somebody at a node that does not make the export. */
  socket: Socket;
  told: ExportView[];
  at: TestNode;
  owner: { node: string; fence: number };
}

/** An export of somebody's that has come to that row, and to no later one. */
async function exportUpTo(user: string, row: number): Promise<Started> {
  await openGate(user, row);
  const alive = cluster.nodes.filter((node) => node.alive());
  const first = await connect(user, alive[0]?.url ?? '');
  sockets.push(first.socket);
  const { id } = await request(first.socket, 'gated', { gate: user });
  const owner = await eventually(() => lookout.owner(`export:${user}`), { what: 'an owner' });
  const [at] = others(cluster.nodes, owner.node);
  if (!at) throw new Error('no other node');
  const watching = await connect(user, at.url);
  sockets.push(watching.socket);
  await eventually(async () => ((await current(watching.socket))?.rows ?? 0) > row - 2_000, {
    what: `${row} rows`,
    deadlineMs: 60_000,
  });
  return { id, ...watching, at, owner };
}

async function fileIsWhole(user: string, view: ExportView, from?: TestNode): Promise<void> {
  expect(view).toMatchObject({ state: 'ready', rows: ROWS, progress: 1 });
  expect(view.restarted).toBeUndefined();
  const node = from ?? cluster.nodes.find((one) => one.alive());
  const response = await download(user, view.url, node?.url ?? '');
  expect((await response.text()) === wanted).toBe(true);
}

test.each([10, 50, 95])(
  'kill -9 of the exporting node at %i %%: the file is complete',
  async (percent) => {
    const user = `killed-${percent}`;
    const { id, socket, owner } = await exportUpTo(user, (ROWS * percent) / 100);
    const killedAt = Date.now();
    await nodeNamed(cluster.nodes, owner.node).kill('SIGKILL');
    const next = await lookout.newOwner(`export:${user}`, owner.node);
    const resumedMs = Date.now() - killedAt;
    await openGate(user);
    const ready = await ended(socket);
    console.log(
      `kill -9 at ${percent} %: another node went on after ${resumedMs} ms, the file was there after ${Date.now() - killedAt} ms`,
    );
    expect(ready.id).toBe(id);
    await fileIsWhole(user, ready);
    // Whole pieces are not made again.
    const kept = Math.floor((ROWS * percent) / 100 / PIECE_ROWS);
    const fences = await writers(files, id);
    expect(fences).toEqual(fences.map((_, i) => (i < kept ? owner.fence : next.fence)));
    expect(fences.length).toBeGreaterThan(kept);
  },
  120_000,
);

test('kill -9 of the node that the user hangs on: it goes on, and he finds it at another', async () => {
  const { id, at, owner } = await exportUpTo('moved', 130_000);
  await at.kill('SIGKILL');
  await openGate('moved');
  const [other] = others(cluster.nodes, owner.node);
  const { socket, told } = await connect('moved', other?.url ?? '');
  sockets.push(socket);
  const ready = await ended(socket);
  expect(ready.id).toBe(id);
  await fileIsWhole('moved', ready);
  expect(new Set(await writers(files, id))).toEqual(new Set([owner.fence]));
  await eventually(() => told.at(-1)?.state === 'ready', { what: 'the announcement at the other node' });
}, 120_000);

test('kill -9 of both at once: the last node goes on, and he finds it there', async () => {
  const { id, at, owner } = await exportUpTo('both', 130_000);
  await Promise.all([at.kill('SIGKILL'), nodeNamed(cluster.nodes, owner.node).kill('SIGKILL')]);
  await openGate('both');
  const [last] = cluster.nodes.filter((node) => node.alive());
  const { socket } = await connect('both', last?.url ?? '');
  sockets.push(socket);
  const ready = await ended(socket);
  expect(ready.id).toBe(id);
  await fileIsWhole('both', ready);
}, 120_000);

test('SIGTERM: the piece under way is ended and handed over, none is made again', async () => {
  const { id, socket, owner } = await exportUpTo('handed', 130_000);
  const leaving = nodeNamed(cluster.nodes, owner.node);
  const stopped = leaving.stop();
  // A piece ends behind a row: let some come, and no more than are needed.
  let upto = 130_000;
  const next = await eventually(
    async () => {
      await openGate('handed', (upto += 500));
      const now = await lookout.owner('export:handed');
      return now && now.node !== owner.node ? now : null;
    },
    { what: 'the next owner', deadlineMs: 60_000 },
  );
  await stopped;
  expect(upto).toBeLessThan(ROWS);
  await openGate('handed');
  const ready = await ended(socket);
  expect(ready.id).toBe(id);
  await fileIsWhole('handed', ready);
  const fences = await writers(files, id);
  // Two of the first owner: the whole one, and the one that it was in.
  expect(fences.filter((fence) => fence === owner.fence)).toHaveLength(2);
  expect(fences.slice(2).every((fence) => fence === next.fence)).toBe(true);
}, 120_000);

test('a cancel while another node takes over is carried out by that one', async () => {
  const { id, socket, owner } = await exportUpTo('gone', 130_000);
  const killed = nodeNamed(cluster.nodes, owner.node).kill('SIGKILL');
  const answer = await call(socket, 'export:cancel', { id });
  await killed;
  expect(exported(answer)).toMatchObject({ id, state: 'cancelled' });
  expect(await current(socket)).toMatchObject({ id, state: 'cancelled' });
  await eventually(async () => !(await folders(files)).some((folder) => folder.endsWith(id)), {
    what: 'the end of its files',
  });
  await openGate('gone');
  const again = await request(socket, 'gated', { gate: 'gone' });
  const ready = await ended(socket);
  expect(ready.id).toBe(again.id);
  await fileIsWhole('gone', ready);
}, 120_000);

test('an owner that was stopped (SIGSTOP) and wakes up spoils nothing', async () => {
  const { id, socket, owner, told, at } = await exportUpTo('paused', 130_000);
  const paused = nodeNamed(cluster.nodes, owner.node);
  paused.freeze();
  const next = await lookout.newOwner('export:paused', owner.node);
  await openGate('paused');
  const ready = await ended(socket);
  await fileIsWhole('paused', ready, at);
  const before = told.length;
  paused.thaw();
  // It finds out, and all that it still had in its hands is nobody's.
  const healthy = async (): Promise<boolean> => (await fetch(`${paused.url}/health/ready`)).ok;
  await eventually(healthy, { what: 'the node that was stopped to be ready', deadlineMs: 60_000 });
  const back = await connect('paused', paused.url);
  sockets.push(back.socket);
  expect(await current(back.socket)).toEqual(await current(socket));
  expect(await current(socket)).toMatchObject({ id, state: 'ready', rows: ROWS });
  await fileIsWhole('paused', ready, paused);
  expect(await lookout.owner('export:paused')).toEqual(next);
  expect(told.slice(before).filter(({ state }) => state !== 'ready')).toEqual([]);
  expect((await writers(files, id)).slice(1).every((fence) => fence === next.fence)).toBe(true);
}, 120_000);
