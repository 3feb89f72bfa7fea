import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { storageTrouble, type Storage } from '../../src/storage/storage.js';
import { gate } from '../kernel/gate.js';
import { altered, Stage, type StageNode } from './stage.js';

let stage: Stage;
let node: StageNode;

beforeEach(async () => {
  stage = await Stage.open();
});

afterEach(() => stage.close());

const ids = (count: number) => Array.from({ length: count }, (_, i) => ({ id: i + 1 }));
const csvOf = (count: number) => ['id', ...ids(count).map(({ id }) => id), ''].join('\n');

describe('progress', () => {
  it('is told at most four times a second, whatever the speed, and its end is told', async () => {
    node = await stage.node('a');
    const clock = stage.cluster.time.clock();
    async function* steadily() {
      for (const row of ids(6_000)) {
        if (row.id % 10 === 0) await new Promise<void>((next) => void clock.after(10, next));
        // Long enough to leave the reader's buffer with each row.
        yield { ...row, text: 'x'.repeat(70_000) };
      }
    }
    const topic = stage.serve('steady', steadily);
    await stage.request(node, topic, 'csv');
    const record = await stage.ended(node);
    await stage.cluster.time.advance(1_000);
    expect(record).toMatchObject({ state: 'ready', rows: 6_000 });
    const times = stage.told.map(({ at }) => at);
    expect(times.length).toBeGreaterThan(15);
    for (const [i, at] of times.entries()) {
      const inSecond = times.slice(i).filter((other) => other < at + 1_000);
      expect(inSecond.length).toBeLessThanOrEqual(4);
    }
    expect(stage.told.at(-1)?.view).toMatchObject({ state: 'ready', rows: 6_000, progress: 1 });
  }, 60_000);

  it('is told as seldom while owners change', async () => {
    const clock = stage.cluster.time.clock();
    async function* steadily() {
      for (const row of ids(2_000)) {
        await new Promise<void>((next) => void clock.after(2, next));
        yield { ...row, text: 'x'.repeat(70_000) };
      }
    }
    const topic = stage.serve('steady', steadily);
    const first = await stage.node('a');
    await stage.request(first, topic, 'csv');
    let owner = first;
    for (const name of ['b', 'c', 'd']) {
      const heir = await stage.node(name);
      const told = stage.told.length;
      await stage.cluster.time.until(() => stage.told.length >= told + 2, 'two announcements');
      // Right after one.
      await stage.cluster.within(owner.kernel.drain());
      owner = heir;
    }
    await stage.ended(owner);
    const times = stage.told.map(({ at }) => at);
    for (const [i, at] of times.entries()) {
      expect(times.slice(i).filter((other) => other < at + 1_000).length).toBeLessThanOrEqual(4);
    }
  }, 60_000);

  it('that its owner could not tell any more is told by the next', async () => {
    const silent = await stage.node('a');
    const topic = stage.serve('few', () => ids(3));
    await stage.request(silent, topic, 'csv');
    const { id } = await stage.ended(silent);
    const before = stage.told.length;
    const heir = await stage.node('b');
    await stage.cluster.kill(silent);
    await stage.cluster.time.until(() => stage.told.length > before, 'an announcement by the heir');
    expect(stage.told.at(-1)?.view).toMatchObject({ id, state: 'ready' });
    expect(await heir.exports.record('ada')).toMatchObject({ id, state: 'ready' });
  });
});

