import { randomUUID } from 'node:crypto';
import { PollcastError } from '../errors.js';
import type { Kernel } from '../kernel/kernel.js';
import type { StorePort } from '../kernel/ports/store.js';
import type { Channel } from '../topics/topic.js';
import type { ExportAnswer, ExportMessage, ExportState } from './export-process.js';
import { EXPORT_KIND, processOf, viewOf, type ExportRecord, type ExportView, type Format } from './record.js';

/** Longer than a takeover takes: whoever asks while a node dies is answered by the next. */
const PATIENCE_MS = 10_000;

/** Exports as any node sees them: asked of the process of their user, read from its backup. */
export class Exports {
  constructor(
    private readonly kernel: Pick<Kernel, 'hold' | 'unhold' | 'call'>,
    private readonly store: Pick<StorePort, 'load' | 'process'>,
    /** The address of a route of the hub, as it is asked for from outside. */
    private readonly urlOf: (route: string) => string,
  ) {}

  /** Rejects with `EXPORT_RUNNING`, the running one in details. */
  async request(user: string, channel: Channel, format: Format): Promise<ExportView> {
    const { topic } = channel;
    const shown = topic.params.filter(({ claim }) => claim === undefined).map(({ name }) => name);
    const wanted = {
      id: randomUUID(),
      user,
      topic: topic.name,
      title: topic.title,
      version: topic.version,
      channel: channel.key,
      params: Object.fromEntries(shown.map((name) => [name, channel.values[name] ?? null])),
      format,
    };
    const { export: view } = await this.#ask(user, { do: 'request', export: wanted });
    return view as ExportView;
  }

  /** The user's export, wherever it runs; `null`: none. */
  async record(user: string): Promise<ExportRecord | null> {
    const saved = await this.store.load(processOf(user));
    return saved === null ? null : (JSON.parse(saved) as ExportState).export;
  }

  async current(user: string): Promise<ExportView | null> {
    const record = await this.record(user);
    return record && viewOf(record, this.urlOf);
  }

  /** Rejects with `NOT_FOUND` when there is none under way, or none with this id; so does `dismiss`. */
  cancel(user: string, id?: string): Promise<ExportAnswer> {
    return this.#askOfSome(user, { do: 'cancel', id });
  }

  dismiss(user: string, id: string): Promise<ExportAnswer> {
    return this.#askOfSome(user, { do: 'dismiss', id });
  }

  /** The user's export with this id, its file there. Rejects with `NOT_FOUND`. */
  async finished(user: string, id: string): Promise<ExportRecord> {
    const record = await this.record(user);
    if (record?.id !== id) throw new PollcastError('NOT_FOUND', 'there is no such export of yours');
    if (record.state !== 'ready') throw new PollcastError('NOT_FOUND', `the export is not ready: ${record.state}`);
    return record;
  }

  async #askOfSome(user: string, message: ExportMessage): Promise<ExportAnswer> {
    if (await this.store.process(processOf(user))) return this.#ask(user, message);
    throw new PollcastError('NOT_FOUND', 'there is no such export');
  }

  /** Held meanwhile: a process that is just ending for want of an export does not end, or begins anew, and answers. */
  async #ask(user: string, message: ExportMessage): Promise<ExportAnswer> {
    const name = processOf(user);
    const ref = `asked:${randomUUID()}`;
    await this.kernel.hold({ name, kind: EXPORT_KIND, args: {} }, ref);
    try {
      return await this.kernel.call<ExportAnswer>(name, message, { idempotent: true, timeoutMs: PATIENCE_MS });
    } finally {
      // One that stays keeps an idle process, no more, and goes with this node: no reason to lose the answer.
      await this.kernel.unhold(name, ref).catch(() => undefined);
    }
  }
}
