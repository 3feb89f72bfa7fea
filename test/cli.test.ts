import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { io, type Socket } from 'socket.io-client';
import { runCli } from '../src/ops/cli/program.js';
import { startCluster, type TestCluster } from './support/cluster.js';
import { eventually } from './support/eventually.js';
import { projectRoot } from './support/project.js';
import { startProcess } from './support/service-process.js';

const CHANNEL = 'clock?zone=UTC';
const POLLER = 'poller:clock';

let cluster: TestCluster;
let viewer: Socket;

beforeAll(async () => {
  cluster = await startCluster({
    nodes: 2,
    env: { LEASE_MS: '2000', LINGER_MS: '500' },
    topics: {
      'clock.sql': `/*
interval: 200ms
params:
  zone: { type: text, default: UTC }
*/
SELECT now() AT TIME ZONE :zone AS now
`,
    },
  });
  viewer = io(cluster.nodes[0]?.url, { transports: ['websocket'] });
  expect(await viewer.emitWithAck('subscribe', { topic: 'clock' })).toMatchObject({ ok: true, channel: CHANNEL });
});
afterAll(async () => {
  viewer.disconnect();
  await cluster.stop();
});

/** The built program as an operator runs it. */
async function pollcast(
  args: string[],
  env: Record<string, string> = {},
): Promise<{ code: number | null; text: string }> {
  const program = startProcess({
    file: process.execPath,
    args: [join(projectRoot, 'dist', 'cli.js'), ...args],
    env: { PATH: process.env.PATH, ...env },
  });
  const { code } = await program.exited;
  return { code, text: program.lines.join('\n') };
}

const direct = (): Record<string, string> => ({ REDIS_URL: cluster.redis.url, REDIS_PREFIX: cluster.prefix });

/** As above, without the start of a program for each of many tables. */
async function rows(args: readonly string[], env: Record<string, string> = {}): Promise<Record<string, unknown>[]> {
  const written: string[] = [];
  const write = (text: string): void => void written.push(text);
  const { signal } = new AbortController();
  await runCli([...args, '--json'], {
    env,
    out: write,
    error: write,
    colour: false,
    signal,
    interruptible: () => undefined,
  });
  return JSON.parse(written.join('')) as Record<string, unknown>[];
}

