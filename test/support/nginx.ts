import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { provide } from '../../scripts/services.mjs';
import { freePort } from '../../src/embedded/postgres.js';
import { projectRoot } from './project.js';
import { eventually } from './eventually.js';
import { onFreePort, ServiceFailed, startProcess, type ServiceProcess } from './service-process.js';

export interface TestNginx {
  url: string;
  port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

/** The real nginx with deploy/nginx.conf as it is, in front of `upstreams` (`['127.0.0.1:4001', …]`). */
export async function startNginx({ upstreams, port }: { upstreams: string[]; port?: number }): Promise<TestNginx> {
  const { bin, env } = await provide('nginx');
  const dir = await mkdtemp(join(tmpdir(), 'pollcast-nginx-'));
  await copyFile(join(projectRoot, 'deploy', 'nginx.conf'), join(dir, 'nginx.conf'));
  const servers = upstreams.map((upstream) => `server ${upstream} max_fails=0;\n`);
  await writeFile(join(dir, 'upstreams.conf'), servers.join(''));

  const launch = async (free: number): Promise<ServiceProcess> => {
    await writeFile(join(dir, 'listen.conf'), `listen 127.0.0.1:${free};\n`);
    const args = ['-p', `${dir}/`, '-c', 'nginx.conf', '-e', 'stderr', '-g', 'user root;'];
    // Workers of a master that is root run as an account which cannot enter a private folder, unless told otherwise.
    const asRoot = process.getuid?.() === 0;
    const server = startProcess({
      file: bin,
      args: asRoot ? args : args.slice(0, -2),
      env: { ...process.env, ...env },
    });
    await answering(server, free);
    return server;
  };
  let chosen = port ?? 0;
  const server = await onFreePort(port === undefined ? freePort : () => Promise.resolve(port), (free) =>
    launch((chosen = free)),
  );
  return {
    url: `http://127.0.0.1:${chosen}`,
    port: chosen,
    get pid() {
      return server.pid;
    },
    async stop() {
      await server.kill('SIGTERM');
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** nginx says nothing when it is ready, so it is asked: any answer will do, also a 502. */
async function answering(server: ServiceProcess, port: number): Promise<void> {
  await eventually(
    async () => {
      if (!server.alive()) return true;
      const response = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(1_000) });
      await response.arrayBuffer();
      return true;
    },
    { what: 'nginx to answer', everyMs: 5 },
  );
  if (!server.alive()) {
    await server.exited;
    throw new ServiceFailed(server.lines.join('\n'));
  }
}
