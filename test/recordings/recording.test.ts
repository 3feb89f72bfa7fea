import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { markedProcesses } from '../../src/recordings/mark.js';
import { STUDIOS_FOLDER } from '../../src/recordings/studio.js';
import { startCluster, type TestCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { clocksIn, Person, pidsOf, probe, recorderSlots, startRecorder, type Recorder } from './support.js';

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

/** How far each frame's clock is from where the first frame's says that it should be, in ms. */
function drift(clocks: readonly number[]): number[] {
  return clocks.map((clock, i) => clock - (clocks[0] as number) - i * 100);
}

test('a page is recorded: the video plays, is as long as it says, and its clock is the page’s', async () => {
  const { id } = await person.start({ url: recorder.clock });
  await person.made(id, 3);
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
  expect(Math.max(...drift(clocks).map(Math.abs))).toBeLessThan(250);
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
  expect(frames.length).toBeGreaterThan(0);
  for (const { at } of lines) expect(at).toBeLessThanOrEqual(done.seconds);
  expect(lines.map(({ at }) => at)).toEqual(lines.map(({ at }) => at).sort((a, b) => a - b));
}, 90_000);

async function nothingLeft(id: string): Promise<void> {
  await eventually(async () => markedProcesses().every(({ mark }) => mark.id !== id), {
    what: `no process of recording ${id}`,
  });
}

async function foldersOf(id: string): Promise<string[]> {
  return (await readdir(STUDIOS_FOLDER)).filter((name) => name.startsWith(`${id}-`));
}

describe('what goes wrong outside', () => {
  async function survives(hurt: (pids: { browser?: number; encoder?: number }) => void, reason: string): Promise<void> {
    const { id } = await person.start({ url: recorder.clock });
    await person.made(id, 1);
    const pids = pidsOf(id);
    expect(pids).toEqual({ browser: expect.any(Number), encoder: expect.any(Number) });
    hurt(pids);
    await eventually(
      async () => {
        const now = pidsOf(id);
        return now.browser !== undefined && now.encoder !== undefined && now.encoder !== pids.encoder;
      },
      { what: 'another browser and encoder', deadlineMs: 30_000, everyMs: 50 },
    );
    // Of the next segment: until then the old one may have gone on with a picture that stood still.
    const resumed = await person.one(id);
    await person.made(id, (resumed?.seconds ?? 0) + 1.5);
    await person.stop(id);
    const done = await person.ready(id);
    expect(done).toMatchObject({ state: 'ready', ended: 'stopped' });
    const file = await person.download(done.url ?? '', folder);
    const { seconds } = await probe(recorder, file);
    expect(Math.abs(seconds - done.seconds)).toBeLessThan(0.25);
    const gaps = (await timeline(id)).filter(({ type }) => type === 'gap');
    expect(gaps).toEqual([expect.objectContaining({ reason, seconds: expect.any(Number) })]);
    await nothingLeft(id);
  }

  test(
    'the browser is killed',
    () => survives(({ browser }) => process.kill(browser ?? 0, 'SIGKILL'), 'browser-crash'),
    90_000,
  );

  test(
    'the encoder is killed',
    () => survives(({ encoder }) => process.kill(encoder ?? 0, 'SIGKILL'), 'encoder-death'),
    90_000,
  );

  test(
    'the browser hangs',
    () => survives(({ browser }) => process.kill(browser ?? 0, 'SIGSTOP'), 'browser-hung'),
    90_000,
  );
});

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
    const done = await there.ready(id);
    expect(done).toMatchObject({ state: 'ready', ended: 'stopped' });
    const file = await there.download(done.url ?? '', folder);
    const video = await probe(recorder, file);
    expect(Math.abs(video.seconds - done.seconds)).toBeLessThan(0.25);
    expect(await clocksIn(recorder, file)).toHaveLength(video.frames);
    const gaps = (await timeline(id, there)).filter(({ type }) => type === 'gap');
    expect(gaps).toEqual([expect.objectContaining({ reason: 'handover', seconds: expect.any(Number) })]);
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
  try {
    await alive.find(({ name }) => name === before.node)?.kill('SIGKILL');
    const resumed = await there.until(id, 'recorded elsewhere', ({ node, state }) => {
      return state === 'recording' && node !== before.node;
    });
    await there.made(id, resumed.seconds + 1.5);
    expect((await foldersOf(id)).length).toBe(2);
    await cluster.add();
    await eventually(async () => (await foldersOf(id)).length === 1, { what: 'the folder of the dead to be removed' });
    await there.stop(id);
    const done = await there.ready(id);
    expect(done).toMatchObject({ state: 'ready', ended: 'stopped' });
    const file = await there.download(done.url ?? '', folder);
    const video = await probe(recorder, file);
    expect(Math.abs(video.seconds - done.seconds)).toBeLessThan(0.25);
    expect(await clocksIn(recorder, file)).toHaveLength(video.frames);
    const gaps = (await timeline(id, there)).filter(({ type }) => type === 'gap');
    expect(gaps).toEqual([expect.objectContaining({ reason: 'takeover', seconds: expect.any(Number) })]);
    await nothingLeft(id);
    expect(await foldersOf(id)).toEqual([]);
  } finally {
    asker.leave();
    there.leave();
  }
}, 120_000);
