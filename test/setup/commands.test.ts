import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { copyFile, cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { projectRoot } from '../support/project.js';
import { startProcess, untilLine } from '../support/service-process.js';

/** A small project with the real scripts: what `npm start` and `npm test` do around the hub, without the hub. */
const PROJECT: Record<string, string> = {
  'src/main.ts': `import { readFileSync } from 'node:fs';
    const sql: string = readFileSync(new URL('./queries/one.sql', import.meta.url), 'utf8');
    console.log('up', sql.trim(), process.argv.slice(2).join());
    const awake = setInterval(() => undefined, 1000);
    process.on('SIGTERM', () => { clearInterval(awake); process.exitCode = 7; });`,
  'src/queries/one.sql': 'select 1\n',
  'jest.config.mjs': `export default { testEnvironment: 'node', testMatch: ['**/*.check.mjs'], moduleFileExtensions: ['mjs', 'js'] };`,
  'test/good.check.mjs': `test('passes', () => {}); test('passes too', () => {});`,
  'test/bad.check.mjs': `test('fails', () => { throw new Error('on purpose'); }); test('passes', () => {});`,
  'test/todo.check.mjs': `test('passes', () => {}); test.todo('later');`,
  'test/broken.check.mjs': `throw new Error('does not load');`,
};

let home: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'pollcast-project-'));
  await installByLinks();
  await cp(join(projectRoot, 'scripts'), join(home, 'scripts'), { recursive: true });
  for (const name of ['tsconfig.json', 'tsconfig.build.json'])
    await copyFile(join(projectRoot, name), join(home, name));
  for (const [name, text] of Object.entries(PROJECT)) await write(name, text);
});
afterAll(() => rm(home, { recursive: true, force: true }));

/**
 * A node_modules of its own, whose packages are links. Never one link to the real folder: an install that is started
 * here by mistake would empty that.
 */
async function installByLinks(): Promise<void> {
  await write('package.json', '{ "type": "module" }');
  await write('package-lock.json', '{ "lockfileVersion": 3, "packages": { "": {} } }');
  await write('node_modules/.package-lock.json', '{ "packages": {} }');
  for (const name of readdirSync(join(projectRoot, 'node_modules')).filter((entry) => !entry.startsWith('.'))) {
    await symlink(join(projectRoot, 'node_modules', name), join(home, 'node_modules', name));
  }
}

async function write(name: string, text: string): Promise<void> {
  await mkdir(dirname(join(home, name)), { recursive: true });
  await writeFile(join(home, name), text);
}

function hub(args: string[], nodeArgs: string[] = []) {
  const file = process.execPath;
  return startProcess({ file, args: [...nodeArgs, join(home, 'scripts', 'hub.mjs'), ...args], cwd: home });
}

async function run(args: string[], nodeArgs?: string[]) {
  const { exited, lines } = hub(args, nodeArgs);
  const { code } = await exited;
  return { code, lines: lines.filter((line) => line !== ''), last: lines.filter(Boolean).at(-1) };
}

test('an old Node is refused in one sentence', async () => {
  const old = `Object.defineProperty(process, 'versions', { value: { node: '18.19.0' } })`;
  const { code, lines } = await run(['start'], ['--import', `data:text/javascript,${encodeURIComponent(old)}`]);
  expect(code).toBe(1);
  expect(lines).toEqual([expect.stringMatching(/needs Node 20\.11 or newer; this is v/)]);
});

test('an unknown command is answered with the ones there are', async () => {
  const { code, lines } = await run(['sing']);
  expect(code).toBe(1);
  expect(lines).toEqual([expect.stringMatching(/hub\.mjs start.*hub\.mjs test/)]);
});

test('a registry that does not answer is told as such, and the next attempt installs again', async () => {
  const bare = await mkdtemp(join(tmpdir(), 'pollcast-bare-'));
  await cp(join(projectRoot, 'scripts'), join(bare, 'scripts'), { recursive: true });
  const dependencies = { 'left-out': '1.0.0' };
  await writeFile(join(bare, 'package.json'), JSON.stringify({ type: 'module', dependencies }));
  const packages = { '': { dependencies }, 'node_modules/left-out': { version: '1.0.0' } };
  await writeFile(join(bare, 'package-lock.json'), JSON.stringify({ lockfileVersion: 3, packages }));
  const env = {
    ...process.env,
    npm_config_registry: 'http://127.0.0.1:9/',
    npm_config_fetch_retries: '0',
    npm_config_cache: join(bare, 'cache'),
  };
  for (let attempt = 1; attempt <= 2; attempt++) {
    const start = startProcess({ file: process.execPath, args: ['scripts/hub.mjs', 'start'], cwd: bare, env });
    expect(await start.exited).toEqual({ code: 1, signal: null });
    expect(start.lines.join('\n')).toMatch(/Installing[^]*The npm registry cannot be reached/);
  }
  await rm(bare, { recursive: true });
}, 60_000);

describe('start', () => {
  test('builds with assets, runs, passes arguments and SIGTERM on, and ends with the exit code of the hub', async () => {
    const started = hub(['start', '--flag']);
    expect(await untilLine(started, /^up/, 60_000)).toBe('up select 1 --flag');
    await started.kill('SIGTERM');
    expect(await started.exited).toEqual({ code: 7, signal: null });
  }, 60_000);

  test('does not build again while no source has changed, and does when one has', async () => {
    const stamp = () => readFileSync(join(home, 'dist', '.pollcast-build'), 'utf8');
    const before = stamp();
    const again = hub(['start']);
    await untilLine(again, /^up/, 60_000);
    await again.kill('SIGTERM');
    expect(again.lines.join()).not.toContain('Building');
    await write('src/queries/one.sql', 'select 2\n');
    const changed = hub(['start']);
    expect(await untilLine(changed, /^up/, 60_000)).toContain('select 2');
    await changed.kill('SIGTERM');
    expect(stamp()).not.toBe(before);
  }, 60_000);

  test('a source that does not compile is told with file and line, and the last good build stays', async () => {
    await write('src/wrong.ts', `export const n: number = 'text';\n`);
    const { code, lines } = await run(['start']);
    expect(code).toBe(1);
    expect(lines.join('\n')).toMatch(/src\/wrong\.ts\(1,14\): error TS2322/);
    expect(existsSync(join(home, 'dist', 'main.js'))).toBe(true);
    await rm(join(home, 'src', 'wrong.ts'));
  }, 60_000);
});

describe('test', () => {
  test.each([
    ['good', 0, '2 passed, 0 failed'],
    ['bad', 1, '1 passed, 1 failed'],
    ['todo', 0, '1 passed, 0 failed, 1 skipped'],
    ['broken', 1, '0 passed, 1 failed'],
    ['nowhere', 1, '0 passed, 0 failed'],
  ])(
    'ends with an honest line and exit code: %s',
    async (name, expected, line) => {
      const { code, last } = await run(['test', `test/${name}.check`]);
      expect({ code, last }).toEqual({ code: expected, last: line });
    },
    60_000,
  );
});