describe('pollcast, with real nodes', () => {
  it('lists the same from Redis itself as over any node', async () => {
    const names = cluster.nodes.map((node) => node.name);
    const watched = { channel: CHANNEL, viewers: 1, nodes: { [names[0] ?? '']: 1 }, state: 'live' };
    // Presence has a moment to arrive, the first time.
    await eventually(async () => (await rows(['viewers'], direct())).length === 1, {
      what: 'the viewer to be counted',
    });
    for (const [args, env] of [
      [[], direct()],
      [['--url', cluster.nodes[0]?.url ?? ''], {}],
      [['--url', cluster.nodes[1]?.url ?? ''], {}],
    ] as const) {
      expect(
        (await rows(['nodes', ...args], env)).map(({ name, state }) => `${String(name)} ${String(state)}`),
      ).toEqual(names.map((name) => `${name} live`));
      expect(await rows(['viewers', ...args], env)).toEqual([
        { ...watched, seq: expect.any(Number), changedAt: expect.any(Number), polledAt: expect.any(Number) },
      ]);
      expect(await rows(['ps', ...args], env)).toMatchObject([
        { name: POLLER, kind: 'poller', state: 'running', restarts: 0 },
        { name: 'releases', kind: 'releases', state: 'running', restarts: 0 },
      ]);
      expect(await rows(['zombies', ...args], env)).toEqual([]);
    }
  });

  it('moves a poller, whose viewers see no more of it than the next frame', async () => {
    const owner = (await rows(['ps'], direct())).find(({ name }) => name === POLLER)?.['node'];
    const other = cluster.nodes.map((node) => node.name).find((name) => name !== owner) ?? '';
    const frames: { epoch: number; seq: number }[] = [];
    viewer.on('frame', (frame: { epoch: number; seq: number }) => frames.push(frame));
    expect(await pollcast(['move', POLLER, '--to', other], direct())).toEqual({
      code: 0,
      text: `${POLLER} is on ${other} now.`,
    });
    expect(await rows(['ps'], direct())).toContainEqual(expect.objectContaining({ name: POLLER, node: other }));
    const before = frames.length;
    await eventually(() => frames.length > before + 2, { what: 'frames of the new owner' });
    frames
      .slice(1)
      .forEach((frame, i) => expect(frame).toMatchObject({ epoch: frames[i]?.epoch, seq: (frames[i]?.seq ?? 0) + 1 }));
  });

  it('finds nothing to clean where everything lives, and touches nothing', async () => {
    const before = await rows(['ps'], direct());
    expect(await pollcast(['zombies', '--clean'], direct())).toEqual({ code: 0, text: 'No zombies.' });
    const after = await rows(['ps'], direct());
    expect(after.map(({ name, node, fence }) => ({ name, node, fence }))).toEqual(
      before.map(({ name, node, fence }) => ({ name, node, fence })),
    );
  });

  it('sees who is ready, over HTTP', async () => {
    const response = await fetch(`${cluster.url}/health/ready`);
    expect({ status: response.status, body: await response.json() }).toEqual({ status: 200, body: { ok: true } });
    const metrics = await (await fetch(`${cluster.url}/metrics`)).text();
    expect(metrics).toMatch(/^pollcast_viewers 1$/m);
    expect(metrics).toMatch(/^pollcast_cluster_link 1$/m);
  });

  it('starts a node that ends with code 0 on SIGTERM', async () => {
    const env = { ...direct(), DATABASE_URL: cluster.database.url, TOPICS_DIR: cluster.topicsDir ?? '', PORT: '0' };
    const program = startProcess({
      file: process.execPath,
      args: [join(projectRoot, 'dist', 'cli.js'), 'start'],
      env: { PATH: process.env.PATH, ...env, NODE_NAME: 'third', LOG_FORMAT: 'json' },
    });
    await eventually(() => program.lines.some((line) => line.includes('Pollcast is at')), {
      what: 'the node to listen',
    });
    expect((await rows(['nodes'], direct())).map(({ name }) => name)).toContain('third');
    await program.kill('SIGTERM');
    expect(await program.exited).toEqual({ code: 0, signal: null });
    expect((await rows(['nodes'], direct())).map(({ name }) => name)).not.toContain('third');
  });

  it('does not start a node without its Redis, and says where it looked, and what to do', async () => {
    const env = { DATABASE_URL: cluster.database.url, TOPICS_DIR: cluster.topicsDir ?? '', PORT: '0' };
    // What is for people and what is for the log have a pipe each: which of two pipes is read first says nothing.
    const { code, stdout, stderr } = await new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) => {
      const options = { env: { PATH: process.env.PATH, ...env, REDIS_URL: 'redis://:hunter2@127.0.0.1:1' } };
      execFile(process.execPath, [join(projectRoot, 'dist', 'cli.js'), 'start'], options, (error, stdout, stderr) =>
        resolve({ code: error?.code, stdout, stderr }),
      );
    });
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(
        /^Redis at redis:\/\/:\*\*\*@127\.0\.0\.1:1 does not answer \(.+\): is REDIS_URL right, and does it run\?\n$/,
      ),
    });
    expect(stdout + stderr).not.toContain('hunter2');
  });

  it('stops a poller', async () => {
    const poller = async () => (await rows(['ps'], direct())).find(({ name }) => name === POLLER);
    const before = await poller();
    expect(await pollcast(['stop', POLLER], direct())).toEqual({ code: 0, text: `Stopped ${POLLER}.` });
    expect((await poller())?.['fence']).not.toBe(before?.['fence']);
    viewer.disconnect();
    await eventually(async () => (await poller()) === undefined, { what: 'the poller to end after its linger' });
    expect(await pollcast(['stop', POLLER], direct())).toEqual({
      code: 2,
      text: expect.stringContaining(`there is no process \`${POLLER}\``),
    });
  });
});
