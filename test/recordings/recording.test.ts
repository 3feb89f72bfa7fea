import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Recording } from '../../client/index.js';
import { clusterMarkOf } from '../../src/cluster/cluster-mark.js';
import { beganAt } from '../../src/recordings/mark.js';
import { STUDIOS_FOLDER } from '../../src/recordings/studio.js';
import { startCluster, type TestCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { plantLeftovers, zombies } from './planted.js';
import {
  clocksIn,
  drift,
  foldersOf,
  metric,
  nothingLeft,
  percentile,
  Person,
  pidsOf,
  probe,
  recorderSlots,
  startRecorder,
  type Recorder,
} from './support.js';

let recorder: Recorder;
let cluster: TestCluster;
let person: Person;
let folder: string;

beforeAll(async () => {
  recorder = await startRecorder();
  folder = await mkdtemp(join(tmpdir(), 'pollcast-videos-'));
  cluster = await startCluster({
    nodes: 3,
    env: { ...recorder.env, LEASE_MS: '2000', STORAGE_URL: `file:${folder}/files`, DEMO: 'on' },
  });
  await recorderSlots(cluster.nodes, 2);
  person = await Person.come(cluster.url);
}, 90_000);

afterAll(async () => {
  person?.leave();
  await cluster?.stop();
  await recorder?.stop();
  await rm(folder, { recursive: true, force: true });
}, 60_000);

interface Line {
  at: number;
  time: number;
  type: string;
  [field: string]: unknown;
}

async function timeline(id: string, by = person): Promise<Line[]> {
  const text = await (await by.get(`/api/recordings/${id}/timeline`)).text();
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line);
}

const markOfCluster = (): string =>
  clusterMarkOf({ redisUrl: cluster.redis.url, redisPrefix: cluster.prefix, port: 0 });
const containing = (part: object): unknown => expect.objectContaining(part);
const byName = (a: { name: string }, b: { name: string }): number => a.name.localeCompare(b.name);

/** Noticed, and mended, where a machine is too busy to go on. */
const BUSY = ['browser-hung', 'encoder-hung', 'paused'];

/** The gaps of a recording, without those of a busy machine. */
async function gapsOf(id: string, by: Person): Promise<{ at: number; seconds: number; reason: string }[]> {
  const gaps = (await timeline(id, by)).filter(({ type }) => type === 'gap');
  return (gaps as unknown as { at: number; seconds: number; reason: string }[]).filter(
    ({ reason }) => !BUSY.includes(reason),
  );
}

/**
 * It plays to its end, is as long as it says, and its timeline tells of one gap, which is what is missing by the clock that was
 * recorded. Resolves with the gap in seconds.
 */
async function oneGap(done: Recording, reason: string, by: Person): Promise<number> {
  expect(done).toMatchObject({ state: 'ready', ended: 'stopped' });
  const file = await by.download(done.url ?? '', folder);
  const video = await probe(recorder, file);
  expect(Math.abs(video.seconds - done.seconds)).toBeLessThan(0.25);
  const clocks = await clocksIn(recorder, file);
  expect(clocks).toHaveLength(video.frames);
  const [gap, ...others] = await gapsOf(done.id, by);
  expect([gap, others]).toEqual([expect.objectContaining({ reason, seconds: expect.any(Number) }), []]);
  const { at, seconds } = gap as { at: number; seconds: number };
  // Of the second before and the one after, so that no other gap is counted.
  const around = [-1, 1].map((side) => percentile(drift(clocks).slice(...around10(at, side)), 0.5));
  expect(Math.abs(((around[1] ?? NaN) - (around[0] ?? NaN)) / 1_000 - seconds)).toBeLessThan(0.5);
  return seconds;
}

/** Ten frames before, or after, a second of the video. */
function around10(at: number, side: number): [number, number] {
  const frame = Math.round(at * 10);
  return side < 0 ? [Math.max(0, frame - 10), frame] : [frame, frame + 10];
}

