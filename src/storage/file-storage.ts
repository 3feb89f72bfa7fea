import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, rmdir, stat, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { addAbortSignal, type Readable } from 'node:stream';
import {
  noSuchFile,
  segmentsOf,
  storageFull,
  storageTrouble,
  type ByteRange,
  type Storage,
  type StoredFile,
} from './storage.js';

const UNFINISHED = '.unfinished';
/** No quota, no space. */
const FULL = new Set(['ENOSPC', 'EDQUOT']);
const GONE = new Set(['ENOENT', 'ENOTDIR', 'EISDIR']);
/** A folder that somebody removed as empty between its making and its use is made anew. */
const MAKE_FOLDER_TRIES = 5;
const BUFFER_BYTES = 256 * 1024;

/**
 * A folder of this machine, or one that all nodes of the cluster share. A file is written beside its place as
 * `.<random>.unfinished` and renamed once its bytes are on the disk.
 */
export class FileStorage implements Storage {
  constructor(private readonly root: string) {}

  async write(path: string, source: Readable, signal?: AbortSignal): Promise<number> {
    const target = this.#place(path);
    const temporary = join(dirname(target), `.${randomUUID()}${UNFINISHED}`);
    // It may fail before somebody listens: whoever reads it then is still told.
    source.on('error', () => undefined);
    if (signal) addAbortSignal(signal, source);
    try {
      const size = await this.#fill(temporary, source);
      signal?.throwIfAborted();
      await told(rename(temporary, target));
      return size;
    } catch (error) {
      source.destroy();
      await rm(temporary, { force: true }).catch(() => undefined);
      throw signal?.aborted ? signal.reason : error;
    }
  }

  async read(path: string, range?: ByteRange): Promise<Readable> {
    const place = this.#place(path);
    try {
      const file = await open(place, 'r');
      if ((await file.stat()).isFile()) {
        return file.createReadStream({
          start: range?.start ?? 0,
          end: range?.end ?? Infinity,
          highWaterMark: BUFFER_BYTES,
        });
      }
      await file.close();
    } catch (error) {
      throw isGone(error) ? noSuchFile(path) : storageTrouble(error);
    }
    throw noSuchFile(path);
  }

  async stat(path: string): Promise<StoredFile | null> {
    return this.#stat(path, this.#place(path));
  }

  async *list(folder: string): AsyncIterable<StoredFile> {
    segmentsOf(folder);
    yield* this.#walk(folder, (name) => !name.startsWith('.'));
  }

  async *unfinished(folder: string): AsyncIterable<StoredFile> {
    segmentsOf(folder);
    yield* this.#walk(folder, (name) => name.endsWith(UNFINISHED));
  }

  async delete(path: string): Promise<void> {
    const place = this.#place(path);
    try {
      await rm(place, { force: true });
      await this.#removeEmpty(dirname(place));
    } catch (error) {
      if (!isGone(error)) throw storageTrouble(error);
    }
  }

  async deleteAll(folder: string): Promise<void> {
    const place = this.#place(folder);
    try {
      // Somebody may still be writing there: tried again when a file appears in a folder that was just emptied.
      await rm(place, { recursive: true, force: true, maxRetries: 3 });
      await this.#removeEmpty(dirname(place));
    } catch (error) {
      throw storageTrouble(error);
    }
  }

  async close(): Promise<void> {
    // It holds nothing open.
  }

  #place(path: string): string {
    return join(this.root, ...segmentsOf(path));
  }

  async #create(path: string): Promise<FileHandle> {
    for (let tries = 1; ; tries++) {
      await mkdir(dirname(path), { recursive: true });
      try {
        return await open(path, 'wx');
      } catch (error) {
        if (!isGone(error) || tries === MAKE_FOLDER_TRIES) throw error;
      }
    }
  }

  async #fill(path: string, source: Readable): Promise<number> {
    const file = await told(this.#create(path));
    try {
      let size = 0;
      for await (const chunk of source as AsyncIterable<Buffer | string>) {
        const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
        await told(append(file, bytes));
        size += bytes.length;
      }
      await told(file.datasync());
      return size;
    } finally {
      await file.close();
    }
  }

  async *#walk(folder: string, wanted: (name: string) => boolean): AsyncIterable<StoredFile> {
    const place = join(this.root, folder);
    const entries = await readdir(place, { withFileTypes: true }).catch((error: unknown) => {
      if (isGone(error)) return [];
      throw storageTrouble(error);
    });
    entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const entry of entries) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) yield* this.#walk(path, wanted);
      else if (wanted(entry.name)) {
        const file = await this.#stat(path, join(place, entry.name));
        if (file) yield file;
      }
    }
  }

  async #stat(path: string, place: string): Promise<StoredFile | null> {
    try {
      const found = await stat(place);
      return found.isFile() ? { path, size: found.size, modifiedAt: Math.round(found.mtimeMs) } : null;
    } catch (error) {
      if (isGone(error)) return null;
      throw storageTrouble(error);
    }
  }

  /** Folders up to the root that nobody needs any more; the system itself refuses one that somebody fills meanwhile. */
  async #removeEmpty(folder: string): Promise<void> {
    for (let place = folder; place.length > this.root.length; place = dirname(place)) {
      try {
        await rmdir(place);
      } catch {
        return;
      }
    }
  }
}

/** The system may take less than it is given. */
async function append(file: FileHandle, bytes: Buffer): Promise<void> {
  for (let done = 0; done < bytes.length;) done += (await file.write(bytes, done)).bytesWritten;
}

/** What the storage itself could not do, as a coded error; what its user's stream throws is not touched. */
async function told<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw FULL.has((error as NodeJS.ErrnoException).code ?? '') ? storageFull(error) : storageTrouble(error);
  }
}

function isGone(error: unknown): boolean {
  return GONE.has((error as NodeJS.ErrnoException).code ?? '');
}
