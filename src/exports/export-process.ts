import { describe, PollcastError, toPollcastError } from '../errors.js';
import type { Timer } from '../kernel/clock.js';
import type { ProcessContext, Running, StopReason } from '../kernel/kind.js';
import type { Ended } from './metrics.js';
import type { ExportParts } from './parts.js';
import { goneView, isUnderWay, viewOf, type ExportRecord, type ExportView } from './record.js';
import { Stopped, Work } from './work.js';

export type ExportMessage =
  | {
      readonly do: 'request';
      readonly export: Pick<
        ExportRecord,
        'id' | 'user' | 'topic' | 'title' | 'version' | 'channel' | 'params' | 'format'
      >;
    }
  | { readonly do: 'cancel'; readonly id?: string }
  | { readonly do: 'dismiss'; readonly id: string };

export interface ExportAnswer {
  readonly export: ExportView | null;
}

/** The saved state: an object, since the kernel takes `null` for none. */
export interface ExportState {
  readonly export: ExportRecord | null;
}

/** A piece that is nearly done is finished before the process moves; a graceful stop leaves time for it. */
const HANDOVER_PATIENCE_MS = 4_000;
const SAVE_AGAIN_MS = 200;
/** How long a process without an export waits for a request before it ends. */
const IDLE_MS = 5_000;

/**
 * The one process in the cluster that makes a user's exports. That there is one, and that it takes one message at a time,
 * is what keeps a user to one export: nothing else looks after it.
 *
 *     pending → processing → ready | error | cancelled → (dismissed, expired, or replaced by the next request)
 */
