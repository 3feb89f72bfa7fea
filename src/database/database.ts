import { resolve } from 'node:path';
import type { Config } from '../config.js';
import { prepareDemo } from '../demo/demo.js';
import { startFeeder } from '../demo/feeder.js';
import { startEmbeddedPostgres } from '../embedded/postgres.js';
import type { Logger } from '../kernel/log.js';
import { loadDuck } from '../polling/sources/duckdb/load.js';
import { dialectOf } from '../topics/policy.js';

/** The database that this node's topics query. */
export interface Database {
  /** `none`: all topics are written in code, and the addresses below are empty. */
  readonly kind: 'postgres' | 'duckdb' | 'none';
  /** What queries run under; with the demo a role that may only read. */
  readonly url: string;
  /** What was given, or the embedded server's owner: may write, if anybody may. */
  readonly ownerUrl: string;
  readonly embedded: boolean;
  /** Ends what was started for it. Idempotent. */
  stop(): Promise<void>;
}

const NONE: Database = { kind: 'none', url: '', ownerUrl: '', embedded: false, stop: () => Promise.resolve() };

/** It is opened by its source; here it is found out whether it could be. */
async function duckdb(url: string): Promise<Database> {
  await loadDuck();
  return { kind: 'duckdb', url, ownerUrl: url, embedded: false, stop: () => Promise.resolve() };
}

const DATA_DIR = './var/postgres';

/** The given database, or an embedded one in a process of its own; with the demo's data, kept changing, when they are wanted. */
export async function openDatabase(config: Config, log: Logger): Promise<Database> {
  if (config.hosted && config.databaseUrl === undefined) return NONE;
  if (dialectOf(config.databaseUrl) === 'duckdb') return duckdb(config.databaseUrl ?? '');
  const releases: (() => Promise<void>)[] = [];
  let stopped: Promise<void> | null = null;
  // In reverse: the feeder before the server that it feeds. All run; the first failure is told.
  const stop = (): Promise<void> =>
    (stopped ??= (async () => {
      const failures: unknown[] = [];
      for (const release of releases.reverse()) await release().catch((error: unknown) => failures.push(error));
      if (failures.length > 0) throw failures[0];
    })());
  try {
    let ownerUrl = config.databaseUrl;
    if (ownerUrl === undefined) {
      const server = await startEmbeddedPostgres({
        dataDir: resolve(DATA_DIR),
        log: (line) => log.debug({ line }, 'postgres'),
      });
      releases.push(() => server.stop());
      ownerUrl = server.url;
      log.info({ port: server.port, dataDir: server.dataDir }, 'embedded Postgres runs');
    }
    let url = ownerUrl;
    if (config.demo) {
      ({ readerUrl: url } = await prepareDemo(ownerUrl));
      const feeder = startFeeder({ url: ownerUrl, log });
      releases.push(() => feeder.stop());
    }
    return { kind: 'postgres', url, ownerUrl, embedded: config.databaseUrl === undefined, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
