import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Storage, StoredFile } from '../../src/storage/storage.js';

export interface StorageBench {
  readonly storage: Storage;
  close(): Promise<void>;
}

/** What every storage promises, whatever is behind it. */
export function storageSuite(name: string, open: () => Promise<StorageBench>): void {
  describe(`storage in ${name}`, () => {
    let bench: StorageBench;
    let storage: Storage;

    beforeEach(async () => {
      bench = await open();
      storage = bench.storage;
    });
    afterEach(() => bench.close());

    const put = (path: string, content: string | Buffer): Promise<number> =>
      storage.write(path, Readable.from([Buffer.from(content)]));
    const get = async (path: string, range?: { start: number; end?: number }): Promise<string> =>
      (await buffer(await storage.read(path, range))).toString();
    const all = async (files: AsyncIterable<StoredFile>): Promise<StoredFile[]> => {
      const found: StoredFile[] = [];
      for await (const file of files) found.push(file);
      return found;
    };
    const paths = async (folder: string): Promise<string[]> =>
      (await all(storage.list(folder))).map(({ path }) => path);

    it('reads what was written, and tells its size', async () => {
      expect(await put('a/b/hello.txt', 'hello')).toBe(5);
      expect(await get('a/b/hello.txt')).toBe('hello');
      expect(await storage.stat('a/b/hello.txt')).toEqual({
        path: 'a/b/hello.txt',
        size: 5,
        modifiedAt: expect.any(Number),
      });
    });

    it('writes an empty file, and texts', async () => {
      expect(await storage.write('empty', Readable.from([], { objectMode: false }))).toBe(0);
      expect(await get('empty')).toBe('');
      expect(await storage.write('umlaut', Readable.from(['Grüße', '!']))).toBe(8);
      expect(await get('umlaut')).toBe('Grüße!');
    });

    it('streams a file of many chunks unharmed', async () => {
      const chunks = Array.from({ length: 50 }, () => randomBytes(1_000_003));
      expect(await storage.write('big', Readable.from(chunks))).toBe(50 * 1_000_003);
      const back = await buffer(await storage.read('big'));
      expect(back.equals(Buffer.concat(chunks))).toBe(true);
    });

    it('reads ranges, both ends included', async () => {
      await put('r', '0123456789');
      expect(await get('r', { start: 3, end: 5 })).toBe('345');
      expect(await get('r', { start: 7 })).toBe('789');
      expect(await get('r', { start: 9, end: 9 })).toBe('9');
    });

    it('refuses what is not there', async () => {
      await put('folder/file', 'x');
      await expect(storage.read('no/such')).rejects.toMatchObject({ code: 'NOT_FOUND' });
      await expect(storage.read('folder')).rejects.toMatchObject({ code: 'NOT_FOUND' });
      expect(await storage.stat('no/such')).toBeNull();
      expect(await storage.stat('folder')).toBeNull();
      expect(await paths('nothing')).toEqual([]);
    });

    it('shows a file only when it is whole', async () => {
      const source = new Readable({ read: () => undefined });
      const writing = storage.write('w/file', source);
      source.push('first');
      expect(await storage.stat('w/file')).toBeNull();
      expect(await paths('w')).toEqual([]);
      source.push(' second');
      source.push(null);
      await writing;
      expect(await get('w/file')).toBe('first second');
    });

    it('keeps the old file when writing its successor fails, and replaces it when it succeeds', async () => {
      await put('same', 'old');
      const broken = new Readable({ read: () => undefined });
      const writing = storage.write('same', broken);
      broken.push('half');
      const failure = new Error('the source broke');
      broken.destroy(failure);
      await expect(writing).rejects.toBe(failure);
      expect(await get('same')).toBe('old');
      await put('same', 'new');
      expect(await get('same')).toBe('new');
    });

    it('leaves nothing of a write that is aborted, also in the middle of a big one', async () => {
      const abort = new AbortController();
      const reason = new Error('enough');
      let given = 0;
      const source = new Readable({
        read() {
          this.push(Buffer.alloc(1_000_000));
          if (++given === 40) abort.abort(reason);
        },
      });
      await expect(storage.write('gone/file', source, abort.signal)).rejects.toBe(reason);
      expect(source.destroyed).toBe(true);
      expect(await storage.stat('gone/file')).toBeNull();
      expect(await all(storage.unfinished('gone'))).toEqual([]);
      await expect(storage.write('gone/file', Readable.from(['x']), AbortSignal.abort(reason))).rejects.toBe(reason);
      expect(await storage.stat('gone/file')).toBeNull();
    });

    it('lists what lies below a folder, and not what only begins with its name', async () => {
      for (const path of ['e/2/b', 'e/1/a', 'e/1/c', 'e2/z', 'other']) await put(path, path);
      expect(await paths('e')).toEqual(['e/1/a', 'e/1/c', 'e/2/b']);
      expect(await paths('e/1')).toEqual(['e/1/a', 'e/1/c']);
    });

    it('deletes a file, and what is gone already', async () => {
      await put('d/one', '1');
      await put('d/two', '2');
      await storage.delete('d/one');
      await storage.delete('d/one');
      await storage.delete('never/was');
      expect(await paths('d')).toEqual(['d/two']);
    });

    it('deletes a folder with all that is in it, and nothing beside it', async () => {
      for (const path of ['x/1/a', 'x/1/b/c', 'x/10', 'y']) await put(path, path);
      await storage.deleteAll('x/1');
      await storage.deleteAll('x/1');
      expect(await paths('x')).toEqual(['x/10']);
      expect(await get('y')).toBe('y');
    });

    it('lets no path out of its place', async () => {
      for (const path of ['../x', 'a/../../x', '/etc/passwd', '', 'a//b', '.hidden', 'a/.b', 'a b', 'a\\b']) {
        await expect(put(path, 'x')).rejects.toMatchObject({ code: 'BAD_REQUEST' });
        await expect(storage.read(path)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
        await expect(storage.deleteAll(path)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
        await expect(all(storage.list(path))).rejects.toMatchObject({ code: 'BAD_REQUEST' });
      }
    });
  });
}
