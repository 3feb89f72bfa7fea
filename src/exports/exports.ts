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
    const name = processOf(user);
    const ref = `request:${wanted.id}`;
    // Held meanwhile: a process that is just ending for want of an export does not end, or begins anew.
    await this.kernel.hold({ name, kind: EXPORT_KIND, args: {} }, ref);
    try {
      const { export: view } = await this.#call(name, { do: 'request', export: wanted });
      return view as ExportView;
    } finally {
      await this.kernel.unhold(name, ref);
    }
  }

  /** The user's export, wherever it runs; `null`: none. */
  async record(user: string): Promise<ExportRecord | null> {
    const saved = await this.store.load(processOf(user));
    return saved === null ? null : (JSON.parse(saved) as ExportState).export;
  }

  async current(user: string): Promise<ExportView | null> {
    const record = await this.record(user);
    return record && viewOf(record);
  }

  /** Rejects with `NOT_FOUND` when there is none under way, or none with this id; so does `dismiss`. */
  cancel(user: string, id?: string): Promise<ExportAnswer> {
    return this.#ask(user, { do: 'cancel', id });
  }

  dismiss(user: string, id: string): Promise<ExportAnswer> {
    return this.#ask(user, { do: 'dismiss', id });
  }

  async #ask(user: string, message: ExportMessage): Promise<ExportAnswer> {
    const name = processOf(user);
    if (!(await this.store.process(name))) throw new PollcastError('NOT_FOUND', 'there is no such export');
    return this.#call(name, message);
  }

  #call(name: string, message: ExportMessage): Promise<ExportAnswer> {
    return this.kernel.call<ExportAnswer>(name, message, { idempotent: true, timeoutMs: PATIENCE_MS });
  }
}
