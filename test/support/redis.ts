import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { provide } from '../../scripts/services.mjs';
import { freePort } from '../../src/embedded/postgres.js';
import { onFreePort, startProcess, untilLine, type ServiceProcess } from './service-process.js';

export interface TestRedis {
  url: string;
  port: number;
  readonly pid: number;
  /** Ends the server at once. Idempotent; its folder goes with it. */
  stop(): Promise<void>;
  /** Takes it away, as an outage would: kept data is saved first, and back after `up`. */
  down(options?: { keepData?: boolean }): Promise<void>;
  /** Brings it back on the same port. */
  up(): Promise<void>;
  /** `down` and `up`. */
  restart(options: { keepData: boolean }): Promise<void>;
  /** SIGSTOP: connections stay open, and nothing answers. */
  freeze(): void;
  /** SIGCONT. */
  thaw(): void;
}

/** A Redis of one's own on a free port, without persistence. `args` go to redis-server as they are. */
export async function startRedis({ args = [] }: { args?: string[] } = {}): Promise<TestRedis> {
  const { bin, env } = await provide('redis');
  const dir = await mkdtemp(join(tmpdir(), 'pollcast-redis-'));
  const launch = async (port: number): Promise<ServiceProcess> => {
    const fixed = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', '', '--appendonly', 'no'];
    const server = startProcess({ file: bin, args: [...fixed, ...args], env: { ...process.env, ...env }, cwd: dir });
    await untilLine(server, /ready to accept connections/i);
    return server;
  };

  let port = 0;
  let server = await onFreePort(freePort, (free) => launch((port = free)));
  const url = `redis://127.0.0.1:${port}`;

  const down = async ({ keepData = false } = {}) => {
    if (keepData && server.alive()) await saveAndQuit(port);
    else await server.kill('SIGKILL');
    await server.exited;
    if (!keepData) await rm(join(dir, 'dump.rdb'), { force: true });
  };
  const up = async () => {
    if (!server.alive()) server = await launch(port);
  };
  return {
    url,
    port,
    get pid() {
      return server.pid;
    },
    down,
    up,
    async restart(options) {
      await down(options);
      await up();
    },
    async stop() {
      await server.kill('SIGKILL');
      await rm(dir, { recursive: true, force: true });
    },
    freeze: () => server.freeze(),
    thaw: () => server.thaw(),
  };
}

async function saveAndQuit(port: number): Promise<void> {
  const client = new Redis({
    port,
    host: '127.0.0.1',
    retryStrategy: null,
    maxRetriesPerRequest: 0,
    // It is the server that closes the connection here; ioredis would keep a timer for 2 s.
    disconnectTimeout: 100,
  });
  client.on('error', () => undefined);
  try {
    await client.shutdown('SAVE');
  } catch {
    // The answer to a successful shutdown is a closed connection.
  } finally {
    client.disconnect();
  }
}
