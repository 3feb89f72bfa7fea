import { existsSync, statSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { startEmbeddedPostgres } from '../../src/embedded/postgres.js';
import { eventually } from '../support/eventually.js';

let home: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'pollcast-embedded-'));
  // Where tests run as root the server runs as nobody, who must get there.
  await chmod(home, 0o755);
});
afterAll(() => rm(home, { recursive: true, force: true }));

const start = (options: Parameters<typeof startEmbeddedPostgres>[0] = {}) =>
  startEmbeddedPostgres({ fsync: false, ...options });

async function ask(server: { url: string }, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(server.url);
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

describe('without a data folder', () => {
  test('is a real server in a process of its own, and leaves nothing behind', async () => {
    const server = await start();
    expect(server.pid).not.toBe(process.pid);
    expect(await ask(server, 'select 6 * 7 as n')).toEqual([{ n: 42 }]);
    await server.stop();
    expect(await server.exited).toEqual({ code: 0, signal: null, expected: true });
    expect(existsSync(server.dataDir)).toBe(false);
  });

  test('stops once, however often and from wherever it is asked to', async () => {
    const server = await start();
    const first = server.stop();
    expect(server.stop()).toBe(first);
    await expect(first).resolves.toBeUndefined();
  });

  test('tells an end that nobody asked for', async () => {
    const server = await start();
    process.kill(server.pid, 'SIGKILL');
    expect(await server.exited).toEqual({ code: null, signal: 'SIGKILL', expected: false });
    await server.stop();
  });

  test('passes settings on, loads pg_stat_statements, writes its log to the caller', async () => {
    const lines: string[] = [];
    const server = await start({
      settings: { work_mem: '7MB', log_statement: 'all' },
      log: (line) => lines.push(line),
    });
    await ask(server, 'create extension pg_stat_statements');
    expect(await ask(server, 'show work_mem')).toEqual([{ work_mem: '7MB' }]);
    const seen = await ask(server, `select count(*)::int as n from pg_stat_statements where query = 'show work_mem'`);
    expect(seen).toEqual([{ n: 1 }]);
    await eventually(() => lines.some((line) => line.includes('show work_mem')), { what: 'the log line' });
    await server.stop();
  });

  test('lets nobody in without the password', async () => {
    const server = await start();
    const stranger = new pg.Client(server.url.replace(/:[^:@]+@/, ':guess@'));
    stranger.on('error', () => undefined);
    await expect(stranger.connect()).rejects.toThrow(/password authentication failed/);
    await server.stop();
  });
});

describe('with a data folder', () => {
  test('finds its data and its password again', async () => {
    const dataDir = join(home, 'kept', 'pg');
    const first = await start({ dataDir });
    await ask(first, 'create table kept as select 1 as n');
    await first.stop();
    const second = await start({ dataDir });
    expect(await ask(second, 'select n from kept')).toEqual([{ n: 1 }]);
    await second.stop();
  });

  test('starts where an earlier first start was killed half-way', async () => {
    const dataDir = join(home, 'half');
    await mkdir(`${dataDir}.new`);
    await writeFile(join(`${dataDir}.new`, 'PG_VERSION'), 'half a file');
    const server = await start({ dataDir });
    expect(await ask(server, 'select 1 as n')).toEqual([{ n: 1 }]);
    expect(existsSync(`${dataDir}.new`)).toBe(false);
    await server.stop();
  });

  test('refuses a folder that a live process uses, naming both', async () => {
    const dataDir = join(home, 'used');
    const server = await start({ dataDir });
    await expect(start({ dataDir })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(new RegExp(`Process ${process.pid} .*${server.dataDir}.* port ${server.port}`)),
    });
    expect(await ask(server, 'select 1 as n')).toEqual([{ n: 1 }]);
    await server.stop();
  });

  test('ends a server whose starter is dead, and takes its folder over', async () => {
    const dataDir = join(home, 'orphaned');
    const orphan = await start({ dataDir });
    await ask(orphan, 'create table left_behind as select 1 as n');
    await writeFile(join(orphan.dataDir, 'pollcast.owner'), '999999999');
    const server = await start({ dataDir });
    expect((await orphan.exited).expected).toBe(false);
    expect(await ask(server, 'select n from left_behind')).toEqual([{ n: 1 }]);
    await server.stop();
  });

  test('refuses data of another major version, naming both versions', async () => {
    const dataDir = join(home, 'older');
    const server = await start({ dataDir });
    await server.stop();
    await writeFile(join(server.dataDir, 'PG_VERSION'), '9\n');
    await expect(start({ dataDir })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/made by Postgres 9, and this one is \d+/),
    });
  });

  test('tells what the server said when it does not start', async () => {
    const started = start({ dataDir: join(home, 'wrong'), settings: { work_mem: 'plenty' } });
    await expect(started).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/invalid value for parameter "work_mem"[^]*DATABASE_URL/),
    });
  });
});

test('says which port is in use when it was given one', async () => {
  const holder = createServer();
  await new Promise<void>((listening) => holder.listen(0, '127.0.0.1', listening));
  const address = holder.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  await expect(start({ port })).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringContaining(`Port ${port}`),
  });
  await new Promise((closed) => holder.close(closed));
});

test('the data folder is closed to others', async () => {
  const server = await start({ dataDir: join(home, 'closed') });
  expect(statSync(server.dataDir).mode & 0o077).toBe(0);
  expect((await readFile(join(server.dataDir, 'pollcast.password'), 'utf8')).length).toBeGreaterThan(20);
  expect(statSync(join(server.dataDir, 'pollcast.password')).mode & 0o077).toBe(0);
  await server.stop();
});
