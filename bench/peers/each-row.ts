import pg from 'pg';
import { settingsOf } from './peer.js';
import { onBegin, RowsClock, type RowsSettings } from './row-run.js';

/** A process for each row: a timer of its own, and an UPDATE of its own for each step. */
const { databaseUrl, atATime, everyMs, lookMs, spread } = settingsOf<RowsSettings>();
const pool = new pg.Pool({ connectionString: databaseUrl, max: 10 });
pool.on('error', () => undefined);
// The monitor's query needs a connection of its own: behind thousands of updates it would come too late.
const monitor = new pg.Pool({ connectionString: databaseUrl, max: 1 });
monitor.on('error', () => undefined);
const clock = new RowsClock();
const running = new Set<string>();

class RowProcess {
  #due: number;

  constructor(
    private readonly id: string,
    private readonly over: () => void,
  ) {
    this.#due = performance.now() + (spread ? Math.random() : 1) * everyMs;
    this.#sleep();
  }

  #sleep(): void {
    setTimeout(() => void this.#step(), Math.max(0, this.#due - performance.now()));
  }

  async #step(): Promise<void> {
    const text = 'update counters set value = value - 1 where id = $1 and value > 0 returning value';
    const answer = await pool.query<{ value: number }>({ name: 'step', text, values: [this.id] });
    const late = performance.now() - this.#due;
    clock.written(late, late);
    if ((answer.rows[0]?.value ?? 0) === 0) return this.over();
    this.#due += everyMs * Math.max(1, Math.ceil(late / everyMs));
    this.#sleep();
  }
}

async function look(): Promise<void> {
  const found = await monitor.query<{ id: string }>(
    'select id::text from counters where value > 0 and not id = any($1::bigint[]) limit $2',
    [[...running], atATime - running.size],
  );
  for (const { id } of found.rows) {
    running.add(id);
    new RowProcess(id, () => running.delete(id));
  }
  if (found.rows.length > 0 && running.size === atATime) clock.crowded();
}

let looking: NodeJS.Timeout | undefined;
onBegin(clock, async () => {
  clearInterval(looking);
  await look();
  looking = setInterval(() => void look(), lookMs);
});
process.on('disconnect', () => process.exit(0));
process.send?.({ port: 0 });
