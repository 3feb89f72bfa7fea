import pg from 'pg';
import { describe } from '../errors.js';
import { seededRandom, Traffic, type Happenings } from './traffic.js';

export interface FeederOptions {
  /** A role that may write to the demo's tables. */
  readonly url: string;
  readonly log: FeederLog;
  readonly clock?: FeederClock;
  /** The same seed makes the same customers (default: by the clock). */
  readonly seed?: number;
  /** Pause between two ticks, in ms (default 500). */
  readonly everyMs?: number;
  /** Told after each tick that is committed. */
  readonly onTick?: (happened: Happenings) => void;
}

/** The part of the hub's logger that is used. */
export interface FeederLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** The part of the kernel's clock that is used. */
export interface FeederClock {
  now(): number;
  after(ms: number, run: () => void): { cancel(): void };
}

export interface Feeder {
  /** Idempotent; resolves when the connection is closed. */
  stop(): Promise<void>;
}

const RETRY_MS = 1_000;
const PRUNE_EVERY_MS = 30_000;
/** After an outage or a suspended machine there is no flood of everything that was missed. */
const LONGEST_TICK_MS = 2_000;
/** Held by the one feeder of a database, so that several nodes with one database do not multiply its business. */
const FEEDER_LOCK = 7_065_113;

/** How many rows of each table are kept. */
const KEPT = { page_views: 250_000, orders: 40_000, app_errors: 20_000, tickets: 2_000, deployments: 500 } as const;

/**
 * Keeps the demo's data changing until stopped. Outlives restarts of the database: it logs once that it is gone, and once that
 * it is back. Of several feeders on one database one feeds; the others wait for their turn.
 */
export function startFeeder(options: FeederOptions): Feeder {
  const feeding = new Feeding(options);
  const ended = feeding.run();
  return {
    stop: () => {
      feeding.stop();
      return ended;
    },
  };
}

const systemClock: FeederClock = {
  now: () => Date.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return { cancel: () => clearTimeout(timer) };
  },
};

class Feeding {
  private readonly clock: FeederClock;
  private readonly traffic: Traffic;
  private readonly stopping = new AbortController();
  private lastTick = 0;
  private lastPrune = 0;

  constructor(private readonly options: FeederOptions) {
    this.clock = options.clock ?? systemClock;
    this.traffic = new Traffic(seededRandom(options.seed ?? this.clock.now()));
  }

  stop(): void {
    this.stopping.abort();
  }

  async run(): Promise<void> {
    let failing = false;
    while (!this.stopping.signal.aborted) {
      const client = new pg.Client({ connectionString: this.options.url, application_name: 'pollcast demo feeder' });
      // A connection lost between two ticks is found by the next one.
      client.on('error', () => undefined);
      try {
        await client.connect();
        await this.feed(client, () => {
          if (failing) this.options.log.info({}, 'the demo feeds its database again');
          failing = false;
        });
      } catch (error) {
        if (!failing)
          this.options.log.warn({ error: describe(error) }, 'the demo cannot feed its database; it keeps trying');
        failing = true;
        await this.pause(RETRY_MS);
      } finally {
        await client.end().catch(() => undefined); // it may be broken already
      }
    }
  }

  private async feed(client: pg.Client, onSuccess: () => void): Promise<void> {
    while (!this.stopping.signal.aborted && !(await tryLock(client))) await this.pause(RETRY_MS);
    this.lastTick = this.clock.now();
    while (!this.stopping.signal.aborted) {
      const now = this.clock.now();
      const happened = this.traffic.tick(now, Math.min(LONGEST_TICK_MS, Math.max(0, now - this.lastTick)));
      await inTransaction(client, async () => {
        await record(client, happened);
        await moveOn(client);
      });
      this.lastTick = now;
      if (now - this.lastPrune >= PRUNE_EVERY_MS) {
        await prune(client);
        this.lastPrune = now;
      }
      onSuccess();
      this.options.onTick?.(happened);
      await this.pause(this.options.everyMs ?? 500);
    }
  }

  private pause(ms: number): Promise<void> {
    const { signal } = this.stopping;
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const done = (): void => {
        timer.cancel();
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = this.clock.after(ms, done);
      signal.addEventListener('abort', done, { once: true });
    });
  }
}

async function tryLock(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ held: boolean }>('SELECT pg_try_advisory_lock($1) AS held', [FEEDER_LOCK]);
  return rows[0]?.held === true;
}

