import type { Logger } from '../../kernel/log.js';
import type { RoomHistory } from './history.js';
import { PostgresHistory } from './postgres.js';

/**
 * Where the past of rooms lies: in the topics' database if it may be written, else in the cluster (Redis, or memory). It is found out
 * when it is needed first, and again until it is known.
 */
export class HistoryPlace {
  #opening: Promise<RoomHistory> | null = null;

  constructor(
    private readonly databaseUrl: string,
    /** Where it lies otherwise. */
    private readonly fallback: RoomHistory,
    private readonly log: Logger,
  ) {}

  readonly get = (): Promise<RoomHistory> => {
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = null;
      throw error;
    });
    return this.#opening;
  };

  async close(): Promise<void> {
    const history = await this.#opening?.catch(() => null);
    await history?.close();
  }

  async #open(): Promise<RoomHistory> {
    // Other databases than Postgres are read only.
    const isPostgres = /^postgres(ql)?:/.test(this.databaseUrl);
    const history = isPostgres ? await PostgresHistory.open(this.databaseUrl, this.log) : null;
    if (!history) this.log.info({}, 'the database may not be written: the history of rooms lies in the cluster');
    return history ?? this.fallback;
  }
}
