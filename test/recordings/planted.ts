import { execFile, spawn } from 'node:child_process';
import { mkdir, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { formatMark, MARK_VARIABLE, type Mark } from '../../src/recordings/mark.js';
import { files } from '../../src/recordings/recording.js';
import { MARK_FILE, STUDIOS_FOLDER } from '../../src/recordings/studio.js';
import { eventually } from '../support/eventually.js';
import type { TestCluster } from '../support/cluster.js';
import { projectRoot } from '../support/project.js';

/** Has ended long ago: whatever carries this pid now began later. */
const DEAD = { node: 'dead', pid: 1, began: '0' };

export interface Planted {
  readonly names: { kind: string; name: string }[];
  /** Resolves when nothing of it is there any more. */
  gone(): Promise<void>;
  /** What is spared is ours all the same. */
  remove(): Promise<void>;
}

/**
 * A process, a folder and (with a storage) segments of recordings whose hub is gone; and one of each that must be let be, for they
 * carry another cluster's mark, or were written just now.
 */
export async function plantLeftovers(cluster: string, storage: string | null): Promise<Planted> {
  const id = 'a1b2c3d4e5f60718';
  const other = 'ffffffffffffffff';
  const running = [program({ ...DEAD, cluster, id }), program({ ...DEAD, cluster: 'another', id })] as const;
  await studio(`${id}-planted`, { ...DEAD, cluster, id });
  await studio(`${other}-planted`, { ...DEAD, cluster: 'another', id: other });
  if (storage !== null) {
    await segment(storage, id, Date.now() - 24 * 3_600_000);
    await segment(storage, other, Date.now());
  }
  const [doomed, spared] = running;
  return {
    names: [
      { kind: 'orphan-browser', name: `process ${doomed.pid} of recording ${id}` },
      { kind: 'orphan-browser', name: `folder ${id}-planted of recording ${id}` },
      { kind: 'orphan-file', name: `segments of recording ${id}` },
    ],
    async gone() {
      await eventually(() => doomed.signalCode === 'SIGKILL', { what: 'the planted process to be ended' });
      if (spared.exitCode !== null || spared.signalCode !== null) throw new Error('a foreign process was ended');
      await eventually(
        async () => {
          const folders = (await readdir(STUDIOS_FOLDER)).filter((name) => name.endsWith('-planted'));
          if (folders.join() !== `${other}-planted`) throw new Error(`of folders ${folders.join()} are left`);
          const stored = storage === null ? [other] : await readdir(join(storage, files.root));
          if (stored.includes(id) || !stored.includes(other)) throw new Error(`in the storage are ${stored.join()}`);
          return true;
        },
        { what: 'what was planted to be removed, and nothing else' },
      );
    },
    async remove() {
      for (const one of running) one.kill('SIGKILL');
      for (const name of [id, other])
        await rm(join(STUDIOS_FOLDER, `${name}-planted`), { recursive: true, force: true });
    },
  };
}

function program(mark: Mark) {
  return spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1e9)'], {
    env: { [MARK_VARIABLE]: formatMark(mark) },
    stdio: 'ignore',
  });
}

async function studio(name: string, mark: Mark): Promise<void> {
  const folder = join(STUDIOS_FOLDER, name);
  await mkdir(join(folder, 'profile'), { recursive: true });
  await writeFile(join(folder, 'piece-000001.mp4'), 'half');
  await writeFile(join(folder, MARK_FILE), formatMark(mark));
}

async function segment(storage: string, id: string, at: number): Promise<void> {
  const folder = join(storage, files.segments(id));
  await mkdir(folder, { recursive: true });
  const file = join(folder, '1-1.mp4');
  await writeFile(file, 'whole');
  await utimes(file, at / 1_000, at / 1_000);
}

export interface Found {
  readonly kind: string;
  readonly name: string;
  readonly removed?: boolean;
}

/** The real tool, over the cluster's Redis and its storage: browsers, files and folders that it has found. */
export function zombies(cluster: TestCluster, folder: string, ...args: string[]) {
  const env = {
    ...{ PATH: process.env['PATH'], REDIS_URL: cluster.redis.url, REDIS_PREFIX: cluster.prefix },
    STORAGE_URL: `file:${folder}/files`,
  };
  return new Promise<{ code: number; found: Found[] }>((resolve, reject) => {
    const cli = join(projectRoot, 'dist', 'cli.js');
    execFile(process.execPath, [cli, 'zombies', '--json', ...args], { env }, (error, stdout, stderr) => {
      try {
        const all = JSON.parse(stdout) as Found[];
        resolve({ code: Number(error?.code ?? 0), found: all.filter(({ kind }) => kind.startsWith('orphan-')) });
      } catch (cause) {
        reject(new Error(`${stdout}\n${stderr}`, { cause }));
      }
    });
  });
}