test('a page is recorded: the video plays, is as long as it says, and its clock is the page’s', async () => {
  const { id } = await person.start({ url: recorder.clock });
  await person.made(id, 3);
  const { browser = 0 } = pidsOf(id);
  const environment = await readFile(`/proc/${browser}/environ`, 'latin1');
  for (const secret of ['ADMIN_TOKEN', 'DATABASE_URL', 'REDIS_URL']) expect(environment).not.toContain(secret);
  // A profile of its own, in a folder that goes with the recording.
  expect(await readFile(`/proc/${browser}/cmdline`, 'latin1')).toContain(`--user-data-dir=${STUDIOS_FOLDER}/${id}-`);
  await person.stop(id);
  const done = await person.ready(id);
  expect(done).toMatchObject({ state: 'ready', ended: 'stopped' });
  const file = await person.download(done.url ?? '', folder);
  const video = await probe(recorder, file);
  expect(video.codec).toBe('h264');
  expect(Math.abs(video.seconds - done.seconds)).toBeLessThan(0.15);
  expect(video.frames).toBe(Math.round(done.seconds * 10));
  const clocks = await clocksIn(recorder, file);
  expect(clocks).toHaveLength(video.frames);
  // A page that a busy machine does not let draw shows an older time for a moment: that is no drift.
  expect(percentile(drift(clocks).map(Math.abs), 0.9)).toBeLessThan(250);
  // The wall clock that the hub notes for the video's zero is the one that the first frame shows.
  expect(Math.abs(((done.startedAt ?? 0) % 2 ** 32) - (clocks[0] ?? 0))).toBeLessThan(250);
  expect(person.events.map(({ state }) => state)).toEqual(
    expect.arrayContaining(['starting', 'recording', 'finishing', 'ready']),
  );
  const part = await person.get(done.url ?? '', { range: 'bytes=0-9' });
  expect([part.status, (await part.arrayBuffer()).byteLength]).toEqual([206, 10]);
  expect((await person.get(done.thumbnailUrl ?? '')).headers.get('content-type')).toBe('image/jpeg');
}, 90_000);

test('topics are recorded with what changed, by the video’s clock, until the maximum length', async () => {
  const { id } = await person.start({ topics: ['sales.by_region?region=EU', 'sales.top_products'], maxSeconds: 4 });
  const done = await person.ready(id);
  expect(done).toMatchObject({ state: 'ready', ended: 'length' });
  expect(done.seconds).toBeGreaterThanOrEqual(4);
  const lines = await timeline(id);
  const frames = lines.filter(({ type }) => type === 'frame');
  // With the rows that were there at the beginning.
  for (const name of ['sales.by_region?', 'sales.top_products'])
    expect(frames.find(({ channel }) => String(channel).startsWith(name))).toMatchObject({ count: expect.any(Number) });
  for (const { at } of lines) expect(at).toBeLessThanOrEqual(done.seconds);
  expect(lines.map(({ at }) => at)).toEqual(lines.map(({ at }) => at).sort((a, b) => a - b));
}, 90_000);

test('a room is recorded: who is there, what they change, by the video’s clock, whatever the page is', async () => {
  const member = await Person.come(cluster.url);
  const room = 'incident-7';
  try {
    await member.ask('room:join', { room, name: 'Ada' });
    const both = [
      await person.start({ topics: ['sales.top_products'], room }),
      await person.start({ url: recorder.clock, room }),
    ];
    expect(both.map((one) => one.room)).toEqual([room, room]);
    for (const { id } of both) await person.made(id, 1);
    await member.ask('room:status', { room, status: 'Looking into it' });
    for (const { id } of both) await person.made(id, ((await person.one(id))?.seconds ?? 0) + 1);
    for (const { id } of both) await person.stop(id);
    for (const { id } of both) {
      const done = await person.ready(id);
      const [first, ...lines] = (await timeline(id)).filter(({ type }) => type === 'room');
      // Both recorders are in the room, and are seen there.
      expect(first).toMatchObject({ room, members: expect.arrayContaining([{ name: 'Ada' }].map(containing)) });
      const changes = lines.filter(({ status }) => status === 'Looking into it');
      expect(changes).toEqual([expect.objectContaining({ type: 'room', room, by: expect.any(String) })]);
      for (const { at } of changes) {
        expect(at).toBeGreaterThan(0);
        expect(at).toBeLessThanOrEqual(done.seconds);
      }
    }
    await expect(person.start({ url: '/', room: 'No Room' })).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  } finally {
    member.leave();
  }
}, 120_000);