describe('a dismissal', () => {
  const never = () => stage.serve('never', () => new Promise<never>(() => undefined));

  it('among others and cancels is answered, as all of them are, though the process ends', async () => {
    node = await stage.node('a');
    const { id } = await stage.request(node, never(), 'csv');
    await stage.until(node, (record) => record?.state === 'processing', 'the work to begin');
    const { exports } = node;
    const asked = Array.from({ length: 12 }, (_, i) => (i % 3 ? exports.cancel('ada') : exports.dismiss('ada', id)));
    const answers = await stage.cluster.within(Promise.allSettled(asked));
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const answer of answers) {
      if (answer.status === 'rejected') expect(answer.reason).toMatchObject({ code: 'NOT_FOUND' });
    }
    const ended = async (): Promise<boolean> => (await node.ports.store.process('export:ada')) === null;
    await stage.cluster.time.until(ended, 'the end of the process');
    expect(await stage.figures()).toEqual({ 'ended_total{format="csv",state="cancelled"}': 1 });
  });

  it('is told to the pages that still show it, and nothing is left', async () => {
    node = await stage.node('a');
    const topic = stage.serve('few', () => ids(3));
    for (const [wanted, state] of [
      [topic, 'ready'],
      [never(), 'processing'],
    ] as const) {
      const { id } = await stage.request(node, wanted, 'csv');
      await stage.until(node, (record) => record?.state === state);
      await stage.cluster.within(node.exports.dismiss('ada', id));
      const { view } = stage.told.at(-1) ?? {};
      expect(view).toMatchObject({ id, state: 'cancelled', gone: true });
      expect(view).not.toHaveProperty('url');
      expect(await node.exports.current('ada')).toBeNull();
      await stage.cluster.time.until(async () => (await stage.files()).length === 0, 'the end of the files');
    }
  });
});

describe('limits', () => {
  it('of time: an export that takes longer ends with a code, and the next one works', async () => {
    node = await stage.node('a', { settings: { timeoutMs: 60_000 } });
    const never = stage.serve('never', () => new Promise<never>(() => undefined));
    await stage.request(node, never, 'csv');
    const asked = stage.cluster.time.elapsed;
    expect(await stage.ended(node)).toMatchObject({ state: 'error', error: { code: 'QUERY_TIMEOUT' } });
    expect(stage.cluster.time.elapsed - asked).toBeGreaterThanOrEqual(59_000);
    await stage.request(
      node,
      stage.serve('few', () => ids(3)),
      'csv',
    );
    expect(await stage.ended(node)).toMatchObject({ state: 'ready', rows: 3 });
  });

  it('of rows: one too many is an error that names the limit, exactly as many are a file', async () => {
    node = await stage.node('a', { settings: { maxRows: 2_500 } });
    const topic = stage.serve('counted', ({ most }) => ids(Number(most)), { params: { most: { type: 'int' } } });
    for (const format of ['csv', 'xlsx'] as const) {
      await stage.request(node, topic, format, 'ada', { most: 2_501 });
      const failed = await stage.ended(node);
      expect(failed).toMatchObject({
        state: 'error',
        pieces: [],
        error: { code: 'TOO_MANY_ROWS', details: { maxRows: 2_500 } },
      });
      await stage.request(node, topic, format, 'ada', { most: 2_500 });
      const ready = await stage.ended(node);
      expect(ready).toMatchObject({ state: 'ready', rows: 2_500 });
      const only = ready.pieces.map(({ path }) => path).join();
      await stage.cluster.time.until(async () => (await stage.files()).join() === only, 'the end of all other files');
    }
  });

  it('of a file: it is kept for its time, then file and record go, and the process ends', async () => {
    node = await stage.node('a', { settings: { ttlMs: 600_000 } });
    await stage.request(
      node,
      stage.serve('few', () => ids(3)),
      'csv',
    );
    const ready = await stage.ended(node);
    expect(ready.expiresAt).toBe((ready.finishedAt ?? 0) + 600_000);
    await stage.cluster.time.advance(599_000);
    expect((await stage.file(ready)).toString()).toBe(csvOf(3));
    await stage.until(node, (record) => record === null, 'the end of its time');
    await stage.cluster.time.until(async () => (await stage.files()).length === 0, 'the end of the file');
    const gone = async (): Promise<boolean> => (await node.ports.store.process('export:ada')) === null;
    await stage.cluster.time.until(gone, 'the end of the process');
  });
});

