import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { reachableBy, traversableBy } from '../../src/embedded/account.js';
import { placeFor, sweepTemporary, temporaryDataDir } from '../../src/embedded/data-dir.js';
import { ifNotDiskFull, requireSpace } from '../../src/embedded/disk.js';

const STRANGER = { uid: 65534, gid: 65534 };
let home: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'pollcast-folders-'));
  await chmod(home, 0o755);
});
afterAll(() => rm(home, { recursive: true, force: true }));

test('sweeps the temporary folders of dead starts, and no others', async () => {
  const dead = join(tmpdir(), `pollcast-pg-999999999-${process.pid}`);
  await mkdir(dead);
  const living = await temporaryDataDir();
  expect(existsSync(dead)).toBe(false);
  expect(await sweepTemporary()).not.toContain(living);
  expect(existsSync(living)).toBe(true);
  await rm(living, { recursive: true });
});

test('keeps the folder that was asked for when the server can get there', async () => {
  const wanted = join(home, 'open', 'pg');
  expect(await placeFor(wanted, {})).toBe(wanted);
  expect(await placeFor(wanted, STRANGER)).toBe(wanted);
});

test('moves to the temporary folder below a private one, to the same place each time', async () => {
  const secret = join(home, 'private');
  await mkdir(secret, { mode: 0o700 });
  expect(await placeFor(join(secret, 'pg'), {})).toBe(join(secret, 'pg'));
  const placed = await placeFor(join(secret, 'pg'), STRANGER);
  expect(placed.startsWith(join(tmpdir(), 'pollcast-data-pg-'))).toBe(true);
  expect(await placeFor(join(secret, 'pg'), STRANGER)).toBe(placed);
  expect(await placeFor(join(secret, 'other'), STRANGER)).not.toBe(placed);
});

test('asks every folder above a path, not only the last', async () => {
  const deep = join(home, 'shut', 'a', 'b');
  await mkdir(deep, { recursive: true });
  expect(traversableBy(STRANGER, deep)).toBe(true);
  await chmod(join(home, 'shut'), 0o700);
  expect(traversableBy(STRANGER, deep)).toBe(false);
  expect(reachableBy(STRANGER, join(deep, 'missing'))).toBe(false);
  expect(traversableBy({}, deep)).toBe(true);
});

test('a full disk is told in one sentence that says what to do', async () => {
  const sentence = { code: 'UNAVAILABLE', message: expect.stringMatching(/disk is full.*DATABASE_URL/) };
  // The process file system has no free block.
  if (existsSync('/proc/self')) await expect(requireSpace('/proc')).rejects.toMatchObject(sentence);
  await expect(requireSpace(tmpdir())).resolves.toBeUndefined();
  expect(ifNotDiskFull(Object.assign(new Error('write'), { code: 'ENOSPC' }), '/data')).toMatchObject(sentence);
  const other = new Error('anything else');
  expect(ifNotDiskFull(other, '/data')).toBe(other);
});
