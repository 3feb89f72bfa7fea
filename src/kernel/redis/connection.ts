import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { Cluster, Redis, type ClusterOptions, type RedisOptions } from 'ioredis';
import { PollcastError } from '../../errors.js';
import type { Logger } from '../log.js';

export type RedisClient = Redis | Cluster;

export type Scripts = Readonly<Record<string, string>>;

/** Reads the Lua scripts of a folder, by file name without `.lua`. */
export function loadScripts(folder: URL): Scripts {
  const scripts: Record<string, string> = {};
  for (const file of readdirSync(folder)) {
    if (file.endsWith('.lua')) scripts[file.slice(0, -4)] = readFileSync(new URL(file, folder), 'utf8');
  }
  return scripts;
}

const RECONNECT_MS = 100;
/** A busy machine may be too slow for a short command timeout just while everything starts. */
const CONNECT_TRIES = 3;

/**
 * Fails fast and never sends twice: no offline queue, no resending, one attempt. What is to be tried again is tried
 * again by whoever knows whether that is safe.
 */
function options(name: string, commandTimeoutMs: number, reconnectMs: number): RedisOptions {
  return {
    connectionName: name,
    commandTimeout: commandTimeoutMs,
    connectTimeout: 2_000,
    // How long a timer of ioredis outlives a connection that had broken before it was closed: it keeps a process alive.
    disconnectTimeout: 200,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    // See RedisSubscriber, which does it itself.
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => reconnectMs,
    lazyConnect: true,
  };
}

export interface ConnectOptions {
  /** `redis://…`, `rediss://…`; several, comma-separated: nodes of one Redis Cluster. */
  readonly url: string;
  readonly name: string;
  readonly commandTimeoutMs: number;
  readonly reconnectMs?: number;
  readonly log: Logger;
  /** It will subscribe: a cluster then keeps subscriber connections per shard. */
  readonly subscriber?: boolean;
}

/** Opens a connection; rejects with `UNAVAILABLE` when it does not answer in a few tries. It reconnects by itself ever after. */
export async function connect({
  url,
  name,
  commandTimeoutMs,
  reconnectMs = RECONNECT_MS,
  log,
  subscriber,
}: ConnectOptions): Promise<RedisClient> {
  const urls = url.split(',').map((part) => part.trim());
  const common = options(name, commandTimeoutMs, reconnectMs);
  const client =
    urls.length > 1
      ? new Cluster(urls, clusterOptions(common, reconnectMs, subscriber ?? false))
      : new Redis(urls[0] as string, common);
  // An `error` without a listener ends the process; what it means for us comes as failed commands.
  client.on('error', (error: unknown) => log.debug({ err: error, connection: name }, 'redis connection'));
  for (let tried = 1; ; tried++) {
    try {
      await client.connect();
      return client;
    } catch (error) {
      client.disconnect();
      if (tried === CONNECT_TRIES) {
        throw new PollcastError('UNAVAILABLE', 'Redis does not answer', undefined, { cause: error });
      }
      await new Promise((wake) => setTimeout(wake, reconnectMs));
    }
  }
}

function clusterOptions(common: RedisOptions, reconnectMs: number, shardedSubscribers: boolean): ClusterOptions {
  const { retryStrategy: _retry, enableOfflineQueue: _queue, lazyConnect: _lazy, ...redisOptions } = common;
  return {
    redisOptions,
    enableOfflineQueue: false,
    lazyConnect: true,
    clusterRetryStrategy: () => reconnectMs,
    slotsRefreshTimeout: 2_000,
    shardedSubscribers,
  };
}

/** Runs scripts by name on a client; whatever goes wrong on the way is `UNAVAILABLE`. */
export class ScriptRunner {
  readonly #hashes = new Map<string, string>();

  constructor(
    readonly client: RedisClient,
    private readonly scripts: Scripts,
  ) {}

  async run(name: string, keys: readonly string[], args: readonly (string | number | Buffer)[] = []): Promise<unknown> {
    try {
      return await this.#run(name, keys, args);
    } catch (error) {
      throw unavailable(error);
    }
  }

  async #run(name: string, keys: readonly string[], args: readonly (string | number | Buffer)[]): Promise<unknown> {
    const hash = this.#hashes.get(name);
    if (hash) {
      try {
        return await this.client.evalsha(hash, keys.length, ...keys, ...args);
      } catch (error) {
        // The server has restarted since: nothing was run, so sending it whole is safe.
        if (!isNoScript(error)) throw error;
      }
    }
    const source = this.scripts[name];
    if (source === undefined) throw new Error(`there is no script ${name}`);
    const result = await this.client.eval(source, keys.length, ...keys, ...args);
    this.#hashes.set(name, sha1(source));
    return result;
  }
}

function sha1(text: string): string {
  return createHash('sha1').update(text).digest('hex');
}

function isNoScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}

export function unavailable(error: unknown): PollcastError {
  if (error instanceof PollcastError) return error;
  return new PollcastError('UNAVAILABLE', 'Redis does not answer', undefined, { cause: error });
}
