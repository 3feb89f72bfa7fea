import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { freePort } from '../../src/embedded/postgres.js';
import { launchBrowser } from '../support/browser.js';
import { INSTALL_MS, StrangersFolder } from '../support/packed.js';
import { startPostgres, type TestDatabase, type TestPostgres } from '../support/postgres.js';
import { projectRoot } from '../support/project.js';
import { startRedis, type TestRedis } from '../support/redis.js';
import { startProcess, untilLine, type ServiceProcess } from '../support/service-process.js';

/** A program on a busy machine. */
const PATIENCE_MS = 120_000;

let folder: StrangersFolder;
let postgres: TestPostgres;
let redis: TestRedis;
let database: TestDatabase;
let browser: Browser;
const programs: ServiceProcess[] = [];

beforeAll(async () => {
  [postgres, redis, folder] = await Promise.all([
    startPostgres(),
    startRedis(),
    StrangersFolder.make(undefined, ['react', 'react-dom', '@types/react', '@types/react-dom']),
  ]);
  [database, browser] = await Promise.all([postgres.createDatabase(), launchBrowser()]);
}, INSTALL_MS);
afterAll(async () => {
  await browser?.close();
  for (const program of programs) await program.kill('SIGKILL');
  await Promise.all([postgres?.stop(), redis?.stop(), folder?.remove()]);
}, 60_000);

function run(file: string, args: readonly string[], env: Record<string, string> = {}): ServiceProcess {
  const program = startProcess({
    file: process.execPath,
    args: [file, ...args],
    cwd: folder.path,
    env: folder.env(env),
  });
  programs.push(program);
  return program;
}

/** The program that the package brings, as npm has linked it. */
const pollcast = (args: readonly string[], env: Record<string, string> = {}): ServiceProcess =>
  run(join(folder.path, 'node_modules', '.bin', 'pollcast'), args, env);

async function done(program: ServiceProcess): Promise<string> {
  const { code } = await program.exited;
  const text = program.lines.join('\n');
  expect({ code, text: code === 0 ? '' : text }).toEqual({ code: 0, text: '' });
  return text;
}

const write = async (path: string, text: string): Promise<void> => {
  await mkdir(join(folder.path, path, '..'), { recursive: true });
  await writeFile(join(folder.path, path), text);
};

/** A table of one's own, and a topic over it. */
const TABLE = `
CREATE TABLE parcels (id int PRIMARY KEY, depot text NOT NULL, weight float8);
INSERT INTO parcels VALUES (1, 'north', 2.5), (2, 'north', 1), (3, 'south', 4);
GRANT SELECT ON parcels TO reader;
`;
const TOPIC = `/*
title: Parcels by depot
interval: 200ms
params:
  heavier: { type: float, default: 0 }
key: [depot]
*/
SELECT depot, count(*)::int AS parcels, sum(weight) AS weight
FROM parcels
WHERE weight > :heavier
GROUP BY depot
ORDER BY depot
`;

/** The component: typed by what \`pollcast types\` wrote, so that a wrong name does not compile. */
const COMPONENT = `import { createHub } from 'pollcast/client';
import { HubProvider, useTopic } from 'pollcast/react';
import { createRoot } from 'react-dom/client';

function Depots() {
  const { rows, state, error } = useTopic('parcels.by_depot', { heavier: 1 });
  if (error) return <p role="alert">{error.message}</p>;
  return (
    <ul data-state={state}>
      {rows?.map(({ depot, parcels, weight }) => (
        <li key={depot}>{[depot, parcels.toFixed(0), weight?.toFixed(1)].join(' ')}</li>
      ))}
    </ul>
  );
}

export function Wrong() {
  // @ts-expect-error heavier is a number
  useTopic('parcels.by_depot', { heavier: 'very' });
  // @ts-expect-error there is no such column
  return <p>{useTopic('parcels.by_depot').rows?.map(({ colour }) => colour)}</p>;
}

const hub = createHub(new URLSearchParams(location.search).get('hub')!);
createRoot(document.getElementById('root')!).render(
  <HubProvider hub={hub}>
    <Depots />
  </HubProvider>,
);
`;
const TSCONFIG = {
  compilerOptions: {
    ...{ module: 'esnext', moduleResolution: 'bundler', target: 'es2022', lib: ['es2023', 'dom', 'dom.iterable'] },
    ...{ jsx: 'react-jsx', strict: true, noEmit: true, types: [] },
  },
  include: ['app'],
};

