import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Runs `action` while no other process runs one under the same lock file. The file holds the keeper's pid, so a lock
 * whose keeper was killed is simply taken over.
 *
 * @template T
 * @param {string} file
 * @param {() => Promise<T> | T} action
 * @param {(pid: number) => void} [onWait] told once, when somebody else is at it
 * @returns {Promise<T>}
 */
export async function withLock(file, action, onWait) {
  mkdirSync(dirname(file), { recursive: true });
  for (let told = false; ;) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const keeper = readKeeper(file);
    if (keeper !== undefined && !isAlive(keeper)) {
      rmSync(file, { force: true });
      continue;
    }
    if (!told && keeper !== undefined) onWait?.(keeper);
    told = true;
    await new Promise((wake) => setTimeout(wake, 100));
  }
  const release = () => rmSync(file, { force: true });
  process.once('exit', release);
  try {
    return await action();
  } finally {
    process.off('exit', release);
    release();
  }
}

/** Undefined while the file is gone or not written yet. */
function readKeeper(file) {
  try {
    const pid = Number(readFileSync(file, 'utf8'));
    return pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

function isAlive(pid) {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
