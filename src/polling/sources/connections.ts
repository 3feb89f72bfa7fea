import net from 'node:net';

import pg from 'pg';

import type { Logger } from '../../kernel/log.js';
import { runPipeline, type Outcome, type Step } from './pipeline.js';
import { Slots } from './slots.js';

export interface ConnectionsOptions {
  readonly connectionString: string;
  readonly maxConnections: number;
  /** Shown by Postgres as `application_name`. */
  readonly applicationName: string;
  readonly connectTimeoutMs: number;
  readonly log: Pick<Logger, 'warn'>;
}

/** A read-only transaction: `steps` run in one round trip and are rolled back. */
export interface Transaction {
  readonly steps: readonly Step[];
  /** Longest time that each step may take in the database. */
  readonly timeoutMs: number;
  /** Plan with the values known (each time anew), or once for any values. */
  readonly plans: 'custom' | 'generic';
  readonly signal: AbortSignal;
  /** Called synchronously right before the statements are written. */
  readonly mayQuery: () => boolean;
}

/** Why nothing was sent although the database may well be there. */
export class NotAsked extends Error {}

export type Ended =
  | { readonly sent: true; readonly elapsedMs: number; readonly outcome: Outcome }
  /** Nothing was sent: no connection, no right to ask, or told to stop. */
  | { readonly sent: false; readonly reason: Error };

const BEGIN: Step = { name: 'pollcast_begin', text: 'BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY', values: [] };
const ROLLBACK: Step = { name: 'pollcast_rollback', text: 'ROLLBACK', values: [] };
/**
 * For this transaction only, so that it holds behind a connection pooler too. JIT is off: estimates over a batch are
 * high enough to trigger it, and compiling takes longer than what is polled.
 */
const SETTINGS = {
  name: 'pollcast_settings',
  text:
    `SELECT set_config('statement_timeout', $1, true), set_config('lock_timeout', $2, true), ` +
    `set_config('idle_in_transaction_session_timeout', $3, true), set_config('plan_cache_mode', $4, true), ` +
    `set_config('jit', 'off', true)`,
};
/**
 * Time in the database, free of this process's own delays: batches must not shrink because the hub is busy. And the one
 * thing that ROLLBACK leaves: a lock of the session that a function may have taken.
 */
const CLOCK: Step = {
  name: 'pollcast_clock',
  text: 'SELECT extract(epoch FROM clock_timestamp() - now()) * 1000, pg_advisory_unlock_all()',
  values: [],
};

/** The part of its time that a statement may wait for a lock: less than all, or it would end as too slow. */
const LOCK_WAIT = 0.8;
/** And at most this long: it keeps a connection from all others meanwhile. */
const MAX_LOCK_WAIT_MS = 2_000;
/** How much longer than a statement may take its answer is awaited before the server counts as gone. */
const ANSWER_GRACE_MS = 2_000;
/** How long a cancelled statement may take to end before its connection is cut. */
const CANCEL_GRACE_MS = 1_000;
/** A connection is renewed after this time, and with it plans and whatever the server's side has piled up. */
const MAX_LIFETIME_SECONDS = 900;

/** The pool of the source: read-only transactions, cancelled when told so; a connection that saw an error is not used again. */
export class Connections {
  readonly #pool: pg.Pool;
  readonly #slots: Slots;
  /** Transactions whose connection is not back in the pool yet, each with what stops it; `close` awaits them. */
  readonly #running = new Map<AbortController, Promise<void>>();
  /** Of each caller's signal, what stops the transactions under it. */
  readonly #stops = new WeakMap<AbortSignal, Set<AbortController>>();
  #ended: Promise<void> | undefined;

