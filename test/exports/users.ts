import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { SignJWT } from 'jose';
import pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import type { Socket } from 'socket.io-client';
import type { ExportView } from '../../src/exports/record.js';
import { call, connectSocket, type Answer } from '../cluster/viewer.js';
import type { TestCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { projectRoot } from '../support/project.js';

const SECRET = 'a secret that only the issuer and the hub know';

/** What nodes need so that tests may say who somebody is. */
export const JWT = { AUTH: 'jwt', AUTH_JWT_SECRET: SECRET };

export function token(user: string): Promise<string> {
  return new SignJWT({ sub: user })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(SECRET));
}

/** Somebody at a node, and what he is told. `close` the socket. */
export async function connect(user: string, url: string): Promise<{ socket: Socket; told: ExportView[] }> {
  const socket = await connectSocket(url, { auth: { token: await token(user) } });
  const told: ExportView[] = [];
  socket.on('export', (view: ExportView) => told.push(view));
  return { socket, told };
}

export function exported(answer: Answer): ExportView {
  if (!answer.ok) throw new Error(`refused: ${JSON.stringify(answer.error)}`);
  return answer.export as ExportView;
}

export async function request(socket: Socket, topic: string, params = {}, format = 'csv'): Promise<ExportView> {
  return exported(await call(socket, 'export:request', { topic, params, format }));
}

export async function current(socket: Socket): Promise<ExportView | null> {
  const answer = await call(socket, 'export:current', {});
  if (!answer.ok) throw new Error(`refused: ${JSON.stringify(answer.error)}`);
  return answer.export as ExportView | null;
}

/** Waits for the end of it. */
export function ended(socket: Socket): Promise<ExportView> {
  return eventually(
    async () => {
      const view = await current(socket);
      return view && view.state !== 'pending' && view.state !== 'processing' ? view : null;
    },
    { what: 'the end of the export', deadlineMs: 90_000 },
  );
}

export async function download(user: string, url: string | undefined, base: string, headers = {}): Promise<Response> {
  return fetch(`${base}${url ?? '/none'}`, { headers: { ...headers, Authorization: `Bearer ${await token(user)}` } });
}

/** What Postgres itself writes. */
export async function copy({ database }: TestCluster, select: string): Promise<string> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    return (await buffer(client.query(copyTo(`COPY (${select}) TO STDOUT (FORMAT csv, HEADER)`)))).toString();
  } finally {
    await client.end();
  }
}

/** Folders of exports that are there, of the only cluster in that storage. */
export async function folders(storage: string): Promise<string[]> {
  const root = join(storage, 'exports');
  const [cluster] = await readdir(root).catch(() => []);
  return cluster === undefined ? [] : (await readdir(join(root, cluster))).map((id) => join(root, cluster, id));
}

/** Fences of the owners that wrote an export's whole files, in the files' order. */
export async function writers(storage: string, id: string): Promise<number[]> {
  const folder = (await folders(storage)).find((one) => one.endsWith(id));
  const names = folder === undefined ? [] : await readdir(folder);
  return names
    .filter((name) => !name.startsWith('.'))
    .sort((a, b) => a.slice(a.indexOf('-')).localeCompare(b.slice(b.indexOf('-'))))
    .map((name) => Number(name.slice(0, name.indexOf('-'))));
}

/** What the real tool says, `pollcast zombies`, over the cluster's Redis and its storage. */
export async function orphans({ redis, prefix }: TestCluster, storageUrl: string, ...args: string[]): Promise<unknown> {
  const env = { PATH: process.env.PATH, REDIS_URL: redis.url, REDIS_PREFIX: prefix, STORAGE_URL: storageUrl };
  const tool = [join(projectRoot, 'dist', 'cli.js'), 'zombies', '--json', ...args];
  return new Promise((resolve, reject) => {
    // It ends with 1 when there are some.
    execFile(process.execPath, tool, { env }, (_error, stdout, stderr) => {
      try {
        resolve(JSON.parse(stdout));
      } catch (cause) {
        reject(new Error(`${stdout}\n${stderr}`, { cause }));
      }
    });
  });
}
