import { randomBytes, createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { chown, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { PollcastError } from '../errors.js';
import { traversableBy, type Account } from './account.js';

const TEMPORARY = /^pollcast-pg-(\d+)-/;

/** A data folder that belongs to this start alone: `stop` removes it, and a later start sweeps it after a crash. */
export async function temporaryDataDir(): Promise<string> {
  await sweepTemporary();
  return mkdtemp(join(tmpdir(), `pollcast-pg-${process.pid}-`));
}

/** Removes the temporary folders of starts whose process and server are both gone. */
export async function sweepTemporary(): Promise<string[]> {
  const swept: string[] = [];
  for (const name of await readdir(tmpdir())) {
    const maker = Number(TEMPORARY.exec(name)?.[1] ?? NaN);
    if (Number.isNaN(maker) || isAlive(maker)) continue;
    const folder = join(tmpdir(), name);
    if (runningServer(folder)) continue;
    // Two sweeps may meet in one folder, and another user's leftovers are not ours to remove.
    const gone = await rm(folder, { recursive: true, force: true }).then(
      () => true,
      () => false,
    );
    if (gone) swept.push(folder);
  }
  return swept;
}

/**
 * The folder that is really used for `wanted`: itself, or, where the server's account cannot get there (root below a
 * folder with mode 0700), one in the temporary folder whose name follows from it, so that a second start finds it again.
 */
export async function placeFor(wanted: string, account: Account): Promise<string> {
  const folder = resolve(wanted);
  const parent = dirname(folder);
  await mkdir(parent, { recursive: true });
  if (traversableBy(account, parent)) return folder;
  const id = createHash('sha256').update(folder).digest('hex').slice(0, 12);
  return join(tmpdir(), `pollcast-data-${basename(folder)}-${id}`);
}

/** Creates `folder` for the server's account: mode 0700, which Postgres insists on. */
export async function createFor(folder: string, account: Account): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (account.uid !== undefined && account.gid !== undefined) await chown(folder, account.uid, account.gid);
}

/** The superuser's password, kept beside the data that it opens. */
export async function readPassword(dataDir: string): Promise<string> {
  return (await readFile(passwordFile(dataDir), 'utf8')).trim();
}

export function passwordFile(dataDir: string): string {
  return join(dataDir, 'pollcast.password');
}

/** A new password in a file that only the server's account (and root) may read. */
export async function writePassword(file: string, account: Account): Promise<void> {
  await writeFile(file, `${randomBytes(18).toString('hex')}\n`, { mode: 0o600 });
  if (account.uid !== undefined && account.gid !== undefined) await chown(file, account.uid, account.gid);
}

export async function writeOwner(dataDir: string): Promise<void> {
  await writeFile(join(dataDir, 'pollcast.owner'), `${process.pid}\n`);
}

/** What a live server in `dataDir` says of itself. */
export interface RunningServer {
  pid: number;
  port: number;
  /** the process that started it, if that still lives */
  owner?: number;
}

/**
 * The server that runs in `dataDir` now. The pid file alone proves nothing (pids are reused, in containers at once):
 * the process must also be a postgres that was started with this folder.
 */
export function runningServer(dataDir: string): RunningServer | undefined {
  const file = join(dataDir, 'postmaster.pid');
  if (!existsSync(file)) return undefined;
  const [pidText, , , portText] = tryRead(file).split('\n');
  const pid = Number(pidText);
  if (!isAlive(pid) || !isPostgresOf(pid, dataDir)) return undefined;
  const owner = Number(tryRead(join(dataDir, 'pollcast.owner')));
  return { pid, port: Number(portText), ...(isOwnedBy(pid, owner) ? { owner } : {}) };
}

/** An orphan gets another parent, so asking for the parent also sees through a reused pid. */
function isOwnedBy(pid: number, owner: number): boolean {
  const parent = /^PPid:\s*(\d+)$/m.exec(tryRead(`/proc/${pid}/status`))?.[1];
  return parent === undefined ? isAlive(owner) : Number(parent) === owner;
}

/**
 * Makes sure that nothing runs in `dataDir`. A server whose starter is dead (it got SIGKILL a moment ago, or nothing
 * tied the two together) is asked to end and waited for.
 *
 * @throws PollcastError `UNAVAILABLE` when a live process uses the folder
 */
export async function retireOrphan(dataDir: string, patienceMs = 15_000): Promise<void> {
  const until = Date.now() + patienceMs;
  for (let asked = false; ;) {
    const server = runningServer(dataDir);
    if (!server) return;
    if (server.owner !== undefined) {
      throw new PollcastError(
        'UNAVAILABLE',
        `Process ${server.owner} already runs the embedded Postgres of ${dataDir} on port ${server.port}: ` +
          'stop it first, or give this node a DATABASE_URL of its own.',
      );
    }
    if (Date.now() > until) {
      throw new PollcastError(
        'UNAVAILABLE',
        `An orphaned Postgres (pid ${server.pid}) in ${dataDir} did not end within ${patienceMs / 1000} s: stop it by hand.`,
      );
    }
    if (!asked) signal(server.pid, 'SIGINT');
    asked = true;
    await new Promise((wake) => setTimeout(wake, 50));
  }
}

export function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives, under another account.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

function isPostgresOf(pid: number, dataDir: string): boolean {
  const command = tryRead(`/proc/${pid}/cmdline`).split('\0');
  // Without /proc (macOS) the pid file has to do.
  if (command[0] === '') return process.platform !== 'linux';
  return basename(command[0] ?? '').startsWith('postgres') && command.includes(dataDir);
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It ended between the look and the signal: what was wanted.
  }
}

function tryRead(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