test('what is left over of recorders is found and removed by the tool, and what is alive stays', async () => {
  const { id } = await person.start({ url: recorder.clock });
  await person.made(id, 1);
  const planted = await plantLeftovers(markOfCluster(), `${folder}/files`);
  try {
    const dry = await zombies(cluster, folder);
    expect(dry.code).toBe(1);
    expect(dry.found.map(({ kind, name }) => ({ kind, name })).sort(byName)).toEqual(planted.names.sort(byName));
    const cleaned = await zombies(cluster, folder, '--clean');
    expect(cleaned.found.map(({ removed }) => removed)).toEqual([true, true, true]);
    await planted.gone();
    expect((await zombies(cluster, folder)).found).toEqual([]);
    await person.made(id, ((await person.one(id))?.seconds ?? 0) + 1);
  } finally {
    await planted.remove();
  }
  await person.stop(id);
  expect(await person.ready(id)).toMatchObject({ state: 'ready' });
  // Nobody has ended its browser or its encoder.
  expect(await gapsOf(id, person)).toEqual([]);
}, 120_000);

test('addresses elsewhere are refused, also behind a redirect', async () => {
  await expect(person.start({ url: 'http://169.254.169.254/latest/meta-data' })).rejects.toMatchObject({
    code: 'FORBIDDEN',
  });
  await expect(person.start({ url: '/api/processes' })).rejects.toMatchObject({ code: 'FORBIDDEN' });
  await expect(person.start({ url: 'file:///etc/passwd' })).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  await expect(person.start({})).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  const { id } = await person.start({ url: `${recorder.clock}away` });
  const done = await person.ready(id);
  expect(done).toMatchObject({ state: 'error', error: { code: 'FORBIDDEN' } });
}, 60_000);

