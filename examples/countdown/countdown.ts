import { Inject, Injectable, Module, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import pg from 'pg';
import type { Database } from '../../src/database/database.js';
import { DATABASE } from '../../src/node.tokens.js';
// In an application of one's own: `from 'pollcast/nest'`.
import { RowWorker, type RowSteps } from '../../src/rows/row-worker.decorator.js';
import { readScenario } from './scenario.js';

/** Read when this file is imported: a decorator's options are a part of its class. */
const scenario = readScenario(process.env);

interface Counter {
  readonly id: number;
  readonly value: number;
}

/** All that the scenario needs. */
@Injectable()
@RowWorker({ name: 'countdown', table: 'counters', match: 'value > 0', every: scenario.every, limit: scenario.limit })
class Countdown implements RowSteps<Counter> {
  step({ value }: Counter) {
    return { value: value - 1 };
  }
}

const LOOK_MS = 5_000;

/** Makes the table, and begins anew a while after everything is at 0: the processes are gone by then. */
@Injectable()
class Counters implements OnModuleInit, OnApplicationShutdown {
  readonly #pool: pg.Pool;
  #timer: NodeJS.Timeout | undefined;
  #atZero = false;

  constructor(@Inject(DATABASE) { ownerUrl }: Database) {
    this.#pool = new pg.Pool({ connectionString: ownerUrl, max: 1 });
    // The next look tries again.
    this.#pool.on('error', () => undefined);
  }

  async onModuleInit(): Promise<void> {
    // Half of each page is left free, so that a row's new version finds room beside the old one.
    await this.#pool.query(
      'CREATE TABLE IF NOT EXISTS counters (id bigint PRIMARY KEY, value int NOT NULL) WITH (fillfactor = 50)',
    );
    await this.#pool.query(
      'INSERT INTO counters SELECT i, 3 FROM generate_series(1, $1::int) i ON CONFLICT DO NOTHING',
      [scenario.rows],
    );
    // Those of a larger scenario before.
    await this.#pool.query('DELETE FROM counters WHERE id > $1::int', [scenario.rows]);
    this.#timer = setInterval(() => void this.#look().catch(() => undefined), LOOK_MS);
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.#timer);
    await this.#pool.end();
  }

  async #look(): Promise<void> {
    const { rowCount } = await this.#pool.query('SELECT FROM counters WHERE value > 0 LIMIT 1');
    const before = this.#atZero;
    this.#atZero = rowCount === 0;
    if (!this.#atZero || !before) return;
    this.#atZero = false;
    await this.#pool.query('UPDATE counters SET value = 3 WHERE NOT EXISTS (SELECT FROM counters WHERE value > 0)');
  }
}

@Module({ providers: [Countdown, Counters] })
export class CountdownModule {}
