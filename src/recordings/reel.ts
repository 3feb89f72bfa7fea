import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { PollcastError } from '../errors.js';
import { sleep, type Clock } from '../kernel/clock.js';
import type { Logger } from '../kernel/log.js';
import type { Storage } from '../storage/storage.js';
import type { Joiner } from './joiner.js';
import { files } from './recording.js';
import type { Segment } from './take.js';
import { inOrder, joinedTimeline, secondsOf, type StoredSegment, type TimelineLine } from './timeline.js';

const RETRY_MS = 1_000;

export interface ReelParts {
  readonly id: string;
  readonly fence: number;
  readonly storage: Storage;
  readonly clock: Clock;
  readonly log: Logger;
  /** Keeps the list of segments for the next owner. */
  save(segments: readonly StoredSegment[]): Promise<void>;
}

/**
 * What is recorded so far, safe in the storage: each segment with the part of the timeline that belongs to it. A segment
 * counts once it is stored and the list that names it is saved, so the next owner of the recording finds all or none of it.
 */
export class Reel {
  readonly #segments: StoredSegment[];
  #lines: TimelineLine[] = [];
  #work: Promise<void> = Promise.resolve();
  #why: string | undefined;
  readonly #over = new AbortController();

  constructor(
    private readonly parts: ReelParts,
    segments: readonly StoredSegment[],
  ) {
    this.#segments = [...segments];
  }

  get segments(): readonly StoredSegment[] {
    return this.#segments;
  }

  get seconds(): number {
    return secondsOf(this.#segments);
  }

  note(line: TimelineLine): void {
    this.#lines.push(line);
  }

  /** The next segment begins after a break, and why. */
  interrupted(why: string): void {
    this.#why = why;
  }

  add(segment: Segment): void {
    const why = this.#why;
    this.#why = undefined;
    this.#work = this.#work.then(() => this.#store(segment, why));
    // Told by `flush`.
    this.#work.catch(() => undefined);
  }

  /** Resolves when all that was added is safe. */
  flush(): Promise<void> {
    return this.#work;
  }

  /** Nothing more is written: somebody else may go on. */
  abandon(): void {
    this.#over.abort();
  }

  async #store({ file, from, ms }: Segment, why: string | undefined): Promise<void> {
    const stem = `${files.segments(this.parts.id)}/${from}-${this.parts.fence}`;
    const lines = this.#lines.filter(({ time }) => time < from + ms);
    await this.#insist(async () => {
      const { storage } = this.parts;
      await storage.write(`${stem}.mp4`, createReadStream(file), this.#over.signal);
      await storage.write(`${stem}.ndjson`, Readable.from(lines.map(textOf)), this.#over.signal);
    });
    if (this.#over.signal.aborted) return;
    this.#lines = this.#lines.filter((line) => !lines.includes(line));
    this.#segments.push({ stem, from, ms, ...(why === undefined ? {} : { why }) });
    await this.#insist(() => this.parts.save(this.#segments));
  }

  /** An outage of the storage is waited for: the pieces lie on this machine meanwhile. */
  async #insist(step: () => Promise<void>): Promise<void> {
    const { clock, log, id } = this.parts;
    while (!this.#over.signal.aborted) {
      try {
        return await step();
      } catch (error) {
        if (this.#over.signal.aborted) return;
        if (!(error instanceof PollcastError) || error.code !== 'UNAVAILABLE') throw error;
        log.warn({ err: error, recording: id }, 'a segment is not stored yet');
        await sleep(clock, RETRY_MS, this.#over.signal);
      }
    }
  }

  /** What was noted after the last picture belongs to the last segment. */
  async #storeRest(): Promise<void> {
    const last = this.#segments.at(-1);
    if (!last || this.#lines.length === 0) return;
    const path = `${last.stem}.rest.ndjson`;
    await this.parts.storage.write(path, Readable.from(this.#lines.map(textOf)), this.#over.signal);
    this.#lines = [];
  }

  /**
   * Makes one video, one timeline and a small picture of all segments, in `folder` first and then in the storage.
   * Resolves with the video's size in bytes.
   */
  async join(folder: string, joiner: Joiner): Promise<number> {
    const { storage, id } = this.parts;
    const { signal } = this.#over;
    await this.#storeRest();
    const segments = inOrder(this.#segments);
    const pieces: { file: string; ms: number }[] = [];
    for (const [i, segment] of segments.entries()) {
      const file = join(folder, `part-${i}.mp4`);
      await pipeline(await storage.read(`${segment.stem}.mp4`), createWriteStream(file));
      pieces.push({ file, ms: segment.ms });
    }
    const video = join(folder, 'video.mp4');
    await joiner.join(pieces, video);
    const thumbnail = join(folder, 'thumbnail.jpg');
    await joiner.thumbnail(video, Math.max(0, secondsOf(segments) / 2 - 0.1), thumbnail);
    await storage.write(files.thumbnail(id), createReadStream(thumbnail), signal);
    await storage.write(
      files.timeline(id),
      Readable.from(joinedTimeline(segments, (one) => this.#linesOf(one))),
      signal,
    );
    await storage.write(files.video(id), createReadStream(video), signal);
    return (await stat(video)).size;
  }

  async *#linesOf({ stem }: StoredSegment): AsyncIterable<string> {
    for (const path of [`${stem}.ndjson`, `${stem}.rest.ndjson`]) {
      if ((await this.parts.storage.stat(path)) === null) continue;
      yield* createInterface({ input: await this.parts.storage.read(path), crlfDelay: Infinity });
    }
  }
}

function textOf(line: TimelineLine): string {
  return `${JSON.stringify(line)}\n`;
}
