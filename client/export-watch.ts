/**
 * The user's one export, from whichever node it is told: the same after a lost connection, the death of a node, a refresh.
 *
 *     const watch = watchExport(hub);
 *     watch.subscribe(() => draw(watch.snapshot()));
 *     await watch.request({ topic: 'sales.by_region', format: 'xlsx' });
 */
import { PollcastError } from '../src/errors.js';
import type { Export, ExportRequest } from './exports.js';
import type { Hub } from './hub.js';

export interface ExportSnapshot {
  readonly export: Export | null;
  /** A request, a cancel or a dismissal is on its way. */
  readonly asking: boolean;
  /** Why the last of them came to nothing. */
  readonly error: PollcastError | undefined;
}

export interface ExportWatchOptions {
  /** Where what was seen last is kept, so that a refreshed page shows it before the first answer. */
  readonly memory?: { read(): string | null; write(text: string | null): void };
  /** An export under way that is not heard of for so long is asked for. Default 8000. */
  readonly silenceMs?: number;
}

const SILENCE_MS = 8_000;
/** The longest that a timer takes. */
const TIMER_MOST_MS = 2 ** 31 - 1;

export class ExportWatch {
  #snapshot: ExportSnapshot;
  /** Counts what was heard: what comes while an answer is under way is newer than the answer. */
  #heard = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;
  readonly #listeners = new Set<() => void>();
  readonly #ends: (() => void)[];

  constructor(
    private readonly hub: Hub,
    private readonly options: ExportWatchOptions = {},
  ) {
    this.#snapshot = { export: this.#remembered(), asking: false, error: undefined };
    this.#ends = [
      hub.on('export', (told) => this.#told(told)),
      hub.onConnection(({ state }) => {
        if (state === 'online') void this.#ask();
      }),
    ];
    if (hub.connection.state === 'online') void this.#ask();
  }

  /** The same object until something changes. */
  readonly snapshot = (): ExportSnapshot => this.#snapshot;

  readonly subscribe = (changed: () => void): (() => void) => {
    this.#listeners.add(changed);
    return () => void this.#listeners.delete(changed);
  };

  /** These three resolve when the hub has answered, or could not; the snapshot's `error` says what it objected to. */
  request(wanted: ExportRequest): Promise<void> {
    return this.#call(async () => this.#hear((await this.hub.call('export:request', wanted)).export));
  }

  cancel(): Promise<void> {
    return this.#call(async (id) => {
      if (id === undefined) return;
      const { export: told } = await this.hub.call('export:cancel', { id });
      if (told) this.#hear(told);
    });
  }

  dismiss(): Promise<void> {
    return this.#call(async (id) => {
      if (id === undefined) return;
      await this.hub.call('export:dismiss', { id });
      if (this.#snapshot.export?.id === id) this.#hear(null);
    });
  }

  /**
   * An address of the finished file that needs no token and no cookie, good for some minutes: for a browser's download
   * (`location.href = …`) where its link alone would be refused. Rejects with `NOT_FOUND` when there is no file.
   */
  async link(): Promise<string> {
    const { export: known } = this.#snapshot;
    if (known === null) throw new PollcastError('NOT_FOUND', 'there is no export');
    return (await this.hub.call('export:link', { id: known.id })).url;
  }

  /** Whoever has read the error puts it away. */
  forget(): void {
    this.#set({ error: undefined });
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const end of this.#ends) end();
    this.#listeners.clear();
  }

  async #call(work: (id: string | undefined) => Promise<void>): Promise<void> {
    this.#set({ asking: true, error: undefined });
    try {
      await work(this.#snapshot.export?.id);
    } catch (error) {
      await this.#failed(error instanceof PollcastError ? error : new PollcastError('UNAVAILABLE'));
    } finally {
      this.#set({ asking: false });
    }
  }

  async #failed(error: PollcastError): Promise<void> {
    const { export: running } = (error.details ?? {}) as { export?: Export };
    if (error.code === 'EXPORT_RUNNING' && running) this.#hear(running);
    // Cancelled or dismissed what is over or gone: another page was first, or its time was over.
    if (error.code === 'NOT_FOUND') await this.#ask();
    else this.#set({ error });
  }

  async #ask(): Promise<void> {
    const heard = this.#heard;
    try {
      const { export: told } = await this.hub.call('export:current', {});
      if (heard === this.#heard) this.#hear(told);
    } catch {
      this.#listen();
    }
  }

  #told(told: Export): void {
    if (told.gone !== true) this.#hear(told);
    // Of an earlier one it is no news.
    else if (this.#snapshot.export?.id === told.id) this.#hear(null);
  }

  #hear(told: Export | null): void {
    if (this.#closed) return;
    this.#heard += 1;
    this.options.memory?.write(told && JSON.stringify(told));
    this.#set({ export: told });
    this.#listen();
  }

  /** An announcement may be lost with the node that made it; that the time of a file is over is not announced. */
  #listen(): void {
    clearTimeout(this.#timer);
    const { export: known } = this.#snapshot;
    const silenceMs = this.options.silenceMs ?? SILENCE_MS;
    if (this.#closed || !known) return;
    const leftMs = isUnderWay(known) ? silenceMs : (known.expiresAt ?? Infinity) - this.hub.clock.hubNow();
    if (leftMs === Infinity) return;
    this.#timer = setTimeout(() => void this.#ask(), Math.min(Math.max(silenceMs, leftMs), TIMER_MOST_MS));
  }

  #set(change: Partial<ExportSnapshot>): void {
    if (this.#closed) return;
    this.#snapshot = { ...this.#snapshot, ...change };
    for (const listener of [...this.#listeners]) listener();
  }

  #remembered(): Export | null {
    try {
      return JSON.parse(this.options.memory?.read() ?? 'null') as Export | null;
    } catch {
      return null;
    }
  }
}

export function watchExport(hub: Hub, options?: ExportWatchOptions): ExportWatch {
  return new ExportWatch(hub, options);
}

export function isUnderWay({ state }: Export): boolean {
  return state === 'pending' || state === 'processing';
}