  constructor(private readonly options: ConnectionsOptions) {
    this.#slots = new Slots(options.maxConnections);
    this.#pool = new pg.Pool({
      connectionString: options.connectionString,
      application_name: options.applicationName,
      // One more than is used for asking: a ping must get through while all are busy.
      max: options.maxConnections + 1,
      // Whoever takes over a poller asks at once: to open a connection takes longer than most statements.
      min: 1,
      connectionTimeoutMillis: options.connectTimeoutMs,
      idleTimeoutMillis: 30_000,
      maxLifetimeSeconds: MAX_LIFETIME_SECONDS,
      keepAlive: true,
    });
    // Without a listener an idle connection that the server closes would end the process.
    this.#pool.on('error', (error) => options.log.warn({ err: error }, 'an idle database connection was lost'));
  }

  /** Rejects only for a bug. An abort resolves it at once; the statement is cancelled behind it. */
  run(transaction: Transaction): Promise<Ended> {
    const stop = new AbortController();
    const stops = this.#stopsOf(transaction.signal);
    return new Promise<Ended>((resolve, reject) => {
      stop.signal.addEventListener('abort', () => resolve({ sent: false, reason: STOPPED }));
      stops.add(stop);
      if (transaction.signal.aborted || this.#ended !== undefined) stop.abort();
      const over = this.#transact({ ...transaction, signal: stop.signal })
        .then(resolve, reject)
        .finally(() => {
          stops.delete(stop);
          this.#running.delete(stop);
        });
      this.#running.set(stop, over);
    });
  }

  /** One listener per signal, however many statements run under it: a poller keeps one signal for all its rounds. */
  #stopsOf(signal: AbortSignal): Set<AbortController> {
    const known = this.#stops.get(signal);
    if (known !== undefined) return known;
    const stops = new Set<AbortController>();
    this.#stops.set(signal, stops);
    signal.addEventListener('abort', () => stops.forEach((stop) => stop.abort()), { once: true });
    return stops;
  }

  /** Resolves once the server answered; rejects with what pg said, or after `timeoutMs`. */
  async ping(timeoutMs: number): Promise<void> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), timeoutMs);
    const answered = this.#ping(late.signal);
    try {
      await Promise.race([answered, rejectOn(late.signal, `no answer within ${timeoutMs} ms`)]);
    } finally {
      clearTimeout(timer);
      answered.catch(() => undefined); // told above, or too late to matter
    }
  }

  /** Cancels what runs and closes all connections. Idempotent. */
  close(): Promise<void> {
    this.#ended ??= this.#close();
    return this.#ended;
  }

  async #close(): Promise<void> {
    for (const stop of this.#running.keys()) stop.abort();
    await Promise.all(this.#running.values());
    await this.#pool.end();
  }

  async #ping(late: AbortSignal): Promise<void> {
    const client = await this.#pool.connect();
    const onError = (): void => undefined; // the query below fails with it
    client.on('error', onError);
    const cut = (): void => cutOff(client);
    late.addEventListener('abort', cut);
    const { error } = late.aborted ? { error: new Error('too late') } : await runPipeline(client, [PING]);
    late.removeEventListener('abort', cut);
    client.release(error !== undefined);
    client.off('error', onError);
    if (error !== undefined) throw error;
  }

  async #transact(transaction: Transaction): Promise<Ended> {
    const { signal, mayQuery } = transaction;
    const leave = await this.#slots.enter(signal);
    if (leave === undefined) return { sent: false, reason: STOPPED };
    try {
      const client = await this.#connect();
      if (client instanceof Error) return { sent: false, reason: client };
      const onError = (): void => undefined; // the pipeline ends with the same error
      client.on('error', onError);
      let usable = false;
      try {
        const ended = signal.aborted
          ? unsent(STOPPED)
          : mayQuery()
            ? await this.#send(client, transaction)
            : unsent(LOST);
        usable = !ended.sent || (ended.outcome.error === undefined && !signal.aborted);
        return ended;
      } finally {
        client.release(!usable);
        client.off('error', onError);
      }
    } finally {
      leave();
    }
  }

  async #connect(): Promise<pg.PoolClient | Error> {
    try {
      return await this.#pool.connect();
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  async #send(client: pg.PoolClient, { steps, timeoutMs, plans, signal }: Transaction): Promise<Ended> {
    const started = performance.now();
    const ms = String(Math.max(1, Math.ceil(timeoutMs)));
    const values = [
      ms,
      String(Math.ceil(Math.min(timeoutMs * LOCK_WAIT, MAX_LOCK_WAIT_MS))),
      ms,
      `force_${plans}_plan`,
    ];
    const before = [BEGIN, { ...SETTINGS, values }];

    let cancelled: Promise<void> | undefined;
    let cut: NodeJS.Timeout | undefined;
    const onAbort = (): void => {
      cancelled = cancelRunning(client);
      cut = setTimeout(() => cutOff(client), CANCEL_GRACE_MS);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    const overdue = setTimeout(() => cutOff(client), timeoutMs + ANSWER_GRACE_MS);
    const all = await runPipeline(client, [...before, ...steps, CLOCK, ROLLBACK], () => overdue.refresh());
    clearTimeout(overdue);
    signal.removeEventListener('abort', onAbort);
    clearTimeout(cut);
    // Not before the request to cancel is through: it would hit whatever the backend does next.
    await cancelled;

    const measured = Number(all.rows[before.length + steps.length]?.[0]?.[0]);
    return {
      sent: true,
      elapsedMs: all.error === undefined && Number.isFinite(measured) ? measured : performance.now() - started,
      outcome: {
        rows: all.rows.slice(before.length, before.length + steps.length),
        done: Math.min(Math.max(all.done - before.length, 0), steps.length),
        ...(all.error === undefined ? {} : { error: all.error }),
      },
    };
  }
}

const STOPPED = new NotAsked('told to stop');
const LOST = new NotAsked('the right to ask was lost');

function unsent(reason: Error): Ended {
  return { sent: false, reason };
}

const PING: Step = { text: 'SELECT 1', values: [] };

/** Ends the connection now, without a word to the server; what runs on it fails. */
function cutOff(client: pg.ClientBase): void {
  (client as pg.Client).connection.stream.destroy();
}

/**
 * The protocol's own request: needs no login, so it works when the server has no connection left. It goes unencrypted
 * even where the connection is encrypted, as the server takes it before it asks for more; its key can do nothing but
 * cancel what runs on a connection that is thrown away after this. Never rejects.
 */
export function cancelRunning(client: pg.Client | pg.PoolClient): Promise<void> {
  const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
  const request = Buffer.allocUnsafe(16);
  request.writeInt32BE(16, 0);
  request.writeInt32BE(80_877_102, 4);
  request.writeInt32BE(processID, 8);
  request.writeInt32BE(secretKey, 12);
  return new Promise((resolve) => {
    const socket = client.host.startsWith('/')
      ? net.connect(`${client.host}/.s.PGSQL.${client.port}`)
      : net.connect(client.port, client.host);
    // The server answers by closing; a failure needs no word: the connection is cut a little later anyway.
    socket.setTimeout(CANCEL_GRACE_MS, () => socket.destroy());
    socket.on('error', () => undefined);
    socket.on('close', () => resolve());
    socket.end(request);
    socket.resume();
  });
}

function rejectOn(signal: AbortSignal, sentence: string): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error(sentence)), { once: true });
  });
}
