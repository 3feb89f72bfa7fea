import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { firstMessage, startChild, type Child } from './children.js';
import { hubFile } from './project.js';

export interface HubNode extends Child {
  readonly name: string;
  readonly port: number;
  readonly url: string;
  /** SIGTERM and its end. */
  stop(): Promise<void>;
}

let profiles: string | undefined;
let started = 0;

/** From now on every node writes a CPU profile into this folder when it is stopped. */
export function profileInto(folder: string): void {
  profiles = folder;
}

/** A hub as it is run: a process of its own from the build. Ready when it resolves. */
export async function startNode(env: Record<string, string>): Promise<HubNode> {
  const name = env.NODE_NAME ?? `bench-${process.pid}-${++started}`;
  const storage = await mkdtemp(join(tmpdir(), 'pollcast-bench-node-'));
  const prof = profiles ? ['--cpu-prof', `--cpu-prof-dir=${profiles}`] : [];
  const child = await startChild(process.execPath, [...prof, hubFile('main.js')], {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    LOG_FORMAT: 'json',
    LOG_LEVEL: 'warn',
    STORAGE_URL: `file:${storage}`,
    LINGER_MS: '1000',
    ...env,
    NODE_NAME: name,
    PORT: '0',
  });
  void child.exited.then(() => rm(storage, { recursive: true, force: true }));
  const { listening } = await firstMessage<{ listening: string }>(child, `the node ${name}`);
  const port = Number(new URL(listening).port);
  return { ...child, name, port, url: `http://127.0.0.1:${port}`, stop: () => child.kill('SIGTERM') };
}

/** A folder of topic files: `{ 'bench/one.sql': 'SELECT …' }`. */
export async function topicsFolder(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'pollcast-bench-topics-'));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  return folder;
}
