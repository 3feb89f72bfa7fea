import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { startChild } from './children.js';
import { cpuOf, cpuOfTree } from './cpu.js';
import { hubModule, scriptModule } from './project.js';
import type * as embedded from '../../src/embedded/postgres.js';
import type * as services from '../../scripts/services.mjs';

export interface Service {
  readonly url: string;
  /** CPU seconds so far, of all its processes. */
  cpu(): number;
  stop(): Promise<void>;
}

export interface PostgresService extends Service {
  query<Row extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<Row[]>;
}

/** A Postgres of the bench's own. Most of what is measured reads, and needs no `fsync`. */
export async function startPostgres({ fsync = false } = {}): Promise<PostgresService> {
  const { startEmbeddedPostgres } = await hubModule<typeof embedded>('embedded/postgres.js');
  const server = await startEmbeddedPostgres({ fsync, settings: { max_connections: '200', jit: 'off' } });
  const pool = new pg.Pool({ connectionString: server.url, max: 2 });
  pool.on('error', () => undefined);
  await pool.query('create extension if not exists pg_stat_statements');
  return {
    url: server.url,
    cpu: () => cpuOfTree(server.pid),
    query: async <Row extends pg.QueryResultRow>(text: string, values: unknown[] = []) =>
      (await pool.query<Row>(text, values)).rows,
    stop: async () => {
      await pool.end();
      await server.stop();
    },
  };
}

/** A Redis of the bench's own, without persistence. */
export async function startRedis(): Promise<Service> {
  const { provide } = await scriptModule<typeof services>('services.mjs');
  const { freePort } = await hubModule<typeof embedded>('embedded/postgres.js');
  const { bin, env } = await provide('redis');
  const dir = await mkdtemp(join(tmpdir(), 'pollcast-bench-redis-'));
  const port = await freePort();
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', '', '--appendonly', 'no'];
  const server = await startChild(bin, args, { ...process.env, ...env });
  await new Promise<void>((resolve, reject) => {
    const look = setInterval(() => {
      const ready = server.lines.some((line) => /ready to accept connections/i.test(line));
      if (!ready && server.alive()) return;
      clearInterval(look);
      if (ready) resolve();
      else reject(new Error(`redis-server ended:\n${server.lines.join('\n')}`));
    }, 5);
  });
  return {
    url: `redis://127.0.0.1:${port}`,
    cpu: () => cpuOf(server.pid),
    stop: async () => {
      await server.kill('SIGKILL');
      await rm(dir, { recursive: true, force: true });
    },
  };
}
