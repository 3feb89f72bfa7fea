import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, rename, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { PollcastError } from '../errors.js';
import { serverAccount, type Account } from './account.js';
import { postgresBinaries, type PostgresBinaries } from './binaries.js';
import * as data from './data-dir.js';
import { diskFull, ifNotDiskFull, requireSpace } from './disk.js';
import { spawnTied } from './tied-child.js';

const USER = 'pollcast';
const PORT_ATTEMPTS = 5;
const READY = 'database system is ready to accept connections';

export interface EmbeddedPostgresOptions {
  /**
   * Folder of the data; created at the first start, reused by later ones. Absent: a temporary folder that `stop`
   * removes and that a later start sweeps after a crash.
   */
  dataDir?: string;
  /** TCP port on 127.0.0.1. Absent: a free one. */
  port?: number;
  /** False trades the data's safety in a power cut for speed; right for tests and for demo data. Default: true. */
  fsync?: boolean;
  /** Server settings (`{ log_statement: 'all' }`), on top of the ones that are needed here. */
  settings?: Record<string, string>;
  /** Gets each line that the server writes to its log. */
  log?: (line: string) => void;
}

export interface EmbeddedPostgres {
  /** `postgres://…` of the superuser, with its password, to the database `postgres` */
  url: string;
  port: number;
  pid: number;
  /** where the data really lies: elsewhere than asked for when the server's account cannot get there */
  dataDir: string;
  /** resolves when the server has ended, asked for or not */
  exited: Promise<{ code: number | null; signal: NodeJS.Signals | null; expected: boolean }>;
  /** Ends the server (fast shutdown: open transactions are rolled back). Idempotent. */
  stop(): Promise<void>;
}

/**
 * Starts a real Postgres in a process of its own, reached over TCP like any other. It ends with this process, however
 * that ends. `pg_stat_statements` is loaded: `create extension pg_stat_statements` makes it visible.
 *
 * @throws PollcastError `UNAVAILABLE` with a sentence that says what to do: no package for this platform, disk full,
 *   data folder in use or made by another version, port taken
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions = {}): Promise<EmbeddedPostgres> {
  const account = serverAccount();
  const binaries = await postgresBinaries(account);
  const temporary = options.dataDir === undefined;
  const dataDir = temporary ? await data.temporaryDataDir() : await data.placeFor(options.dataDir ?? '', account);
  const removeIfTemporary = () => (temporary ? rm(dataDir, { recursive: true, force: true }) : Promise.resolve());
  try {
    await requireSpace(dirname(dataDir));
    await data.retireOrphan(dataDir);
    const password = await preparedData(dataDir, binaries, account, options.fsync ?? true);
    const server = await launchOnSomePort(dataDir, binaries, account, options);
    return {
      url: `postgres://${USER}:${password}@127.0.0.1:${server.port}/postgres`,
      port: server.port,
      pid: server.pid,
      dataDir,
      exited: server.exited,
      stop: once(async () => {
        await server.stop();
        await removeIfTemporary();
      }),
    };
  } catch (error) {
    await removeIfTemporary();
    throw ifNotDiskFull(error, dataDir);
  }
}

/** The folder initialised, and its password. */
async function preparedData(
  dataDir: string,
  binaries: PostgresBinaries,
  account: Account,
  fsync: boolean,
): Promise<string> {
  const versionFile = join(dataDir, 'PG_VERSION');
  if (!existsSync(versionFile)) await initialise(dataDir, binaries, account, fsync);
  const major = (await readFile(versionFile, 'utf8')).trim();
  if (major !== binaries.major) {
    throw new PollcastError(
      'UNAVAILABLE',
      `The data in ${dataDir} was made by Postgres ${major}, and this one is ${binaries.major}: ` +
        'move the folder away (a new one is made), or set DATABASE_URL to a Postgres that can read it.',
    );
  }
  await data.writeOwner(dataDir);
  return data.readPassword(dataDir);
}

/** Works beside the final place and renames at the end: a start that is killed half-way leaves no half a database. */
async function initialise(dataDir: string, { native }: PostgresBinaries, account: Account, fsync: boolean) {
  const draft = `${dataDir}.new`;
  const password = `${dataDir}.password-new`;
  await rm(draft, { recursive: true, force: true });
  await data.createFor(draft, account);
  try {
    await data.writePassword(password, account);
    const args = ['-D', draft, '-U', USER, '-E', 'UTF8', '--locale=C', '--auth=scram-sha-256', `--pwfile=${password}`];
    if (!fsync) args.push('--no-sync');
    const { code, output } = await run(join(native, 'bin', 'initdb'), args, account);
    if (code !== 0) throw startFailure('initdb', draft, output);
    await rename(password, data.passwordFile(draft));
    await rm(dataDir, { recursive: true, force: true });
    await rename(draft, dataDir);
  } finally {
    await rm(password, { force: true });
    await rm(draft, { recursive: true, force: true });
  }
}

