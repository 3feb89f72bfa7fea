import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { memoryOf } from '../../src/recordings/mark.js';
import { files } from '../../src/recordings/recording.js';
import { eventually } from '../support/eventually.js';
import { clocksIn, foldersOf, missingBy, nothingLeft, pidsOf, probe, startRecorder, type Recorder } from './support.js';
import { Workshop, type WorkInProgress } from './workshop.js';

/** Beside what a browser needs anyway, which differs from machine to machine. */
const GROWTH_BYTES = 600 * 1024 ** 2;

let recorder: Recorder;
let folder: string;
let shop: Workshop;

beforeAll(async () => {
  recorder = await startRecorder();
  folder = await mkdtemp(join(tmpdir(), 'pollcast-videos-'));
}, 60_000);

afterAll(async () => {
  await recorder?.stop();
  await rm(folder, { recursive: true, force: true });
});

beforeEach(() => void (shop = new Workshop(recorder)));
afterEach(() => shop.close());

async function plays(work: WorkInProgress, seconds: number): Promise<readonly number[]> {
  const file = await work.video(folder);
  const video = await probe(recorder, file);
  expect(Math.abs(video.seconds - seconds)).toBeLessThan(0.25);
  // Every frame can be decoded.
  const clocks = await clocksIn(recorder, file);
  expect(clocks).toHaveLength(video.frames);
  return clocks;
}

describe('a recording goes on in its next segment', () => {
  async function survives(
    reason: string,
    hurt: (pids: { browser: number; encoder: number }) => unknown,
    page = '',
  ): Promise<void> {
    const work = shop.start(`${recorder.clock}${page}`);
    await work.made(1);
    const pids = pidsOf(work.id);
    expect(pids).toEqual({ browser: expect.any(Number), encoder: expect.any(Number) });
    hurt(pids as { browser: number; encoder: number });
    await work.replaced(pids);
    // Of the next segment: until then the old one may have gone on with a picture that stood still.
    await work.made((work.seen.seconds ?? 0) + 1.5);
    const done = await work.stop();
    expect(done).toMatchObject({ state: 'ready', ended: 'stopped' });
    const clocks = await plays(work, done.seconds ?? 0);
    const gaps = work.lines('gap') as unknown as { at: number; seconds: number }[];
    expect(gaps.length).toBeGreaterThan(0);
    for (const gap of gaps) expect(gap).toMatchObject({ reason, seconds: expect.any(Number) });
    // What the timeline says to be missing is what is missing in the pictures.
    const told = gaps.reduce((sum, { seconds }) => sum + seconds, 0);
    expect(Math.abs(missingBy(clocks, gaps.at(-1)?.at ?? 0) - told)).toBeLessThan(0.5);
    await nothingLeft(work.id);
    expect(await foldersOf(work.id)).toEqual([]);
  }

  test(
    'when the browser is killed',
    () => survives('browser-crash', ({ browser }) => process.kill(browser, 'SIGKILL')),
    90_000,
  );
  test(
    'when the browser hangs',
    () => survives('browser-hung', ({ browser }) => process.kill(browser, 'SIGSTOP')),
    90_000,
  );
  test('when the browser grows past its limit', async () => {
    const small = shop.start();
    await small.made(1);
    const { browser = 0 } = pidsOf(small.id);
    shop.memoryBytes = memoryOf(browser) + GROWTH_BYTES / 2;
    await small.stop();
    // Its first browser grows, the next one does not.
    await survives('browser-memory', () => recorder.grow(GROWTH_BYTES), 'growing');
  }, 90_000);
  test(
    'when the encoder is killed',
    () => survives('encoder-death', ({ encoder }) => process.kill(encoder, 'SIGKILL')),
    90_000,
  );
  test(
    'when the encoder hangs',
    () => survives('encoder-hung', ({ encoder }) => process.kill(encoder, 'SIGSTOP')),
    90_000,
  );
});

test('the storage is away: segments wait on the node, and so does the end', async () => {
  const work = shop.start();
  await work.made(1);
  shop.storage.away = true;
  await eventually(() => shop.storage.missed > 1, { what: 'segments that wait', deadlineMs: 60_000 });
  await work.made((work.seen.seconds ?? 0) + 2);
  const stopping = work.stop();
  const missed = shop.storage.missed;
  await eventually(() => shop.storage.missed > missed, { what: 'one more try', deadlineMs: 60_000 });
  shop.storage.away = false;
  const done = await stopping;
  expect(done).toMatchObject({ state: 'ready', ended: 'stopped' });
  await plays(work, done.seconds ?? 0);
  expect(work.lines('gap')).toEqual([]);
  expect([...shop.storage.files.keys()].filter((path) => path.startsWith(files.segments(work.id)))).toEqual([]);
}, 90_000);

test('it ends at its maximum length', async () => {
  const work = shop.start(recorder.clock, { maxSeconds: 2 });
  const done = await work.over();
  expect(done).toMatchObject({ state: 'ready', ended: 'length' });
  expect(done.seconds).toBeGreaterThanOrEqual(2);
  await plays(work, done.seconds ?? 0);
}, 90_000);

test('one that an operator stops for good is finished, and plays', async () => {
  const work = shop.start();
  await work.made(1);
  await work.leave('retired');
  expect(work.seen).toMatchObject({ state: 'ready', ended: 'operator' });
  await plays(work, work.seen.seconds ?? 0);
}, 90_000);

test('a page that cannot be opened is tried five times, and told', async () => {
  const work = shop.start(recorder.clock, { target: { hub: '/' } });
  const done = await work.over();
  expect(done).toMatchObject({ state: 'error', ended: 'failed', error: { code: 'UNAVAILABLE' } });
  expect(done.error?.message).toMatch(/5 times/);
  expect(await shop.library.get(work.id)).toMatchObject({ state: 'error', owner: 'ann' });
  expect(await foldersOf(work.id)).toEqual([]);
}, 90_000);

test('one that leaves while its browser is still starting is not waited for, and leaves nothing', async () => {
  const work = shop.start(`${recorder.clock}never`);
  await eventually(() => pidsOf(work.id).browser !== undefined, { what: 'a browser', deadlineMs: 60_000 });
  await work.leave('handover');
  // The page never answers: the browser waits for it still, or is ended already.
  expect(work.seen.state).toBe('starting');
  recorder.answer();
  await nothingLeft(work.id);
  await eventually(async () => (await foldersOf(work.id)).length === 0, { what: 'its folder to be removed' });
}, 90_000);
