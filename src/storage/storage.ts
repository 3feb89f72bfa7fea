import type { Readable } from 'node:stream';
import { PollcastError } from '../errors.js';

export interface StoredFile {
  readonly path: string;
  /** In bytes. */
  readonly size: number;
  /** Ms since 1970. */
  readonly modifiedAt: number;
}

/** Both ends included, as in HTTP; no `end`: to the end of the file. */
export interface ByteRange {
  readonly start: number;
  readonly end?: number;
}

/**
 * Where features keep files that any node can serve. A path is folders and a name between slashes
 * (`exports/7f3a/part-0001.csv`), in letters, digits and `. _ -`.
 *
 * A file appears under its name only when it is whole, and replaces what was there in one step. Everything is streamed:
 * memory does not grow with a file's size. All methods reject with `UNAVAILABLE` when the storage does not answer.
 */
export interface Storage {
  /**
   * Resolves with the size when the file is whole, and lasts. Rejects with `source`'s own error, with `signal`'s reason,
   * or with `UNAVAILABLE` (details.reason `full`: no space is left); nothing is to be seen of it then.
   */
  write(path: string, source: Readable, signal?: AbortSignal): Promise<number>;
  /** Rejects with `NOT_FOUND`. A file that is deleted while it is read may be read to its end, or fail. */
  read(path: string, range?: ByteRange): Promise<Readable>;
  stat(path: string): Promise<StoredFile | null>;
  /** All whole files at any depth below a folder, by path; none for one that is not there. */
  list(folder: string): AsyncIterable<StoredFile>;
  /**
   * What writers that died left below a folder, and what others are writing now: never readable, removed by `deleteAll` of
   * its folder. On S3 it is out of sight: a bucket's lifecycle rule ends unfinished uploads.
   */
  unfinished(folder: string): AsyncIterable<StoredFile>;
  /** A file that is not there is deleted already. */
  delete(path: string): Promise<void>;
  /** Everything below a folder, the unfinished too, and the folder. */
  deleteAll(folder: string): Promise<void>;
  close(): Promise<void>;
}

const SEGMENT = /^[A-Za-z0-9_-][\w.-]{0,199}$/;

/**
 * The parts of a path. None begins with a dot, so that `..` and the names of unfinished files cannot be asked for.
 *
 * @throws PollcastError `BAD_REQUEST`
 */
export function segmentsOf(path: string): string[] {
  const segments = path.split('/');
  if (segments.every((segment) => SEGMENT.test(segment))) return segments;
  throw new PollcastError('BAD_REQUEST', `expected a path such as exports/7f3a/part.csv, got ${path.slice(0, 200)}`);
}

export function noSuchFile(path: string): PollcastError {
  return new PollcastError('NOT_FOUND', `there is no file ${path}`);
}

/** Its own text, and what the system says, stay inside. */
export function storageTrouble(error: unknown): PollcastError {
  return new PollcastError('UNAVAILABLE', 'the storage of files does not answer; try again', undefined, {
    cause: error,
  });
}

export function storageFull(error: unknown): PollcastError {
  const message = 'no space is left where files are stored; ask the operator to make some, then try again';
  return new PollcastError('UNAVAILABLE', message, { reason: 'full' }, { cause: error });
}

/** Whether a write ended because no space was left. */
export function isStorageFull(error: unknown): boolean {
  return error instanceof PollcastError && (error.details as { reason?: unknown } | undefined)?.reason === 'full';
}