/** `pollcast start` in the folder: its address, once it listens. */
async function startNode(name: string): Promise<string> {
  const node = pollcast(['start'], { NODE_NAME: name, PORT: '0', LOG_FORMAT: 'json' });
  return /http:\/\/[^" ]+/.exec(await untilLine(node, /Pollcast is at/, PATIENCE_MS))![0];
}

/** The own page's server, at an origin that is not the hub's. */
async function servePage(port: number): Promise<string> {
  const vite = join(projectRoot, 'node_modules', 'vite', 'bin', 'vite.js');
  await done(run(vite, ['build', 'app', '--logLevel', 'error']));
  const address = ['--port', String(port), '--strictPort', '--host', '127.0.0.1'];
  await untilLine(run(vite, ['preview', 'app', ...address], { NO_COLOR: '1' }), /http:\/\/127\.0\.0\.1/, PATIENCE_MS);
  return `http://127.0.0.1:${port}`;
}

async function open(url: string): Promise<{ page: Page; errors: string[] }> {
  const page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  await page.goto(url);
  return { page, errors };
}

test(
  "the stranger's path: a folder, an own topic over an own Postgres, a typed component, three nodes, the console",
  async () => {
    const { stdout } = await folder.npm(['exec', '--no', '--', 'pollcast', 'init']);
    expect(stdout).toContain('npx pollcast start');

    await postgres.query(await readFile(join(folder.path, 'schema.sql'), 'utf8'), [], database.name);
    await postgres.query(TABLE, [], database.name);
    const reader = Object.assign(new URL(database.url), { username: 'reader', password: 'reader' });
    const port = await freePort();
    const settings = (await readFile(join(folder.path, '.env'), 'utf8'))
      .replace(/^DATABASE_URL=.*$/m, `DATABASE_URL=${reader.href}`)
      .replace(/^REDIS_URL=.*$/m, `REDIS_URL=${redis.url}`);
    await write('.env', `${settings}\nCORS_ORIGIN=http://127.0.0.1:${port}\n`);
    await write('topics/parcels/by_depot.sql', TOPIC);
    expect(await done(pollcast(['topics', 'check']))).toBe('Errors: 0. Warnings: 0.');

    expect(await done(pollcast(['types', '--out', 'app/pollcast.d.ts']))).toBe('Wrote app/pollcast.d.ts.');
    await write('app/main.tsx', COMPONENT);
    await write('app/index.html', '<div id="root"></div><script type="module" src="/main.tsx"></script>');
    await write('tsconfig.json', JSON.stringify(TSCONFIG));
    await done(run(join(projectRoot, 'node_modules', 'typescript', 'bin', 'tsc'), ['-p', '.']));

    const names = ['a', 'b', 'c'];
    const nodes = await Promise.all(names.map(startNode));
    for (const path of ['', 'rooms', 'rows', 'recordings', 'console', 'reference', 'docs/']) {
      const response = await fetch(`${nodes[0]}/${path}`);
      const html = /^<!doctype html>/i.test(await response.text());
      expect({ path, status: response.status, html }).toEqual({ path, status: 200, html: true });
    }

    const own = await open(`${await servePage(port)}/?hub=${nodes[1]}`);
    await own.page.locator('ul[data-state=live] li').nth(1).waitFor();
    expect(await own.page.locator('li').allTextContents()).toEqual(['north 1 2.5', 'south 1 4.0']);
    await postgres.query("INSERT INTO parcels VALUES (4, 'south', 6)", [], database.name);
    await own.page.getByText('south 2 10.0').waitFor();

    const listed = JSON.parse(await done(pollcast(['nodes', '--json']))) as { name: string; state: string }[];
    expect(listed.map(({ name, state }) => `${name} ${state}`).sort()).toEqual(names.map((name) => `${name} live`));

    const ops = await open(`${nodes[2]}/console`);
    for (const name of names) await ops.page.locator('.node-card', { hasText: name }).first().waitFor();
    await ops.page.locator('#processes tbody tr', { hasText: 'poller:parcels.by_depot' }).waitFor();
    expect([...own.errors, ...ops.errors]).toEqual([]);

    await Promise.all([own.page.close(), ops.page.close()]);
    const started = programs.filter((program) => program.lines.some((line) => line.includes('Pollcast is at')));
    expect(started).toHaveLength(3);
    await Promise.all(started.map((node) => node.kill('SIGTERM')));
    expect(await Promise.all(started.map((node) => node.exited))).toEqual(names.map(() => ({ code: 0, signal: null })));
  },
  5 * PATIENCE_MS,
);

test(
  'who asks for DuckDB without its package is told how to get it',
  async () => {
    for (const [args, code] of [[['start'], 1] as const, [['topics', 'check'], 2] as const]) {
      const program = pollcast(args, { DATABASE_URL: `duckdb:${folder.path}`, REDIS_URL: '', PORT: '0' });
      expect((await program.exited).code).toBe(code);
      expect(program.lines.at(-1)).toMatch(/needs the package @duckdb\/node-api.*run `npm install @duckdb\/node-api`/);
    }
  },
  PATIENCE_MS,
);