describe('the storage', () => {
  it('that fails ends the export with a code; asked for again, it works', async () => {
    const broken = { now: true };
    const storage = (real: Storage): Storage =>
      altered(real, {
        write: (path, source, signal) =>
          broken.now && path.includes('00002')
            ? Promise.reject(storageTrouble('away'))
            : real.write(path, source, signal),
      });
    node = await stage.node('a', { storage });
    const topic = stage.serve('many', () => ids(3_500));
    await stage.request(node, topic, 'csv');
    expect(await stage.ended(node)).toMatchObject({ state: 'error', pieces: [], error: { code: 'UNAVAILABLE' } });
    broken.now = false;
    await stage.request(node, topic, 'csv');
    const ready = await stage.ended(node);
    expect((await stage.file(ready)).toString()).toBe(csvOf(3_500));
    expect(await stage.figures()).toMatchObject({
      'rows_total{format="csv"}': 1_000 + 3_500,
      'ended_total{format="csv",state="error"}': 1,
      'ended_total{format="csv",state="ready"}': 1,
      'seconds_count{format="csv"}': 1,
    });
    // What the first left is gone with it.
    await stage.cluster.time.until(async () => (await stage.files()).every((path) => path.startsWith(ready.folder)));
  });

  it('that is full is said to be; what fits works afterwards, on a real disk of 1 MB', async () => {
    const root = await mkdtemp(join(tmpdir(), 'pollcast-full-'));
    try {
      const script = 'mount -t tmpfs -o size=1m tmpfs "$0" && exec "$@" "$0"';
      const loader = fileURLToPath(new URL('../support/ts-loader.mjs', import.meta.url));
      const full = fileURLToPath(new URL('./fixtures/full.ts', import.meta.url));
      const command = [process.execPath, '--import', loader, full];
      const { stdout } = await promisify(execFile)('unshare', ['-rm', 'sh', '-c', script, root, ...command]);
      const [big, small] = JSON.parse(stdout) as [Record<string, unknown>, Record<string, unknown>];
      expect(big).toMatchObject({ state: 'error', error: { code: 'UNAVAILABLE', details: { reason: 'full' } } });
      expect(small).toMatchObject({ state: 'ready', rows: 1, files: [expect.stringMatching(/\.csv$/)] });
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  }, 60_000);
});

describe('another node', () => {
  it('makes the file of rows that were gathered, and gathers none again', async () => {
    let reads = 0;
    const topic = stage.serve('many', () => {
      reads += 1;
      return ids(3_500);
    });
    // Its file is never done.
    const stuck = (real: Storage): Storage =>
      altered(real, {
        write: (path, source, signal) => {
          if (!path.endsWith('.xlsx')) return real.write(path, source, signal);
          source.resume();
          return new Promise(() => undefined);
        },
      });
    const first = await stage.node('a', { storage: stuck });
    await stage.request(first, topic, 'xlsx');
    await stage.until(first, (record) => record?.stage === 'gathered', 'all rows');
    const heir = await stage.node('b');
    await stage.cluster.kill(first);
    const ready = await stage.ended(heir);
    expect(ready).toMatchObject({ state: 'ready', rows: 3_500, restarted: false });
    expect(reads).toBe(1);
  });

  it('begins again where it cannot go on, and says so', async () => {
    const waiting = gate();
    const topic = stage.serve('many', async function* () {
      yield* ids(2_500);
      await waiting.promise;
      yield* ids(3_500).slice(2_500);
    });
    const first = await stage.node('a');
    await stage.request(first, topic, 'csv');
    await stage.until(first, (record) => record?.state === 'processing', 'the work to begin');
    const heir = await stage.node('b');
    await stage.cluster.kill(first);
    waiting.open();
    const ready = await stage.ended(heir);
    expect(ready).toMatchObject({ state: 'ready', rows: 3_500, restarted: true });
    expect((await stage.file(ready)).toString()).toBe(csvOf(3_500));
  });
});
