import pg from 'pg';

/**
 * What changes the data: moves the one row of `tick` on, every `everyMs`, with the time of the change by the database's
 * own clock. Results that show it change with it, and tell when they did.
 */
export class Writer {
  #timer: NodeJS.Timeout | null = null;
  #writing: Promise<unknown> = Promise.resolve();

  private constructor(private readonly client: pg.Client) {}

  static async open(url: string): Promise<Writer> {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => undefined);
    await client.connect();
    await client.query(`
      create table if not exists tick (n bigint not null, at timestamptz not null) with (fillfactor = 10, autovacuum_enabled = off);
      insert into tick select 0, clock_timestamp() where not exists (select from tick)`);
    return new Writer(client);
  }

  run(everyMs: number): void {
    const next = (): void => {
      this.#writing = this.client
        .query({ name: 'tick', text: 'update tick set n = n + 1, at = clock_timestamp()' })
        .finally(() => {
          if (this.#timer) this.#timer = setTimeout(next, everyMs);
        });
    };
    this.#timer ??= setTimeout(next, 0);
  }

  async pause(): Promise<void> {
    clearTimeout(this.#timer ?? undefined);
    this.#timer = null;
    await this.#writing;
  }

  async close(): Promise<void> {
    await this.pause();
    await this.client.end();
  }
}

/** The columns that a result takes from `tick`: ms since 1970 of the last change, and its number. */
export const TICK = '(extract(epoch from tick.at) * 1000)::float8 as at, tick.n';
