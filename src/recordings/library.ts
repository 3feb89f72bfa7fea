import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { PollcastError } from '../errors.js';
import type { Storage } from '../storage/storage.js';
import { files, recordingSchema, type Recording } from './recording.js';

const ID = /^[a-z0-9]{16}$/;

/** Recordings that are over, as they lie in the storage: they outlive the cluster. */
export class Library {
  constructor(private readonly storage: Storage) {}

  /** Makes it appear, and removes what it was made of. */
  async keep(recording: Recording): Promise<void> {
    const { id } = recording;
    await this.storage.write(files.facts(id), Readable.from([JSON.stringify(recording)]));
    await this.storage.deleteAll(files.segments(id));
  }

  async get(id: string): Promise<Recording | null> {
    if (!ID.test(id) || (await this.storage.stat(files.facts(id))) === null) return null;
    try {
      return recordingSchema.parse(JSON.parse(await text(await this.storage.read(files.facts(id)))));
    } catch (error) {
      if (error instanceof PollcastError && error.code === 'NOT_FOUND') return null;
      throw error;
    }
  }

  /** Newest first. `owner` absent: everybody's. */
  async list(owner?: string): Promise<Recording[]> {
    const found: Recording[] = [];
    for await (const { path } of this.storage.list(files.root)) {
      const id = /^recordings\/([a-z0-9]{16})\/recording\.json$/.exec(path)?.[1];
      const recording = id === undefined ? null : await this.get(id);
      if (recording && (owner === undefined || recording.owner === owner)) found.push(recording);
    }
    return found.sort((a, b) => b.requestedAt - a.requestedAt);
  }

  async remove(id: string): Promise<void> {
    await this.storage.deleteAll(files.folder(id));
  }
}
