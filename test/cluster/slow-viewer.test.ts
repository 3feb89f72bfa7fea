import { readFileSync } from 'node:fs';
import type { Socket as NetSocket } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Socket } from 'socket.io-client';
import { startCluster, type TestCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import type { TestNode } from '../support/node.js';
import { call, connectSocket, TestViewer } from './viewer.js';

const STALLED = 30;
const CHANNELS = 20;
const MB = 1024 * 1024;
const MODEST_BYTES = 20_480;

/** 200 KB that differ with every poll, and small rows that change when a test says so. */
const TOPICS = {
  'big.sql': `/*\ninterval: 100ms\n*/\nSELECT clock_timestamp() AS at, repeat(md5(clock_timestamp()::text), 6400) AS text FROM slow_rows`,
  'modest.sql': `/*\ninterval: 100ms\n*/\nSELECT clock_timestamp() AS at, repeat(md5(clock_timestamp()::text), ${MODEST_BYTES / 32}) AS text FROM slow_rows`,
  'tiny.sql': `/*\ninterval: 100ms\n*/\nSELECT n, clock_timestamp() AS at FROM slow_rows`,
  'one_of.sql': `/*\ninterval: 100ms\nparams:\n  k: { type: int }\n*/\nSELECT :k AS k, n, repeat('x', 4000) AS text FROM slow_rows`,
};

let cluster: TestCluster;
let node: TestNode;

beforeAll(async () => {
  cluster = await startCluster({
    nodes: 1,
    topics: TOPICS,
    schema: 'create table slow_rows (n int); insert into slow_rows values (1)',
    env: { LINGER_MS: '300' },
  });
  [node] = cluster.nodes as [TestNode];
}, 60_000);

afterAll(() => cluster?.stop(), 60_000);

/** The connection under a client: paused, nothing is read any more, and the system's buffers fill up. */
function netOf(socket: Socket): NetSocket {
  return (socket.io.engine as unknown as { transport: { ws: { _socket: NetSocket } } }).transport.ws._socket;
}

/** Resident memory of the node, in bytes. */
function memory(): number {
  const [, kb] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${node.pid}/status`, 'utf8')) ?? [];
  return Number(kb) * 1024;
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${node.url}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1] ?? NaN);
}

test('viewers that stop reading cost little, are cut, and nobody else is held up', async () => {
  const healthy = await TestViewer.watch(node.url, { topic: 'tiny' });
  const reader = await TestViewer.watch(node.url, { topic: 'big' });
  await reader.more(20);
  const sockets = await Promise.all(
    Array.from({ length: STALLED }, async () => {
      const socket = await connectSocket(node.url);
      expect(await call(socket, 'subscribe', { topic: 'big' })).toMatchObject({ ok: true });
      return socket;
    }),
  );
  const before = memory();
  for (const socket of sockets) netOf(socket).pause();
  let most = 0;
  await eventually(
    async () => {
      most = Math.max(most, memory());
      return (await metric('pollcast_slow_viewers_cut_total')) >= STALLED;
    },
    { what: 'all of them to be cut', deadlineMs: 60_000 },
  );
  // Some 80 frames of 200 KB have come meanwhile: 500 MB, had they been kept for everybody.
  expect((most - before) / STALLED).toBeLessThan(2 * MB);
  await eventually(async () => (await metric('pollcast_viewers')) === 2, { what: 'their subscriptions to be gone' });
  await healthy.more(3);
  await reader.more(3);
  for (const viewer of [healthy, reader]) {
    expect(viewer.violations).toEqual([]);
    // A machine that is slow stretches rounds, and says so; nobody's rows are old or missing.
    expect(viewer.statuses.filter(({ state }) => state !== 'live')).toEqual([]);
    expect(viewer.disconnects).toEqual([]);
  }
  healthy.close();
  reader.close();
  for (const socket of sockets) socket.close();
}, 120_000);

test('one that stops reading is cut while the system still takes all that is written to it', async () => {
  const reader = await TestViewer.watch(node.url, { topic: 'modest' });
  const socket = await connectSocket(node.url);
  expect(await call(socket, 'subscribe', { topic: 'modest' })).toMatchObject({ ok: true });
  await reader.more(3);
  const [cut, seen] = [await metric('pollcast_slow_viewers_cut_total'), reader.received.length];
  netOf(socket).pause();
  await eventually(async () => (await metric('pollcast_slow_viewers_cut_total')) > cut, {
    what: 'it to be cut',
    deadlineMs: 60_000,
  });
  // Buffers of both sides take some 5 MB.
  expect((reader.received.length - seen) * MODEST_BYTES).toBeLessThan(4 * MB);
  expect([reader.violations, reader.disconnects]).toEqual([[], []]);
  reader.close();
  socket.close();
}, 120_000);

/** The newest `n` of each channel that came as a frame. */
async function watchMany(): Promise<{ socket: Socket; latest: Map<number, number>; frames: () => number }> {
  const socket = await connectSocket(node.url);
  const latest = new Map<number, number>();
  let frames = 0;
  socket.on('frame', ({ rows: [row] }: { rows: [{ k: number; n: number }] }) => {
    frames += 1;
    expect(row.n).toBeGreaterThan(latest.get(row.k) ?? 0);
    latest.set(row.k, row.n);
  });
  await Promise.all(
    Array.from({ length: CHANNELS }, (_, k) => call(socket, 'subscribe', { topic: 'one_of', params: { k } })),
  );
  return { socket, latest, frames: () => frames };
}

const write = (n: number) => cluster.postgres.query('update slow_rows set n = $1', [n], cluster.database.name);
const all = (latest: Map<number, number>, n: number): boolean =>
  latest.size === CHANNELS && [...latest.values()].every((seen) => seen === n);

test(`a viewer of ${CHANNELS} channels that change in one tick gets ${CHANNELS} final states, also if it was slow for a while`, async () => {
  const quick = await watchMany();
  const slow = await watchMany();
  await write(2);
  await eventually(() => all(quick.latest, 2) && all(slow.latest, 2), { what: 'the first states' });
  expect(quick.frames()).toBe(CHANNELS);

  netOf(slow.socket).pause();
  const skipped = await metric('pollcast_frames_overtaken_total');
  let n = 2;
  await eventually(
    async () => {
      await write(++n);
      await eventually(() => all(quick.latest, n), { what: `the states of round ${n}` });
      return (await metric('pollcast_frames_overtaken_total')) > skipped + CHANNELS;
    },
    { what: 'frames to be skipped', deadlineMs: 60_000, everyMs: 1 },
  );
  netOf(slow.socket).resume();
  await eventually(() => all(slow.latest, n), { what: 'its final states' });
  expect(slow.frames()).toBeLessThan(quick.frames());
  quick.socket.close();
  slow.socket.close();
}, 120_000);
