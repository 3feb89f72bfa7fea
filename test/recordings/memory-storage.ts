import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import {
  noSuchFile,
  storageTrouble,
  type ByteRange,
  type Storage,
  type StoredFile,
} from '../../src/storage/storage.js';

/** Files that last as long as the test, in a storage that can be away. */
export class MemoryStorage implements Storage {
  readonly files = new Map<string, Buffer>();
  away = false;
  /** Times that somebody came while it was away. */
  missed = 0;

  async write(path: string, source: Readable, signal?: AbortSignal): Promise<number> {
    const whole = await buffer(source);
    this.#assertThere();
    signal?.throwIfAborted();
    this.files.set(path, whole);
    return whole.length;
  }

  async read(path: string, range?: ByteRange): Promise<Readable> {
    this.#assertThere();
    const whole = this.files.get(path);
    if (!whole) throw noSuchFile(path);
    const end = range?.end === undefined ? whole.length : range.end + 1;
    return Readable.from([whole.subarray(range?.start ?? 0, end)]);
  }

  async stat(path: string): Promise<StoredFile | null> {
    this.#assertThere();
    const whole = this.files.get(path);
    return whole ? { path, size: whole.length, modifiedAt: 0 } : null;
  }

  async *list(folder: string): AsyncIterable<StoredFile> {
    for (const path of [...this.files.keys()].sort()) {
      const file = path.startsWith(`${folder}/`) ? await this.stat(path) : null;
      if (file) yield file;
    }
  }

  async *unfinished(): AsyncIterable<StoredFile> {
    // What is written is whole at once.
  }

  async delete(path: string): Promise<void> {
    this.#assertThere();
    this.files.delete(path);
  }

  async deleteAll(folder: string): Promise<void> {
    this.#assertThere();
    for (const path of this.files.keys()) if (path.startsWith(`${folder}/`)) this.files.delete(path);
  }

  async close(): Promise<void> {
    this.files.clear();
  }

  #assertThere(): void {
    if (!this.away) return;
    this.missed += 1;
    throw storageTrouble(new Error('away'));
  }
}
