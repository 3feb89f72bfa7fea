import { PollcastError } from '../errors.js';
import { channelFromKey } from '../topics/channel.js';
import type { Topic } from '../topics/topic.js';
import { Cutter } from './cutter.js';
import { tooSlow, withRows, type Result } from './gather.js';
import type { ExportParts } from './parts.js';
import { PieceWriter } from './pieces.js';
import { folderOf, shareOf, type ExportRecord, type KeyTexts, type Piece } from './record.js';

/** What the work on an export sees of its process. */
export interface Desk {
  readonly fence: number;
  /** As it is now. */
  record(): ExportRecord;
  /** Notes how far it is; saved and told at leisure. */
  note(change: Partial<ExportRecord>): void;
  /** Notes what must not be done twice; resolves when it is saved. */
  keep(change: Partial<ExportRecord>): Promise<void>;
}

/**
 * The work on one export on one node, from where the record says that it stands to the finished file.
 *
 *     rows → pieces, each stored and kept before the next; all of them, one after the other, are the file
 */
export class Work {
  readonly #abort = new AbortController();
  #cutter: Cutter | null = null;
  #handing = false;
  #finished: Promise<void> = Promise.resolve();

  constructor(
    private readonly parts: ExportParts,
    private readonly desk: Desk,
  ) {}

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Resolves when the file is there, or when it was told to stop; rejects with why it cannot be made. */
  run(): Promise<void> {
    const done = this.#run();
    this.#finished = done.catch(() => undefined);
    return done;
  }

  /** Stops at once; resolves when nothing is written any more. */
  stop(): Promise<void> {
    this.#abort.abort(new Stopped());
    return this.#finished;
  }

  /** Ends the piece under way, keeps it, and stops; what is longer under way than `patienceMs` is left undone. */
  async handOver(patienceMs: number): Promise<void> {
    this.#handing = true;
    this.#cutter?.close();
    const nothing = !this.#cutter || this.#cutter.rows === 0;
    const timer = this.parts.clock.after(nothing ? 0 : patienceMs, () => this.#abort.abort(new Stopped()));
    await this.#finished;
    timer.cancel();
  }

  async #run(): Promise<void> {
    const { parts, desk, signal } = this;
    const late = parts.clock.after(desk.record().deadline - parts.clock.now(), () => this.#abort.abort(tooSlow()));
    let leave: (() => void) | undefined;
    try {
      leave = await parts.enter(signal);
      signal.throwIfAborted();
      const topic = this.#begin();
      if (!desk.record().gathered) await this.#gather(topic);
    } catch (error) {
      if (signal.aborted && signal.reason instanceof Stopped) return;
      throw signal.aborted ? (signal.reason as Error) : error;
    } finally {
      late.cancel();
      leave?.();
    }
  }

  /** The topic as it is now. What another version of it, or one without a key, has made is not gone on with. */
  #begin(): Topic {
    const { desk, parts } = this;
    const record = desk.record();
    const topic = parts.topic(record.topic);
    const usable = topic.version === record.version && topic.key.length > 0;
    const begun = record.state === 'processing';
    desk.note({
      state: 'processing',
      version: topic.version,
      // Rows of a piece that was not finished are got once more.
      rows: record.kept,
      ...(usable || record.gathered ? {} : { pieces: [], kept: 0, rows: 0, after: null, progress: 0 }),
      ...(begun && !usable && !record.gathered ? { restarted: true } : {}),
    });
    return topic;
  }

  async #gather(topic: Topic): Promise<void> {
    const { parts, desk, signal } = this;
    const { settings } = parts;
    const record = desk.record();
    const { after, kept } = record;
    const options = {
      connectionString: parts.connectionString,
      applicationName: `pollcast:${parts.node}`,
      channel: channelFromKey(topic, record.channel),
      key: topic.key,
      after,
      limit: settings.maxRows - kept + 1,
      header: after === null,
      timeoutMs: record.deadline - parts.clock.now(),
      signal,
    };
    await withRows(options, async (result) => {
      if (record.expected === 0) desk.note({ expected: result.expected });
      await this.#store(result, options.header);
    });
    signal.throwIfAborted();
  }

  async #store({ chunks, key }: Result, header: boolean): Promise<void> {
    const { parts, desk, signal } = this;
    const { maxRows, pieceRows, pieceBytes } = parts.settings;
    const cutter = new Cutter({ key, rows: pieceRows, bytes: pieceBytes, header });
    this.#cutter = cutter;
    if (this.#handing) return;
    let writer: PieceWriter | null = null;
    for await (const chunk of chunks) {
      signal.throwIfAborted();
      for (const step of cutter.feed(chunk)) {
        if (step.kind === 'data') {
          const { rows } = desk.record();
          if (rows + step.rows > maxRows) throw tooMany(maxRows);
          writer ??= this.#nextPiece();
          await writer.feed(step.data, step.rows);
          this.#progress(rows + step.rows);
        } else if (writer) {
          await this.#endPiece(writer, { after: step.after });
          writer = null;
          if (this.#handing) return;
        }
      }
    }
    await this.#endPiece(writer ?? this.#nextPiece(), { gathered: true });
  }

  #progress(rows: number): void {
    const { expected, progress } = this.desk.record();
    // What was announced is not taken back, though the guess it was reckoned by may be another one by now.
    this.desk.note({ rows, progress: Math.max(progress, shareOf(rows, expected)) });
  }

  /** Its name is no other owner's: a paused one that writes on spoils nothing. */
  #nextPiece(): PieceWriter {
    const { desk, parts, signal } = this;
    const { id, pieces } = desk.record();
    const number = String(pieces.length + 1).padStart(5, '0');
    return new PieceWriter(parts.storage, `${folderOf(id)}/${desk.fence}-${number}.csv`, signal);
  }

  async #endPiece(writer: PieceWriter, change: { after?: KeyTexts; gathered?: boolean }): Promise<void> {
    const { desk } = this;
    const bytes = await writer.end();
    const piece: Piece = { path: writer.path, bytes, rows: writer.rows };
    const { pieces, kept } = desk.record();
    await desk.keep({ pieces: [...pieces, piece], kept: kept + piece.rows, ...change });
  }
}

/** It was told to stop: by whoever says what becomes of the export. */
export class Stopped extends Error {}

function tooMany(maxRows: number): PollcastError {
  const message = `the result has more than the ${maxRows} rows that an export may have; narrow the parameters`;
  return new PollcastError('TOO_MANY_ROWS', message, { maxRows });
}
