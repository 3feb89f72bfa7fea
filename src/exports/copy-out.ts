import type { Readable } from 'node:stream';
import type { Submittable } from 'pg';
import { to as copyTo } from 'pg-copy-streams';

/** The rows of a COPY … TO STDOUT. Whatever ends it early is its error, for whoever reads it now or later. */
export function copyOut(statement: string): Readable & Submittable {
  const stream = copyTo(statement);
  stream.on('error', () => undefined);
  return Object.assign(stream, { handleError: (error: Error) => void stream.destroy(error) });
}
