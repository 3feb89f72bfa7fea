import { PollcastError } from '../errors.js';
import { channelFromKey } from '../topics/channel.js';
import type { Topic } from '../topics/topic.js';
import { codeRows } from './code-rows.js';
import { Cutter } from './cutter.js';
import { tooSlow, withRows, type Result } from './gather.js';
import { makeFile } from './make.js';
import type { ExportParts } from './parts.js';
import { PieceWriter } from './pieces.js';
import { shareOf, type ExportRecord, type Piece } from './record.js';

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

/** How much of the whole the rows are; the rest is making the file of them. */
const GATHERING = { csv: 1, xlsx: 0.4, pdf: 0.9 } as const;

/**
 * The work on one export on one node, from where the record says that it stands to the finished file.
 *
 *     rows → pieces of CSV, each stored and kept before the next → csv: they are the file, one after the other
 *                                                                → xlsx, pdf: one file is made of them
 */
export class Work {
  readonly #abort = new AbortController();
  #cutter: Cutter | null = null;
  #making = false;
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

  /** Ends the piece or file under way, keeps it, and stops; what takes longer than `patienceMs` is left undone. */
  async handOver(patienceMs: number): Promise<void> {
    this.#handing = true;
    this.#cutter?.close();
    const nothing = !this.#making && (!this.#cutter || this.#cutter.rows === 0);
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
      if (desk.record().stage === 'gathering') await this.#gather(topic);
      if (desk.record().stage === 'gathered') await this.#make(topic);
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
    const usable =
      record.stage !== 'gathering' || (topic.version === record.version && keyOf(topic, record).length > 0);
    const begun = record.state === 'processing';
    desk.note({
      state: 'processing',
      version: topic.version,
      // Rows of a piece that was not finished are got once more.
      rows: record.kept,
      ...(usable ? {} : { pieces: [], kept: 0, rows: 0, after: null, progress: 0 }),
      ...(begun && !usable ? { restarted: true } : {}),
    });
    return topic;
  }

  async #gather(topic: Topic): Promise<void> {
    const { parts, desk, signal } = this;
    const record = desk.record();
    const { after, kept } = record;
    const channel = channelFromKey(topic, record.channel);
    const most = this.#mostRows();
    const store = async (result: Result): Promise<void> => {
      if (record.expected === 0) desk.note({ expected: Math.min(result.expected, most) });
      await this.#store(result, after === null);
    };
    // One more: whoever has it knows that there are too many.
    const limit = most - kept + 1;
    if (topic.read) await store(codeRows(channel, limit, signal, parts.log));
    else {
      const options = {
        connectionString: parts.connectionString,
        applicationName: `pollcast:${parts.node}`,
        channel,
        key: keyOf(topic, record),
        after,
        limit,
        header: after === null,
        timeoutMs: record.deadline - parts.clock.now(),
        signal,
      };
      await withRows(options, store);
    }
    signal.throwIfAborted();
  }

  /** A report prints no more than its share, and says so; anything else must be whole. */
  #mostRows(): number {
    const { maxRows, pdfRows } = this.parts.settings;
    return this.desk.record().format === 'pdf' ? Math.min(maxRows, pdfRows) : maxRows;
  }

  async #store(result: Result, header: boolean): Promise<void> {
    const { parts, desk, signal } = this;
    const { pieceRows, pieceBytes } = parts.settings;
    const most = this.#mostRows();
    const whole = desk.record().format !== 'pdf';
    const cutter = new Cutter({ key: result.key, rows: pieceRows, bytes: pieceBytes, header });
    this.#cutter = cutter;
    if (this.#handing) return;
    let writer: PieceWriter | null = null;
    try {
      for await (const chunk of result.chunks) {
        signal.throwIfAborted();
        for (const step of cutter.feed(chunk)) {
          if (step.kind === 'data') {
            const { rows } = desk.record();
            if (rows + step.rows > most && whole) throw tooMany(most);
            writer ??= this.#nextPiece();
            await writer.feed(step.data, step.rows);
            this.#progress(rows + step.rows);
          } else if (writer) {
            const full = writer;
            writer = null;
            await this.#endPiece(full, { after: step.after });
            if (this.#handing) return;
          }
        }
      }
      this.#cutter = null;
      const last = writer ?? this.#nextPiece();
      writer = null;
      const stage = desk.record().format === 'csv' ? 'made' : 'gathered';
      await this.#endPiece(last, { stage, columns: result.columns() });
    } finally {
      // The rows ended before their time: half a piece is not kept open, nor on the disk.
      await writer?.abandon();
    }
  }

  async #make(topic: Topic): Promise<void> {
    if (this.#handing) return;
    this.#making = true;
    const { desk, parts, signal } = this;
    const record = desk.record();
    const path = `${record.folder}/${desk.fence}-file.${record.format}`;
    const piece = await makeFile(record, topic, {
      storage: parts.storage,
      path,
      mostRows: this.#mostRows(),
      signal,
      done: (rows) => this.#progress(record.rows, { made: record.kept === 0 ? 0 : rows / record.kept }),
    });
    this.#making = false;
    await desk.keep({ pieces: [piece], kept: piece.rows, rows: piece.rows, stage: 'made' });
  }

  #progress(rows: number, { made } = { made: 0 }): void {
    const { expected, progress, format, stage } = this.desk.record();
    const gathering = GATHERING[format];
    const share =
      stage === 'gathering' ? gathering * shareOf(rows, expected) : gathering + 0.99 * (1 - gathering) * made;
    // What was announced is not taken back, though the guess it was reckoned by may be another one by now.
    this.desk.note({ rows, progress: Math.max(progress, share) });
  }

  /** Its name is no other owner's: a paused one that writes on spoils nothing. */
  #nextPiece(): PieceWriter {
    const { desk, parts, signal } = this;
    const { folder, pieces } = desk.record();
    const number = String(pieces.length + 1).padStart(5, '0');
    return new PieceWriter(parts.storage, `${folder}/${desk.fence}-${number}.csv`, signal);
  }

  async #endPiece(
    writer: PieceWriter,
    change: Partial<Pick<ExportRecord, 'after' | 'stage' | 'columns'>>,
  ): Promise<void> {
    const { desk } = this;
    const bytes = await writer.end();
    const piece: Piece = { path: writer.path, bytes, rows: writer.rows };
    const { pieces, kept, format } = desk.record();
    await desk.keep({ pieces: [...pieces, piece], kept: kept + piece.rows, ...change });
    this.parts.metrics.stored(format, piece.rows);
  }
}

/**
 * The key by which the rows are ordered, and gone on with. A report is of the first rows in the topic's own order, and code
 * cannot be asked for what is behind a key: both begin again.
 */
function keyOf(topic: Topic, { format }: ExportRecord): readonly string[] {
  return format === 'pdf' || topic.read ? [] : topic.key;
}

/** It was told to stop: by whoever says what becomes of the export. */
export class Stopped extends Error {}

function tooMany(maxRows: number): PollcastError {
  const message = `the result has more than the ${maxRows} rows that an export may have; narrow the parameters`;
  return new PollcastError('TOO_MANY_ROWS', message, { maxRows });
}
