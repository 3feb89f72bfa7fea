import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FileStorage } from '../../src/storage/file-storage.js';
import { eventually } from '../support/eventually.js';
import { storageSuite } from './storage.suite.js';

storageSuite('a folder', async () => {
  const root = await mkdtemp(join(tmpdir(), 'pollcast-storage-'));
  return { storage: new FileStorage(root), close: () => rm(root, { recursive: true, force: true }) };
});

describe('a folder as storage', () => {
  let root: string;
  let storage: FileStorage;

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'pollcast-storage-'));
    storage = new FileStorage(root);
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  it('shows what a writer that died has left, and removes it with its folder', async () => {
    const source = new Readable({ read: () => undefined });
    const writing = storage.write('e/1/part', source);
    source.push('half');
    const [left] = await eventually(async () => {
      const found = [];
      for await (const file of storage.unfinished('e')) found.push(file);
      return found[0]?.size === 4 && found;
    });
    expect(left?.path).toMatch(/^e\/1\/\..*\.unfinished$/);
    await storage.deleteAll('e/1');
    source.push(null);
    await expect(writing).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(await readdir(root)).toEqual([]);
  });

  it('keeps no empty folders', async () => {
    await storage.write('a/b/c', Readable.from(['x']));
    await storage.delete('a/b/c');
    expect(await readdir(root)).toEqual([]);
  });

  it('tells a disk without space, leaves nothing on it, and takes what fits', async () => {
    // A disk of 1 MB, in a namespace of its own, so that nobody needs to be root.
    const script = 'mount -t tmpfs -o size=1m tmpfs "$0" && exec "$@" "$0"';
    const loader = fileURLToPath(new URL('../support/ts-loader.mjs', import.meta.url));
    const fill = fileURLToPath(new URL('./fixtures/fill.ts', import.meta.url));
    const node = [process.execPath, '--import', loader, fill];
    const { stdout } = await promisify(execFile)('unshare', ['-rm', 'sh', '-c', script, root, ...node]);
    expect(JSON.parse(stdout)).toEqual({
      refused: { code: 'UNAVAILABLE', message: expect.stringContaining('no space'), details: { reason: 'full' } },
      small: 4,
      left: [],
    });
  });

  it('tells nobody where the folder is', async () => {
    await writeFile(join(root, 'in-the-way'), '');
    await expect(storage.write('in-the-way/x', Readable.from(['x']))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.not.stringContaining(root),
    });
  });
});