test('what the page asks for elsewhere does not leave the machine, in whatever way it asks', async () => {
  const asked: string[] = [];
  const elsewhere = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.end();
  });
  elsewhere.on('connection', (socket) => void asked.push(`connection from ${socket.remoteAddress}`));
  await new Promise<void>((done) => elsewhere.listen(0, '127.0.0.1', done));
  try {
    const of = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/`;
    const { id } = await person.start({ url: `${recorder.clock}nosy?of=${encodeURIComponent(of)}` });
    await eventually(() => recorder.tried() > 0, { what: 'the page to have tried', deadlineMs: 60_000 });
    await person.stop(id);
    expect(await person.ready(id)).toMatchObject({ state: 'ready' });
    expect(asked).toEqual([]);
  } finally {
    await new Promise((done) => elsewhere.close(done));
  }
}, 90_000);

test('a recording is nobody else’s', async () => {
  const [mine] = await person.list();
  const other = await Person.come(cluster.url);
  try {
    expect(await other.list()).toEqual([]);
    await expect(other.stop(mine?.id ?? '')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    for (const part of ['', '/video', '/timeline', '/thumbnail']) {
      const path = `/api/recordings/${mine?.id}${part}`;
      expect([path, (await other.get(path)).status]).toEqual([path, 404]);
    }
    expect((await person.get(`/api/recordings/${mine?.id}`)).status).toBe(200);
  } finally {
    other.leave();
  }
});

test('its node is stopped, and another one goes on', async () => {
  const alive = cluster.nodes.filter((node) => node.alive());
  const asker = await person.elsewhere(alive[0]?.url ?? '');
  const { id } = await asker.start({ url: recorder.clock });
  const before = await asker.until(id, 'stored in part', ({ segments }) => segments > 0);
  const [at] = alive.filter(({ name }) => name !== before.node);
  if (!at) throw new Error('there is no other node');
  const there = await person.elsewhere(at.url);
  try {
    await alive.find(({ name }) => name === before.node)?.stop();
    const resumed = await there.until(id, 'recorded elsewhere', ({ node, state }) => {
      return state === 'recording' && node !== before.node;
    });
    await there.made(id, resumed.seconds + 1.5);
    await there.stop(id);
    // By the video's own clock: how long it took is the machine's affair.
    expect(await oneGap(await there.ready(id), 'handover', there)).toBeLessThanOrEqual(1);
    await nothingLeft(id);
  } finally {
    asker.leave();
    there.leave();
  }
}, 90_000);

test('its node is killed: another one goes on, and what it left on the machine is removed when the next one starts', async () => {
  const alive = cluster.nodes.filter((node) => node.alive());
  const asker = await person.elsewhere(alive[0]?.url ?? '');
  const { id } = await asker.start({ url: recorder.clock });
  const before = await asker.until(id, 'stored in part', ({ segments }) => segments > 0);
  const at = alive.find(({ name }) => name !== before.node);
  if (!at) throw new Error('there is no other node');
  const there = await person.elsewhere(at.url);
  const planted = await plantLeftovers(markOfCluster(), null);
  try {
    const orphans = pidsOf(id);
    await alive.find(({ name }) => name === before.node)?.kill('SIGKILL');
    // Over a pipe: they end with the hub, and nobody has to clean up after it.
    await eventually(() => Object.values(orphans).every((pid) => beganAt(pid) === null), {
      what: 'browser and encoder of the dead node to end',
      deadlineMs: 30_000,
    });
    const resumed = await there.until(id, 'recorded elsewhere', ({ node, state }) => {
      return state === 'recording' && node !== before.node;
    });
    await there.made(id, resumed.seconds + 1.5);
    expect((await foldersOf(id)).length).toBe(2);
    await cluster.add();
    await eventually(async () => (await foldersOf(id)).length === 1, { what: 'the folder of the dead to be removed' });
    await planted.gone();
    await there.stop(id);
    expect(await oneGap(await there.ready(id), 'takeover', there)).toBeGreaterThan(0);
    await nothingLeft(id);
    expect(await foldersOf(id)).toEqual([]);
  } finally {
    await planted.remove();
    asker.leave();
    there.leave();
  }
}, 120_000);

test('six on two nodes with two slots each wait for their turn, and all are made', async () => {
  const [first, second, ...others] = cluster.nodes.filter((node) => node.alive());
  if (!first || !second) throw new Error('there are no two nodes left');
  const alive = [first, second];
  for (const node of others) await node.stop();
  await recorderSlots(alive, 2);
  const asker = await person.elsewhere(first.url);
  try {
    const ids: string[] = [];
    for (let i = 0; i < 6; i++) ids.push((await asker.start({ url: recorder.clock, maxSeconds: 3 })).id);
    const most = new Map<string, number>();
    const seen = new Map(['slots', 'slots_used', 'queued', 'oldest_wait_seconds'].map((name) => [name, 0]));
    await eventually(
      async () => {
        const list = (await asker.list()).filter(({ id }) => ids.includes(id));
        const busy = list.filter(({ state }) => !['queued', 'ready', 'error'].includes(state));
        for (const name of new Set(busy.map(({ node }) => node ?? ''))) {
          const here = busy.filter(({ node }) => node === name).length;
          most.set(name, Math.max(most.get(name) ?? 0, here));
        }
        for (const { url } of alive) {
          for (const name of seen.keys())
            seen.set(name, Math.max(seen.get(name) ?? 0, await metric(url, `pollcast_recorder_${name}`)));
        }
        if (list.length === 6 && list.every(({ state }) => state === 'ready')) return true;
        const failed = list.find(({ state }) => state === 'error');
        throw new Error(`${list.map(({ state }) => state).join()} ${failed?.error?.message ?? ''}`);
      },
      { what: 'all six to be made', deadlineMs: 180_000, everyMs: 100 },
    );
    // What an autoscaler is told.
    expect([seen.get('slots'), seen.get('slots_used')]).toEqual([2, 2]);
    for (const name of ['queued', 'oldest_wait_seconds']) expect([name, seen.get(name)]).not.toEqual([name, 0]);
    const named = alive.map(({ name }) => [name, most.get(name)] as const);
    expect(named).toEqual(alive.map(({ name }) => [name, 2]));
    for (const id of ids) {
      const done = await asker.ready(id);
      const file = await asker.download(done.url ?? '', folder);
      expect(Math.abs((await probe(recorder, file)).seconds - done.seconds)).toBeLessThan(0.25);
    }
  } finally {
    asker.leave();
  }
}, 240_000);
