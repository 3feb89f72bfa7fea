import { statfs } from 'node:fs/promises';
import { PollcastError } from '../errors.js';

/** initdb writes some 40 MB, and the write-ahead log grows by segments of 16 MB. */
const NEEDED_BYTES = 200 * 1024 * 1024;

export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

export function diskFull(path: string, cause?: unknown): PollcastError {
  return new PollcastError(
    'UNAVAILABLE',
    `The embedded Postgres needs about ${NEEDED_BYTES / 1024 / 1024} MB free at ${path}, and the disk is full: ` +
      'free some space, or set DATABASE_URL to a Postgres elsewhere.',
    undefined,
    { cause },
  );
}

/** `error` itself, or the sentence about the full disk when that is what it means. */
export function ifNotDiskFull(error: unknown, path: string): unknown {
  const code = errnoOf(error);
  return code === 'ENOSPC' || code === 'EDQUOT' ? diskFull(path, error) : error;
}

/** @throws PollcastError `UNAVAILABLE` when less is free than a first start writes */
export async function requireSpace(path: string): Promise<void> {
  const { bavail, bsize } = await statfs(path);
  if (bavail * bsize < NEEDED_BYTES) throw diskFull(path);
}
