import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../src/embedded/postgres.js';
import { eventually } from './eventually.js';
import { projectRoot } from './project.js';
import { onFreePort, ServiceFailed, startProcess, type Exit, type ServiceProcess } from './service-process.js';

export interface TestNode {
  /** `http://127.0.0.1:port` */
  url: string;
  port: number;
  pid: number;
  /** its NODE_NAME */
  name: string;
  /** every line that it has written so far; JSON unless LOG_FORMAT says otherwise */
  logs: string[];
  exited: Promise<Exit>;
  alive: () => boolean;
  /** Sends a signal, and waits for the end unless it is SIGSTOP or SIGCONT. */
  kill: (signal: NodeJS.Signals) => Promise<void>;
  /** SIGSTOP: a hang. */
  freeze: () => void;
  /** SIGCONT. */
  thaw: () => void;
  /** SIGTERM and the end of it. @throws Error when the exit code is not 0. Idempotent. */
  stop: () => Promise<void>;
}

export interface TestNodeOptions {
  /** the folder of the built package; absent: this one (see `packageOfVersion`) */
  root?: string;
  /** what node runs instead of that package's main file: a hub with modules of a test's own */
  program?: readonly string[];
  /** the hub's environment (contract); PORT, NODE_NAME and STORAGE_URL are chosen when absent */
  env?: Record<string, string>;
  /** in a network namespace (see `startNetwork`), listening on one of its addresses */
  network?: { readonly enter: readonly string[]; readonly address: string };
  /** false: return at once, for nodes that must not become ready */
  ready?: boolean;
}

/** One hub as a real process from the build in dist. It dies with the test process. */
export async function startNode({
  root = projectRoot,
  program,
  env = {},
  network,
  ready = true,
}: TestNodeOptions = {}): Promise<TestNode> {
  const main = join(root, 'dist', 'main.js');
  if (!existsSync(main)) throw new Error('dist/main.js is missing: run `npm run build` (npm test does it) first.');
  const name = env.NODE_NAME ?? `node-${randomBytes(3).toString('hex')}`;
  const storage = await mkdtemp(join(tmpdir(), 'pollcast-node-'));

  const address = network?.address ?? '127.0.0.1';
  const command = [...(network?.enter ?? []), process.execPath, '--enable-source-maps', ...(program ?? [main])];
  const launch = async (port: number): Promise<[ServiceProcess, number]> => {
    const node = startProcess({
      file: command[0] as string,
      args: command.slice(1),
      cwd: storage,
      ipc: true,
      // Not the whole environment: a REDIS_URL in the developer's shell must not reach a test.
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        LOG_FORMAT: 'json',
        STORAGE_URL: `file:${storage}/files`,
        TOPICS_DIR: join(projectRoot, 'topics'),
        ...(network ? { HOST: address, AUTH: 'none' } : {}),
        ...env,
        NODE_NAME: name,
        PORT: String(port),
      },
    });
    if (ready) await untilReady(node, `http://${address}:${port}`);
    return [node, port];
  };
  const choose = env.PORT === undefined ? freePort : () => Promise.resolve(Number(env.PORT));
  const [node, port] = await onFreePort(choose, launch);
  void node.exited.then(() => rm(storage, { recursive: true, force: true }));

  let stopping: Promise<void> | undefined;
  return {
    url: `http://${address}:${port}`,
    port,
    pid: node.pid,
    name,
    logs: node.lines,
    exited: node.exited,
    alive: node.alive,
    kill: node.kill,
    freeze: node.freeze,
    thaw: node.thaw,
    stop: () => (stopping ??= stopGracefully(node, name)),
  };
}

async function stopGracefully(node: ServiceProcess, name: string): Promise<void> {
  if (!node.alive()) return;
  await node.kill('SIGTERM');
  const { code, signal } = await node.exited;
  if (code !== 0)
    throw new Error(`${name} ended with ${signal ?? code} instead of 0:\n${node.lines.slice(-30).join('\n')}`);
}

async function untilReady(node: ServiceProcess, url: string): Promise<void> {
  await eventually(
    async () => {
      if (!node.alive()) return true;
      const response = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(2_000) });
      const text = await response.text();
      if (!response.ok) throw new Error(text);
      return true;
    },
    { what: `${url} to be ready`, deadlineMs: 60_000 },
  ).catch(async (error: unknown) => {
    await node.kill('SIGKILL');
    throw new Error(`${String(error)}\n${node.lines.slice(-30).join('\n')}`, { cause: error });
  });
  if (node.alive()) return;
  await node.exited;
  throw new ServiceFailed(`the node ended before it was ready:\n${node.lines.join('\n')}`);
}
