import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { freePort } from '../../../src/embedded/postgres.js';
import { eventually } from '../../support/eventually.js';
import { startPostgres } from '../../support/postgres.js';
import { projectRoot } from '../../support/project.js';
import { startRedis } from '../../support/redis.js';
import { startProcess } from '../../support/service-process.js';
import { cli } from './run.js';

const FILES = ['.env', '.gitignore', 'compose.yaml', 'schema.sql', 'topics'];

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'pollcast-init-'));
});
afterEach(() => rm(home, { recursive: true, force: true }));

const text = (...path: string[]) => readFile(join(home, ...path), 'utf8');

test('makes a folder, and says what is in it and what to do next', async () => {
  const folder = join(home, 'a', 'hub');
  const { code, out, error } = await cli(['init', folder]);
  expect({ code, error }).toEqual({ code: 0, error: '' });
  expect((await readdir(folder)).sort()).toEqual(FILES);
  for (const said of [`cd ${folder}`, 'docker compose up --wait', 'pollcast topics check', 'pollcast start'])
    expect(out).toContain(said);
});

test('overwrites nothing: one file that is there keeps all of them from being written', async () => {
  await writeFile(join(home, '.env'), 'MINE=1\n');
  const { code, out, error } = await cli(['init', home]);
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(error).toMatch(/^nothing was written, for .* has \.env already: move it away, or name a new folder/);
  expect(await readdir(home)).toEqual(['.env']);
  expect(await text('.env')).toBe('MINE=1\n');
});

test('a second run in the same folder is refused, and one beside files of others is not', async () => {
  await writeFile(join(home, 'package.json'), '{}');
  expect((await cli(['init', home])).code).toBe(0);
  expect(await cli(['init', home])).toMatchObject({
    code: 2,
    error: expect.stringContaining('topics, schema.sql, compose.yaml, .env, .gitignore already'),
  });
});

test('a place that cannot be a folder is told with what to do', async () => {
  await writeFile(join(home, 'file'), '');
  expect(await cli(['init', join(home, 'file')])).toMatchObject({
    code: 2,
    error: expect.stringMatching(/is no folder.*Name another folder/),
  });
  expect((await cli(['init', join(home, 'file', 'deeper')])).code).toBe(2);
  const locked = join(home, 'locked');
  await mkdir(locked);
  await chmod(locked, 0o500);
  // Root may write anywhere.
  expect((await cli(['init', join(locked, 'hub')])).code).toBe(process.getuid?.() === 0 ? 0 : 2);
});

test('its compose file has what its .env names, reachable from this machine only', async () => {
  await cli(['init', home]);
  const { services } = parse(await text('compose.yaml')) as {
    services: Record<string, { ports: string[]; healthcheck: unknown; volumes?: string[] }>;
  };
  expect(Object.keys(services)).toEqual(['postgres', 'redis']);
  for (const { ports, healthcheck } of Object.values(services)) {
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/);
    expect(healthcheck).toBeDefined();
  }
  expect(services.postgres?.volumes).toContain('./schema.sql:/docker-entrypoint-initdb.d/schema.sql:ro');
  const env = await text('.env');
  expect(env).toContain('@127.0.0.1:5432/');
  expect(env).toContain('redis://127.0.0.1:6379');
  expect(await text('.gitignore')).toMatch(/^\.env$/m);
});

test('its topic runs on a real node, with its schema in a real Postgres, from its .env', async () => {
  await cli(['init', home]);
  const [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
  try {
    const { name, url } = await postgres.createDatabase();
    await postgres.query(await text('schema.sql'), [], name);
    const database = new URL(url);
    database.username = 'reader';
    database.password = 'reader';
    const port = String(await freePort());
    const written = (await text('.env'))
      .replace(/^DATABASE_URL=.*$/m, `DATABASE_URL=${database.href}`)
      .replace(/^REDIS_URL=.*$/m, `REDIS_URL=${redis.url}`)
      .replace(/^PORT=.*$/m, `PORT=${port}`);
    await writeFile(join(home, '.env'), written);

    const command = (...args: string[]) =>
      startProcess({
        file: process.execPath,
        args: [join(projectRoot, 'dist', 'cli.js'), ...args],
        cwd: home,
        env: { PATH: process.env.PATH, HOME: process.env.HOME },
      });
    const check = command('topics', 'check');
    expect((await check.exited).code).toBe(0);
    expect(check.lines.filter(Boolean)).toEqual(['Errors: 0. Warnings: 0.']);

    const node = command('start');
    const answer = await eventually(
      async () => {
        if (!node.alive()) throw new Error(node.lines.join('\n'));
        const response = await fetch(`http://127.0.0.1:${port}/api/topics/orders.by_region?minutes=1440`);
        return response.ok ? ((await response.json()) as { rows: { region: string; orders: number }[] }) : null;
      },
      { what: 'the topic', deadlineMs: 60_000 },
    );
    expect(answer.rows.map(({ region }) => region)).toEqual(['APAC', 'EU', 'US']);
    expect(answer.rows.reduce((sum, { orders }) => sum + orders, 0)).toBe(200);
    await node.kill('SIGTERM');
    expect((await node.exited).code).toBe(0);
  } finally {
    await Promise.all([postgres.stop(), redis.stop()]);
  }
}, 120_000);
