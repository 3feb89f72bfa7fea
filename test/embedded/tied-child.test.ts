import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { transformFile } from '@swc/core';
import { eventually } from '../support/eventually.js';
import { projectRoot } from '../support/project.js';
import { startProcess, untilLine } from '../support/service-process.js';

/** The sources as plain JavaScript, for processes that jest does not run. */
let built: string;

beforeAll(async () => {
  built = await mkdtemp(join(tmpdir(), 'pollcast-built-'));
  await mkdir(join(built, 'embedded'));
  await symlink(join(projectRoot, 'node_modules'), join(built, 'node_modules'));
  await writeFile(join(built, 'package.json'), '{"type":"module"}');
  const folder = join(projectRoot, 'src', 'embedded');
  const sources = readdirSync(folder).map((name) => join('embedded', name));
  for (const source of ['errors.ts', ...sources]) {
    const options = { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'es6' } } as const;
    const { code } = await transformFile(join(projectRoot, 'src', source), options);
    await writeFile(join(built, source.replace(/\.ts$/, '.js')), code);
  }
  await writeFile(
    join(built, 'postgres.js'),
    `import { startEmbeddedPostgres } from './embedded/postgres.js';
     const server = await startEmbeddedPostgres({ fsync: false });
     console.log(JSON.stringify({ pid: server.pid, dataDir: server.dataDir }));
     setInterval(() => undefined, 1000);`,
  );
  await writeFile(
    join(built, 'sleeper.js'),
    `import { spawnTied } from './embedded/tied-child.js';
     if (process.env.ONLY_PATH) process.env.PATH = process.env.ONLY_PATH;
     const child = spawnTied('sleep', ['1000'], { stdio: 'ignore', deathSignal: 'KILL' });
     console.log(JSON.stringify({ pid: child.pid }));
     setInterval(() => undefined, 1000);`,
  );
});
afterAll(() => rm(built, { recursive: true, force: true }));

async function startScript(name: string, env: NodeJS.ProcessEnv = process.env) {
  const script = startProcess({ file: process.execPath, args: [join(built, name)], env });
  return { script, told: JSON.parse(await untilLine(script, /^\{/)) as { pid: number; dataDir: string } };
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // One that has ended stays in the table until its new parent has noticed.
    return !existsSync('/proc') || !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

test('Postgres ends when its starter gets SIGKILL, and the next start sweeps its folder', async () => {
  const { script, told } = await startScript('postgres.js');
  expect(isRunning(told.pid)).toBe(true);
  await script.kill('SIGKILL');
  await eventually(() => !isRunning(told.pid), { what: 'the server to end' });
  expect(existsSync(told.dataDir)).toBe(true);
  const second = await startScript('postgres.js');
  expect(existsSync(told.dataDir)).toBe(false);
  await second.script.kill('SIGKILL');
  await eventually(() => !isRunning(second.told.pid), { what: 'the second server to end' });
  await rm(second.told.dataDir, { recursive: true });
});

test('a child ends with its parent also where setpriv is missing', async () => {
  const bin = join(built, 'bin');
  await mkdir(bin);
  for (const tool of ['sh', 'sleep']) await symlink(which(tool), join(bin, basename(tool)));
  const { script, told } = await startScript('sleeper.js', { ...process.env, ONLY_PATH: bin });
  expect(isRunning(told.pid)).toBe(true);
  await script.kill('SIGKILL');
  await eventually(() => !isRunning(told.pid), { what: 'the child to end' });
});

function which(tool: string): string {
  const folder = (process.env.PATH ?? '').split(':').find((candidate) => existsSync(join(candidate, tool)));
  if (!folder) throw new Error(`${tool} is not on PATH`);
  return join(folder, tool);
}