interface Launched {
  port: number;
  pid: number;
  exited: EmbeddedPostgres['exited'];
  stop(): Promise<void>;
}

async function launchOnSomePort(
  dataDir: string,
  binaries: PostgresBinaries,
  account: Account,
  options: EmbeddedPostgresOptions,
): Promise<Launched> {
  // A free port is free only until somebody else takes it, so a lost race asks for the next one.
  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (await freePort());
    const launched = await launch(dataDir, port, binaries, account, options);
    if ('stop' in launched) return launched;
    const taken = launched.output.includes('Address already in use');
    if (taken && options.port !== undefined) {
      throw new PollcastError(
        'UNAVAILABLE',
        `Port ${port} on 127.0.0.1, wanted for the embedded Postgres, is in use: stop what uses it or name another.`,
      );
    }
    if (!taken || attempt === PORT_ATTEMPTS) throw startFailure('postgres', dataDir, launched.output);
  }
}

/** One attempt: the running server, or what it wrote before it ended. */
async function launch(
  dataDir: string,
  port: number,
  { native }: PostgresBinaries,
  account: Account,
  options: EmbeddedPostgresOptions,
): Promise<Launched | { output: string }> {
  const settings: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    shared_preload_libraries: 'pg_stat_statements',
    timezone: 'UTC',
    ...(options.fsync === false ? { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' } : {}),
    ...options.settings,
  };
  const args = ['-D', dataDir, '-p', String(port)];
  for (const [name, value] of Object.entries(settings)) args.push('-c', `${name}=${value}`);
  const child = spawnTied(join(native, 'bin', 'postgres'), args, {
    ...account,
    cwd: tmpdir(),
    env: serverEnv(),
    stdio: ['ignore', 'ignore', 'pipe'],
    deathSignal: 'INT',
  });

  let expected = false;
  const exited: EmbeddedPostgres['exited'] = new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal, expected }));
  });
  const output = await readyOrOutput(child, options.log);
  if (output !== undefined || child.pid === undefined) return { output: output ?? 'no process' };
  const stop = async () => {
    expected = true;
    await endGradually(child, exited);
  };
  return { port, pid: child.pid, exited, stop };
}

/** Undefined once the server accepts connections; its output when it ended before. */
function readyOrOutput(child: ChildProcess, log?: (line: string) => void): Promise<string | undefined> {
  return new Promise((resolve) => {
    const early: string[] = [];
    let ready = false;
    if (!child.stderr) throw new Error('the server has no stderr');
    const lines = createInterface({ input: child.stderr });
    lines.on('line', (line) => {
      log?.(line);
      if (!ready) early.push(line);
      if (line.includes(READY)) {
        ready = true;
        resolve(undefined);
      }
    });
    child.once('error', (error) => resolve(error.message));
    child.once('close', () => resolve(early.join('\n')));
  });
}

/** Fast shutdown, then immediate, then none at all: each only when the one before was not enough. */
async function endGradually(child: ChildProcess, exited: Promise<unknown>): Promise<void> {
  const ended = () => child.exitCode !== null || child.signalCode !== null;
  for (const [signal, patienceMs] of [
    ['SIGINT', 10_000],
    ['SIGQUIT', 5_000],
    ['SIGKILL', 5_000],
  ] as const) {
    if (ended()) return;
    child.kill(signal);
    await settledWithin(exited, patienceMs);
  }
  if (!ended()) throw new PollcastError('UNAVAILABLE', `Postgres (pid ${child.pid}) did not end, even after SIGKILL.`);
}

function settledWithin(promise: Promise<unknown>, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    void promise.finally(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function startFailure(program: string, dataDir: string, output: string): PollcastError {
  if (/no space left on device|disk quota exceeded/i.test(output)) return diskFull(dataDir, new Error(output));
  const tail = output.trim().split('\n').slice(-5).join('\n');
  return new PollcastError(
    'UNAVAILABLE',
    `The embedded Postgres did not start in ${dataDir}; ${program} said:\n${tail}\n` +
      'Repair that, or set DATABASE_URL to a Postgres of your own.',
  );
}

function run(file: string, args: string[], account: Account): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(file, args, { ...account, cwd: tmpdir(), env: serverEnv(), stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const collect = (chunk: Buffer) => (output += chunk.toString());
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.once('error', (error) => resolve({ code: null, output: error.message }));
    child.once('close', (code) => resolve({ code, output }));
  });
}

/** The caller's environment (it may carry what the loader needs), in English and without settings meant for clients. */
function serverEnv(): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('PG'));
  return { ...Object.fromEntries(inherited), LC_ALL: 'C', TZ: 'UTC' };
}

/** A port on 127.0.0.1 that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      const port = typeof address === 'object' && address ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}

function once(action: () => Promise<void>): () => Promise<void> {
  let result: Promise<void> | undefined;
  return () => (result ??= action());
}