async function inTransaction(client: pg.Client, work: () => Promise<void>): Promise<void> {
  await client.query('BEGIN');
  try {
    await work();
    await client.query('COMMIT');
  } catch (error) {
    // A broken connection cannot roll back, nor need it: the first error is the one to tell.
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** Writes what happened. Moments lie within the last half second, so that charts do not pulse with the ticks. */
async function record(client: pg.Client, { orders, views, errors, tickets, deployments }: Happenings): Promise<void> {
  for (const order of orders) {
    await client.query(
      `WITH drawn AS (
         SELECT p.id, p.price, i.quantity
         FROM unnest($3::int[], $4::int[]) AS i (product, quantity)
         JOIN products AS p ON p.id = i.product
       ), placed AS (
         INSERT INTO orders (placed_at, updated_at, region, customer, status, total)
         SELECT now(), now(), $1, $2, 'placed', sum(price * quantity) FROM drawn
         RETURNING id
       ), taken AS (
         UPDATE stock SET on_hand = greatest(0, on_hand - drawn.quantity)
         FROM drawn
         WHERE product_id = drawn.id
           AND warehouse = CASE $1 WHEN 'EU' THEN 'Hamburg' WHEN 'US' THEN 'Reno' ELSE 'Singapore' END
       )
       INSERT INTO order_items (order_id, product_id, quantity, unit_price)
       SELECT placed.id, drawn.id, drawn.quantity, drawn.price FROM placed, drawn`,
      [
        order.region,
        order.customer,
        order.items.map(({ product }) => product),
        order.items.map(({ quantity }) => quantity),
      ],
    );
  }
  if (views.length > 0) {
    await client.query(
      `INSERT INTO page_views (seen_at, path, region, device, visitor, load_ms)
       SELECT now() - random() * interval '500 ms', v.*
       FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::int[]) AS v`,
      [
        views.map(({ path }) => path),
        views.map(({ region }) => region),
        views.map(({ device }) => device),
        views.map(({ visitor }) => visitor),
        views.map(({ loadMs }) => loadMs),
      ],
    );
  }
  if (errors.length > 0) {
    await client.query(
      `INSERT INTO app_errors (seen_at, service, severity, message)
       SELECT now() - random() * interval '500 ms', e.* FROM unnest($1::text[], $2::text[], $3::text[]) AS e`,
      [
        errors.map(({ service }) => service),
        errors.map(({ severity }) => severity),
        errors.map(({ message }) => message),
      ],
    );
  }
  for (const { priority, subject, assignee } of tickets) {
    await client.query('INSERT INTO tickets (opened_at, priority, subject, assignee) VALUES (now(), $1, $2, $3)', [
      priority,
      subject,
      assignee,
    ]);
    // As many are closed as are opened, the urgent ones first.
    await client.query(
      `UPDATE tickets SET closed_at = now()
       WHERE id = (SELECT id FROM tickets WHERE closed_at IS NULL AND opened_at < now() - interval '1 minute'
                   ORDER BY priority <> 'urgent', random() LIMIT 1)
         AND (SELECT count(*) FROM tickets WHERE closed_at IS NULL) > 12`,
    );
  }
  for (const service of deployments) {
    await client.query(
      `INSERT INTO deployments (service, version, status, started_at)
       SELECT $1, '4.' || count(*) / 5 || '.' || count(*) % 5, 'rolling out', now() FROM deployments`,
      [service],
    );
  }
}

/** Orders advance, deployments finish, empty shelves are filled. */
async function moveOn(client: pg.Client): Promise<void> {
  await client.query(
    `UPDATE orders
     SET updated_at = now(),
         status = CASE WHEN status = 'placed' AND id % 23 = 0 THEN 'cancelled'
                       WHEN status = 'placed' THEN 'paid'
                       WHEN status = 'paid' THEN 'packed'
                       ELSE 'shipped' END::order_status
     WHERE status IN ('placed', 'paid', 'packed')
       AND placed_at < now() - CASE status WHEN 'placed' THEN interval '20 seconds'
                                           WHEN 'paid' THEN interval '90 seconds'
                                           ELSE interval '5 minutes' END`,
  );
  await client.query(
    `UPDATE deployments
     SET finished_at = now(), status = CASE WHEN id % 9 = 4 THEN 'rolled back' ELSE 'live' END
     WHERE status = 'rolling out' AND started_at < now() - interval '25 seconds'`,
  );
  await client.query(
    `UPDATE stock
     SET on_hand = on_hand + 60 + floor(random() * 120)::int, restocked_at = now()
     WHERE on_hand < reorder_at * 0.6 AND random() < 0.01 OR on_hand = 0 AND random() < 0.1`,
  );
}

/** Keeps the newest rows of each table, so that the demo can run for weeks. */
async function prune(client: pg.Client): Promise<void> {
  for (const [table, kept] of Object.entries(KEPT)) {
    await client.query(`DELETE FROM ${table} WHERE id <= (SELECT max(id) FROM ${table}) - $1::int`, [kept]);
  }
}
