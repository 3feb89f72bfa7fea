import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startCluster, type TestCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { projectRoot } from '../support/project.js';
import { clock, Lookout, oneRow } from './hub.js';
import { call, connectSocket } from './viewer.js';

let cluster: TestCluster;
const env = { LEASE_MS: '2000', LINGER_MS: '300' };

beforeAll(async () => {
  cluster = await startCluster({
    nodes: 1,
    topics: { 'streamed.sql': clock('leave_rows', '200ms'), 'watched.sql': clock('leave_rows', '200ms') },
    schema: oneRow('leave_rows'),
    env,
  });
}, 60_000);

afterAll(() => cluster?.stop(), 60_000);

/** With no node alive: from the cluster's Redis itself. Exit code 1 says that there are some. */
async function zombies(...args: string[]): Promise<{ kind: string; name: string }[]> {
  const cli = join(projectRoot, 'dist', 'cli.js');
  const at = { PATH: process.env.PATH, REDIS_URL: cluster.redis.url, REDIS_PREFIX: cluster.prefix, ...env };
  const { stdout } = await promisify(execFile)(process.execPath, [cli, 'zombies', '--json', ...args], {
    env: at,
  }).catch((error: unknown) => error as { stdout: string });
  return JSON.parse(stdout) as { kind: string; name: string }[];
}

test('the last node leaves with viewers on it: what stays of its pollers is listed, and cleaned away', async () => {
  const [node] = cluster.nodes;
  const stream = await fetch(`${node?.url}/api/topics/streamed/stream`);
  const ended = stream.text().catch((error: unknown) => String(error));
  const socket = await connectSocket(node?.url ?? '');
  expect(await call(socket, 'subscribe', { topic: 'watched' })).toMatchObject({ ok: true });
  await node?.stop();
  await ended;
  socket.close();
  const left = ['poller:streamed', 'poller:watched'];
  await eventually(
    async () => {
      const found = await zombies();
      return left.every((name) => found.some((zombie) => zombie.name === name && zombie.kind === 'unwatched-poller'));
    },
    { what: 'both pollers to be listed', deadlineMs: 60_000 },
  );
  await zombies('--clean');
  const lookout = new Lookout(cluster);
  const processes = await lookout.client.smembers(lookout.keys.processes);
  await lookout.close();
  expect(processes).toEqual(['releases']);
}, 120_000);
