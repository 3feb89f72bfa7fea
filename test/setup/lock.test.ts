import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { withLock } from '../../scripts/lock.mjs';
import { projectRoot } from '../support/project.js';
import { startProcess, untilLine } from '../support/service-process.js';

let home: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'pollcast-lock-'));
});
afterAll(() => rm(home, { recursive: true, force: true }));

/** Another process that takes the lock, says so, and keeps it until it is told to end. */
function startKeeper(file: string) {
  const script = `import { withLock } from ${JSON.stringify(join(projectRoot, 'scripts', 'lock.mjs'))};
    await withLock(${JSON.stringify(file)}, () => new Promise((done) => {
      console.log('kept');
      const awake = setInterval(() => undefined, 1000);
      process.on('SIGTERM', () => { clearInterval(awake); done(); });
    }));
    process.exitCode = 0;`;
  return startProcess({ file: process.execPath, args: ['--input-type=module', '-e', script] });
}

test('waits for a living keeper, says for whom, and runs after it', async () => {
  const file = join(home, 'living');
  const keeper = startKeeper(file);
  await untilLine(keeper, /kept/);
  let ran = false;
  let waitsFor = 0;
  await withLock(
    file,
    () => (ran = true),
    (pid) => {
      waitsFor = pid;
      expect(ran).toBe(false);
      void keeper.kill('SIGTERM');
    },
  );
  expect({ ran, waitsFor }).toEqual({ ran: true, waitsFor: keeper.pid });
  await keeper.exited;
  expect(existsSync(file)).toBe(false);
});

test('takes over from a keeper that was killed', async () => {
  const file = join(home, 'killed');
  const keeper = startKeeper(file);
  await untilLine(keeper, /kept/);
  await keeper.kill('SIGKILL');
  expect(existsSync(file)).toBe(true);
  expect(await withLock(file, () => 'mine')).toBe('mine');
});

test('lets go when the work fails', async () => {
  const file = join(home, 'failing');
  await expect(withLock(file, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  expect(existsSync(file)).toBe(false);
});

test('ignores a lock of its own pid from an earlier life', async () => {
  const file = join(home, 'reused');
  await writeFile(file, String(process.pid));
  expect(await withLock(file, () => 'mine')).toBe('mine');
});
