import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import type { Storage } from '../storage/storage.js';
import type { Piece } from './record.js';

const BUFFER_BYTES = 1024 * 1024;

/** One file on its way into the storage, fed chunk by chunk. */
export class PieceWriter {
  readonly #stream = new PassThrough({ highWaterMark: BUFFER_BYTES });
  readonly #stored: Promise<number>;
  rows = 0;

  constructor(
    storage: Storage,
    readonly path: string,
    signal: AbortSignal,
  ) {
    this.#stored = storage.write(path, this.#stream, signal);
    // Whoever feeds or ends it is told.
    this.#stored.catch(() => undefined);
  }

  /** Resolves when it may be fed again. Rejects when the storage fails. */
  async feed(data: Buffer, rows: number): Promise<void> {
    this.rows += rows;
    if (this.#stream.write(data)) return;
    const stop = new AbortController();
    try {
      await Promise.race([once(this.#stream, 'drain', { signal: stop.signal }), this.#stored]);
    } finally {
      stop.abort();
    }
  }

  /** Gives it up, whatever there is of it; resolves when nothing of it is left. */
  async abandon(): Promise<void> {
    this.#stream.destroy(new Error('given up'));
    await this.#stored.catch(() => undefined);
  }

  /** Resolves with its size once it is stored. */
  end(): Promise<number> {
    this.#stream.end();
    return this.#stored;
  }
}

/** The bytes of stored pieces, one after the other; of a range, both ends included, only those. */
export async function* piecesOf(
  storage: Storage,
  pieces: readonly Piece[],
  signal: AbortSignal,
  { start, end } = { start: 0, end: Infinity },
): AsyncIterable<Buffer> {
  let at = 0;
  for (const { path, bytes } of pieces) {
    const from = Math.max(0, start - at);
    const to = Math.min(bytes - 1, end - at);
    at += bytes;
    if (from > to) continue;
    signal.throwIfAborted();
    yield* (await storage.read(path, { start: from, end: to })) as AsyncIterable<Buffer>;
  }
}

/** Resolves once the first chunk is there, and rejects when there will be none: then it may still be said why. */
export async function begun(chunks: AsyncIterable<Buffer>): Promise<AsyncIterable<Buffer>> {
  const rest = chunks[Symbol.asyncIterator]();
  const first = await rest.next();
  return (async function* () {
    if (first.done) return;
    yield first.value;
    yield* { [Symbol.asyncIterator]: () => rest };
  })();
}