export class ExportProcess implements Running<ExportMessage, ExportAnswer> {
  #record: ExportRecord | null;
  #work: Work | null = null;
  #announceTimer: Timer | null = null;
  #expiryTimer: Timer | null = null;
  #announcedAt = -Infinity;
  #saving: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(
    private readonly parts: ExportParts,
    private readonly context: ProcessContext<ExportState>,
  ) {
    this.#record = context.saved?.export ?? null;
    // The owner before it may have told something just now.
    if (context.origin !== 'first') this.#announcedAt = parts.clock.monotonic();
    if (isUnderWay(this.#record)) this.#begin();
    else {
      this.#awaitExpiry();
      // Whoever had it may have died between the end of the export and the announcement.
      if (this.#record) this.#announce();
    }
  }

  async handle(message: ExportMessage): Promise<ExportAnswer> {
    switch (message.do) {
      case 'request':
        return this.#request(message.export);
      case 'cancel':
        return this.#cancel(message.id);
      case 'dismiss':
        return this.#dismiss(message.id);
    }
  }

  async holdsChanged(): Promise<void> {
    if (this.#record === null) await this.context.retire();
  }

  async stop(reason: StopReason): Promise<void> {
    this.#stopped = true;
    this.#announceTimer?.cancel();
    this.#expiryTimer?.cancel();
    const work = this.#work;
    if (reason === 'handover') await work?.handOver(HANDOVER_PATIENCE_MS);
    else await work?.stop();
    // An operator has ended it: nobody knows of its files any more.
    if (reason === 'retired' && this.#record) await this.#remove(this.#record);
  }

  async #request(wanted: (ExportMessage & { do: 'request' })['export']): Promise<ExportAnswer> {
    const before = this.#record;
    // The same call once more: its first answer was lost with a node.
    if (before?.id === wanted.id) return { export: this.#view(before) };
    if (isUnderWay(before)) {
      const message = 'an export of yours is under way: wait for it, or cancel it';
      throw new PollcastError('EXPORT_RUNNING', message, { export: this.#view(before) });
    }
    const now = this.parts.clock.now();
    const record: ExportRecord = {
      ...wanted,
      folder: `${this.parts.root}/${wanted.id}`,
      state: 'pending',
      rows: 0,
      progress: 0,
      expected: 0,
      pieces: [],
      kept: 0,
      after: null,
      stage: 'gathering',
      columns: [],
      restarted: false,
      requestedAt: now,
      deadline: now + this.parts.settings.timeoutMs,
    };
    await this.#queued(async () => {
      await this.context.save({ export: record });
      this.#record = record;
    });
    this.#expiryTimer?.cancel();
    this.#announce();
    this.#begin();
    if (before) void this.#remove(before);
    return { export: this.#view(record) };
  }

  async #cancel(id?: string): Promise<ExportAnswer> {
    const record = this.#record;
    if (!isUnderWay(record) || (id !== undefined && id !== record.id)) {
      throw new PollcastError('NOT_FOUND', 'there is no such export under way');
    }
    await this.#endWork();
    await this.#finish({ state: 'cancelled', pieces: [], kept: 0 });
    await this.#remove(record);
    return { export: this.#record && this.#view(this.#record) };
  }

  async #dismiss(id: string): Promise<ExportAnswer> {
    if (this.#record?.id !== id) throw new PollcastError('NOT_FOUND', 'there is no such export');
    await this.#endWork();
    const before = this.#record;
    if (isUnderWay(before)) this.#count(before, 'cancelled');
    await this.#forget();
    // On the user's other pages it would stand there, with a link that leads nowhere.
    await this.parts.tell(before.user, goneView(before));
    return { export: null };
  }

  #view(record: ExportRecord): ExportView {
    return viewOf(record, (route) => this.parts.urlOf(route));
  }

  #begin(): void {
    const work: Work = new Work(this.parts, {
      fence: this.context.fence,
      record: () => this.#record as ExportRecord,
      note: (change) => {
        if (this.#work === work) this.#change(change);
      },
      keep: async (change) => {
        this.#change(change);
        await this.#persist(work);
      },
    });
    this.#work = work;
    // Not before `#work` is set, and not in the constructor's own turn: `note` compares with it.
    void Promise.resolve()
      .then(() => work.run())
      .then(
        () => this.#done(work, { state: 'ready', progress: 1 }),
        (error: unknown) => this.#failed(work, error),
      );
  }

  async #failed(work: Work, error: unknown): Promise<void> {
    const coded = toPollcastError(error);
    const { log, name } = this.context;
    log.warn({ name, code: coded.code, err: coded.cause ?? coded }, `an export failed: ${describe(error)}`);
    await this.#done(work, { state: 'error', error: coded.toWire(), pieces: [], kept: 0 });
  }

  async #done(work: Work, change: Partial<ExportRecord> & { state: Ended }): Promise<void> {
    // Stopped: whoever did that says what becomes of it.
    if (this.#work !== work || this.#stopped || work.signal.reason instanceof Stopped || !this.#record) return;
    const { folder } = this.#record;
    try {
      await this.#finish(change, work);
      if (this.#work !== work || this.#stopped) return;
      this.#work = null;
      await this.#tidy(folder);
    } catch (error) {
      this.context.log.warn({ err: error, name: this.context.name }, 'an export ended, but that could not be kept');
    }
  }

  async #finish(change: Partial<ExportRecord> & { state: Ended }, work: Work | null = null): Promise<void> {
    const finishedAt = this.parts.clock.now();
    this.#change({ ...change, finishedAt, expiresAt: finishedAt + this.parts.settings.ttlMs });
    await this.#persist(work);
    if (this.#record) this.#count(this.#record, change.state);
    this.#awaitExpiry();
  }

  #count({ format, requestedAt }: ExportRecord, state: Ended): void {
    const { clock, metrics } = this.parts;
    metrics.ended(format, state, (clock.now() - requestedAt) / 1_000);
  }

  async #endWork(): Promise<void> {
    const work = this.#work;
    this.#work = null;
    await work?.stop();
  }

  #change(change: Partial<ExportRecord>): void {
    if (!this.#record) return;
    this.#record = { ...this.#record, ...change };
    this.#announce();
  }

  /** One save after the other, each of the newest record: an older one must not land behind it. */
  #save(): Promise<void> {
    return this.#queued(() => this.context.save({ export: this.#record }));
  }

  #queued(save: () => Promise<void>): Promise<void> {
    const saved = this.#saving.then(save);
    this.#saving = saved.catch(() => undefined);
    return saved;
  }

  /** While the cluster does not answer it is tried again: what was done is worth waiting for. */
  async #persist(work: Work | null): Promise<void> {
    for (;;) {
      try {
        return await this.#save();
      } catch (error) {
        if (toPollcastError(error).code === 'CONFLICT' || this.#stopped || work?.signal.aborted) throw error;
      }
      await new Promise<void>((next) => void this.parts.clock.after(SAVE_AGAIN_MS, next));
    }
  }

  /** At most once in `announceMs`, the newest state each time; what is told is saved first, so that any node knows it. */
  #announce(): void {
    if (this.#announceTimer || this.#stopped) return;
    const { clock, settings } = this.parts;
    const waitMs = Math.max(0, this.#announcedAt + settings.announceMs - clock.monotonic());
    this.#announceTimer = clock.after(waitMs, () => void this.#tell());
  }

  async #tell(): Promise<void> {
    const record = this.#record;
    this.#announcedAt = this.parts.clock.monotonic();
    if (record && this.context.owns()) {
      // Told all the same while it cannot be saved: it is progress, and kept with the next piece.
      await this.#save().catch(() => undefined);
      if (this.context.owns()) await this.parts.tell(record.user, this.#view(record));
    }
    this.#announceTimer = null;
    if (this.#record && this.#record !== record) this.#announce();
  }

  #awaitExpiry(): void {
    const { clock } = this.parts;
    this.#expiryTimer?.cancel();
    const leftMs = this.#record ? (this.#record.expiresAt ?? 0) - clock.now() : IDLE_MS;
    this.#expiryTimer = clock.after(Math.max(0, leftMs), () => void this.#expire());
  }

  async #expire(): Promise<void> {
    if (this.#stopped || isUnderWay(this.#record)) return;
    try {
      if (this.#record === null) await this.context.retire();
      else await this.#forget();
    } catch (error) {
      this.context.log.debug({ err: error, name: this.context.name }, 'tried again: an export is over');
    }
    // Held just now, or the cluster did not answer.
    if (!this.#stopped && !this.#work) this.#awaitExpiry();
  }

  async #forget(): Promise<void> {
    const before = this.#record;
    this.#record = null;
    await this.#persist(null);
    if (before) await this.#remove(before);
    if (!this.#record && !(await this.context.retire())) this.#awaitExpiry();
  }

  /** Files that other owners of this export left behind, and pieces that were made into another file. */
  async #tidy(folder: string): Promise<void> {
    const kept = new Set(this.#record?.pieces.map(({ path }) => path));
    if (this.#record?.folder !== folder) return;
    for await (const { path } of this.parts.storage.list(folder)) {
      if (!kept.has(path)) await this.parts.storage.delete(path);
    }
  }

  /** What cannot be removed now is found as a zombie. */
  async #remove({ id, folder }: ExportRecord): Promise<void> {
    await this.parts.storage.deleteAll(folder).catch((error: unknown) => {
      this.context.log.warn({ err: error, id }, 'files of an export could not be removed');
    });
  }
}
