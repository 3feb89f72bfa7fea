import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { SignJWT } from 'jose';
import type { Socket } from 'socket.io-client';
import { startCluster, type TestCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { startNode, type TestNode } from '../support/node.js';
import { projectRoot } from '../support/project.js';
import { get, oneRow } from './hub.js';
import { call, connectSocket } from './viewer.js';

const SHOP = `/*
title: Sales of the shop
interval: 200ms
params:
  region: { type: text, default: all, enum: [all, 'EU & US'] }
  days: { type: int, default: 7, min: 1 }
key: [at]
retain: 1m
presence: true
*/
SELECT clock_timestamp() AS at, :region AS region, :days AS days, 12.50::numeric AS price, 9007199254740991 AS big FROM shop`;
const STILL = `/*
interval: 200ms
*/
SELECT n, 'fixed' AS word FROM shop`;
const STAFF = `/*
interval: 200ms
roles: [analyst]
params:
  tenant: { type: int, claim: tenant_id }
*/
SELECT :tenant AS tenant FROM shop`;
const SECRET = 'a-secret-of-at-least-thirty-two-bytes!';

let cluster: TestCluster;
let single: TestNode;
let guarded: TestNode;

const num = expect.any(Number) as unknown as number;
const str = expect.any(String) as unknown as string;

beforeAll(async () => {
  const topics = { 'shop/sales.sql': SHOP, 'still.sql': STILL, 'staff.sql': STAFF };
  cluster = await startCluster({ nodes: 1, topics, schema: oneRow('shop') });
  const env = { DATABASE_URL: cluster.database.url, TOPICS_DIR: cluster.topicsDir ?? '' };
  [single, guarded] = await Promise.all([
    startNode({ env }),
    startNode({ env: { ...env, AUTH: 'jwt', AUTH_JWT_SECRET: SECRET, ADMIN_TOKEN: 'let-me-in' } }),
  ]);
}, 60_000);

afterAll(async () => {
  await Promise.all([single.stop(), guarded.stop()]);
  await cluster.stop();
}, 60_000);

interface Frame {
  channel: string;
  epoch: number;
  seq: number;
  polledAt: number;
  rows: Record<string, unknown>[];
}

type Ack = Frame & { ok: true; every: string; resumed: boolean };

const COLUMNS = ['at', 'big', 'days', 'price', 'region'];

describe.each(['in memory', 'with Redis'])('one node %s', (kind) => {
  const url = () => (kind === 'in memory' ? single.url : cluster.url);
  const sockets: Socket[] = [];

  async function socketOf(): Promise<Socket> {
    const socket = await connectSocket(url());
    sockets.push(socket);
    return socket;
  }

  function events<T>(socket: Socket, name: string): T[] {
    const list: T[] = [];
    socket.on(name, (event: T) => list.push(event));
    return list;
  }

  afterAll(() => sockets.forEach((socket) => socket.close()));

  test('subscribe is acknowledged with the first rows, and frames follow', async () => {
    const socket = await socketOf();
    const frames = events<Frame>(socket, 'frame');
    const ack = (await call(socket, 'subscribe', {
      topic: 'shop.sales',
      params: { region: 'EU & US' },
    })) as unknown as Ack;
    const channel = 'shop.sales?days=7&region=EU%20%26%20US';
    expect(ack).toEqual({
      ok: true,
      channel,
      epoch: num,
      seq: num,
      rows: [expect.any(Object)],
      polledAt: num,
      every: '200ms',
      resumed: false,
    });
    expect(Object.keys(ack.rows[0] ?? {}).sort()).toEqual(COLUMNS);
    expect(ack.rows[0]).toMatchObject({ region: 'EU & US', days: 7, price: 12.5, big: 9007199254740991 });
    expect(Date.parse(String(ack.rows[0]?.at))).toBeGreaterThan(0);
    expect(Math.abs(ack.polledAt - Date.now())).toBeLessThan(60_000);

    await eventually(() => frames.length >= 3);
    expect(frames[0]).toEqual({
      channel,
      epoch: ack.epoch,
      seq: ack.seq + 1,
      polledAt: num,
      rows: [expect.any(Object)],
    });
    expect(frames.slice(0, 3).map(({ seq }) => seq - ack.seq)).toEqual([1, 2, 3]);

    expect(await call(socket, 'unsubscribe', { channel })).toEqual({ ok: true });
    const left = frames.length;
    const other = await socketOf();
    const paced = events<Frame>(other, 'frame');
    await call(other, 'subscribe', { topic: 'shop.sales', params: { region: 'EU & US' } });
    await eventually(() => paced.length >= 3);
    expect(frames).toHaveLength(left);
  });

  test('twice on one socket is one subscription; a slower one gets fewer frames of the same poll', async () => {
    const socket = await socketOf();
    const frames = events<Frame>(socket, 'frame');
    const asked = { topic: 'shop.sales' };
    const first = (await call(socket, 'subscribe', asked)) as unknown as Ack;
    const second = (await call(socket, 'subscribe', asked)) as unknown as Ack;
    expect(second).toMatchObject({ ok: true, channel: first.channel, epoch: first.epoch });
    await eventually(() => frames.length >= 4);
    expect(new Set(frames.map(({ seq }) => seq)).size).toBe(frames.length);

    const slow = await socketOf();
    const fewer = events<Frame>(slow, 'frame');
    expect(await call(slow, 'subscribe', { ...asked, every: '1s' })).toMatchObject({ ok: true, every: '1s' });
    await eventually(() => fewer.length >= 2);
    expect((fewer[1]?.seq ?? 0) - (fewer[0]?.seq ?? 0)).toBeGreaterThan(1);
  });

  test('since: nothing missed, some missed and kept, another epoch', async () => {
    const socket = await socketOf();
    const keeper = await socketOf();
    const seen = events<Frame>(keeper, 'frame');
    const { channel, epoch, seq } = (await call(keeper, 'subscribe', { topic: 'shop.sales' })) as unknown as Ack;
    await eventually(() => seen.length >= 4);
    const frames = events<Frame>(socket, 'frame');
    const missed = await call(socket, 'subscribe', { topic: 'shop.sales', since: { epoch, seq } });
    expect(missed).toEqual({ ok: true, channel, epoch, seq, polledAt: num, every: '200ms', resumed: true });
    await eventually(() => frames.length >= 5);
    expect(frames.slice(0, 5).map((frame) => frame.seq - seq)).toEqual([1, 2, 3, 4, 5]);
    expect(frames[0]).toEqual(seen[0]);

    const still = await socketOf();
    const at = (await call(still, 'subscribe', { topic: 'still' })) as unknown as Ack;
    expect(at).toMatchObject({ channel: 'still', seq: 1, rows: [{ n: 1, word: 'fixed' }] });
    const same = await call(still, 'subscribe', { topic: 'still', since: { epoch: at.epoch, seq: at.seq } });
    expect(same).toEqual({
      ok: true,
      channel: 'still',
      epoch: at.epoch,
      seq: 1,
      polledAt: num,
      every: '200ms',
      resumed: true,
    });
    const old = (await call(await socketOf(), 'subscribe', {
      topic: 'still',
      since: { epoch: 1, seq: 9 },
    })) as unknown as Ack;
    expect(old).toMatchObject({ ok: true, resumed: false, epoch: at.epoch, seq: 1, rows: [{ n: 1, word: 'fixed' }] });
  });

  test('presence and history', async () => {
    const [one, two] = [await socketOf(), await socketOf()];
    const news = events<{ channel: string; count: number }>(one, 'presence');
    const asked = { topic: 'shop.sales', params: { days: 3 } };
    const { channel } = (await call(one, 'subscribe', { ...asked, presence: true })) as unknown as Ack;
    await call(two, 'subscribe', asked);
    await eventually(() => news.some(({ count }) => count === 2), { what: 'news of the second viewer' });
    expect(news.at(-1)).toEqual({ channel, count: 2, joins: expect.any(Array), leaves: expect.any(Array) });
    const present = await eventually(async () => {
      const answer = await call(one, 'presence', { channel });
      return answer.ok && answer.count === 2 ? answer : null;
    });
    const { viewers } = present as unknown as { viewers: unknown[] };
    expect(present).toEqual({ ok: true, viewers, count: 2 });
    for (const viewer of viewers) expect(viewer).toEqual({ user: str, count: num, since: num });
    two.close();
    await eventually(() => news.some(({ count }, i) => count === 1 && i > 0), { what: 'news of the leave' });

    await eventually(async () => {
      const answer = await call(one, 'history', { channel, limit: 3 });
      return answer.ok && (answer.frames as unknown[]).length === 3;
    });
    const answer = await call(one, 'history', { channel, limit: 3 });
    const frames = (answer as unknown as { frames: Frame[] }).frames;
    expect(answer).toEqual({ ok: true, frames });
    for (const frame of frames)
      expect(frame).toEqual({ channel, epoch: num, seq: num, polledAt: num, rows: [expect.any(Object)] });
    expect(frames.map(({ seq }) => seq - (frames[0]?.seq ?? 0))).toEqual([0, 1, 2]);
    const early = await call(one, 'history', { channel, to: (frames[0]?.polledAt ?? 0) - 600_000 });
    expect(early).toEqual({ ok: true, frames: [] });
  });

  test('topics over HTTP: the list, one result with its ETag, a stream that resumes', async () => {
    const topics = await get<Record<string, unknown>[]>(`${url()}/api/topics`);
    expect(topics.map(({ name }) => name)).toEqual(['shop.sales', 'still']);
    expect(topics[0]).toMatchObject({ name: 'shop.sales', title: 'Sales of the shop', interval: '200ms', key: ['at'] });
    expect(JSON.stringify(topics)).not.toMatch(/SELECT/i);

    const response = await fetch(`${url()}/api/topics/still`);
    const etag = response.headers.get('etag') ?? '';
    expect(await response.json()).toEqual({
      channel: 'still',
      epoch: num,
      seq: 1,
      polledAt: num,
      rows: [{ n: 1, word: 'fixed' }],
    });
    expect((await fetch(`${url()}/api/topics/still`, { headers: { 'If-None-Match': etag } })).status).toBe(304);
    const lenient = await get<Frame>(`${url()}/api/topics/shop.sales?days=5`);
    expect(lenient).toMatchObject({ channel: 'shop.sales?days=5&region=all', rows: [{ days: 5 }] });

    const first = await streamed(`${url()}/api/topics/shop.sales/stream`, 2);
    expect(first.map(({ event }) => event)).toEqual(['frame', 'frame']);
    expect(JSON.parse(first[0]?.data ?? '')).toEqual({
      channel: 'shop.sales?days=7&region=all',
      epoch: num,
      seq: num,
      polledAt: num,
      rows: [expect.any(Object)],
    });
    const resumed = await streamed(`${url()}/api/topics/shop.sales/stream`, 1, first[0]?.id);
    expect(resumed[0]).toEqual(first[1]);
  });

  test('health, metrics and the admin tables have the fields that the contract names', async () => {
    await call(await socketOf(), 'subscribe', { topic: 'still' });
    expect((await fetch(`${url()}/health/live`)).status).toBe(200);
    expect((await fetch(`${url()}/health/ready`)).status).toBe(200);
    const metrics = await (await fetch(`${url()}/metrics`)).text();
    expect(metrics).toMatch(/^# HELP \w+/m);
    expect(metrics).toMatch(/^# TYPE \w+ (counter|gauge|histogram)/m);

    const [node] = await get<object[]>(`${url()}/api/nodes`);
    expect(node).toEqual({
      name: str,
      version: str,
      startedAt: num,
      state: 'live',
      processes: num,
      viewers: num,
      slots: num,
    });
    const process = (await get<{ name: string }[]>(`${url()}/api/processes`)).find(
      ({ name }) => name === 'poller:still',
    );
    expect(process).toEqual({
      name: 'poller:still',
      kind: 'poller',
      node: str,
      fence: num,
      state: 'running',
      since: num,
      restarts: 0,
      leaseLeftMs: num,
      error: null,
    });
    const watched = await eventually(async () =>
      (await get<{ channel: string; seq: number | null }[]>(`${url()}/api/viewers`)).find(
        ({ channel, seq }) => channel === 'still' && seq !== null,
      ),
    );
    expect(watched).toEqual({
      channel: 'still',
      viewers: num,
      nodes: expect.any(Object),
      seq: 1,
      changedAt: num,
      polledAt: num,
      state: 'live',
    });
    expect(await get(`${url()}/api/zombies`)).toEqual([]);
    const cleaned = await fetch(`${url()}/api/zombies/clean`, { method: 'POST' });
    expect([cleaned.status, await cleaned.json()]).toEqual([200, []]);
  });

  test('the command line tells the same as JSON', async () => {
    const run = async (...args: string[]) => {
      const env: Record<string, string | undefined> = { PATH: process.env.PATH };
      if (kind === 'with Redis') Object.assign(env, { REDIS_URL: cluster.redis.url, REDIS_PREFIX: cluster.prefix });
      const where = kind === 'with Redis' ? [] : ['--url', single.url];
      const cli = join(projectRoot, 'dist', 'cli.js');
      return JSON.parse(
        (await promisify(execFile)(process.execPath, [cli, ...args, '--json', ...where], { env })).stdout,
      ) as object[];
    };
    const [nodes, ps, viewers] = await Promise.all([run('nodes'), run('ps'), run('viewers')]);
    const fields = (rows: object[]) => Object.keys(rows[0] ?? {}).sort();
    expect(fields(nodes)).toEqual(['name', 'processes', 'slots', 'startedAt', 'state', 'version', 'viewers']);
    expect(fields(ps)).toEqual(['error', 'fence', 'kind', 'leaseLeftMs', 'name', 'node', 'restarts', 'since', 'state']);
    expect(fields(viewers)).toEqual(['changedAt', 'channel', 'nodes', 'polledAt', 'seq', 'state', 'viewers']);
  });
});

describe('with tokens', () => {
  const token = (claims: object, expires = '5m') =>
    new SignJWT({ ...claims })
      .setProtectedHeader({ alg: 'HS256' })
      .setSubject('ann')
      .setExpirationTime(expires)
      .sign(new TextEncoder().encode(SECRET));

  test('nobody is let in without one', async () => {
    const refusal = connectSocket(guarded.url);
    await expect(refusal).rejects.toMatchObject({ data: { code: 'UNAUTHENTICATED', message: str } });
    expect((await fetch(`${guarded.url}/api/topics`)).status).toBe(401);
  });

  test('roles and claims decide; a claim is never taken from the client', async () => {
    const ann = await connectSocket(guarded.url, {
      auth: { token: await token({ roles: ['analyst'], tenant_id: 7 }) },
    });
    const bob = await connectSocket(guarded.url, { auth: { token: await token({}) } });
    const ack = await call(ann, 'subscribe', { topic: 'staff' });
    expect(ack).toMatchObject({ ok: true, channel: 'staff?tenant=7', rows: [{ tenant: 7 }] });
    expect(await call(ann, 'subscribe', { topic: 'staff', params: { tenant: 8 } })).toMatchObject({
      ok: false,
      error: { code: 'INVALID_PARAMS' },
    });
    expect(await call(bob, 'subscribe', { topic: 'staff' })).toMatchObject({ ok: false, error: { code: 'FORBIDDEN' } });
    ann.close();
    bob.close();
  });

  test('a connection and an event stream end with their token', async () => {
    const auth = { token: await token({ roles: ['analyst'], tenant_id: 7 }, '4s') };
    const socket = await connectSocket(guarded.url, { auth });
    const ended = new Promise((resolve) => socket.once('disconnect', resolve));
    const stream = await fetch(`${guarded.url}/api/topics/staff/stream`, {
      headers: { Authorization: `Bearer ${auth.token}` },
    });
    expect(stream.status).toBe(200);
    expect(await stream.text()).toMatch(/event: frame/);
    expect(await ended).toBe('io server disconnect');
    const late = await fetch(`${guarded.url}/api/topics/staff`, { headers: { Authorization: `Bearer ${auth.token}` } });
    expect(late.status).toBe(401);
  });

  test('the admin API needs its token; health does not', async () => {
    expect((await fetch(`${guarded.url}/api/nodes`)).status).toBe(401);
    const headers = { Authorization: 'Bearer let-me-in' };
    expect((await fetch(`${guarded.url}/api/nodes`, { headers })).status).toBe(200);
    expect((await fetch(`${guarded.url}/health/ready`)).status).toBe(200);
  });
});

interface StreamEvent {
  id?: string;
  event?: string;
  data?: string;
}

/** The first events of a Server-Sent Events response. */
async function streamed(url: string, count: number, lastEventId?: string): Promise<StreamEvent[]> {
  const headers = lastEventId ? { 'Last-Event-ID': lastEventId } : undefined;
  const response = await fetch(url, { headers });
  expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    const blocks = text
      .split('\n\n')
      .slice(0, -1)
      .filter((block) => block.includes('data:'));
    if (blocks.length < count) continue;
    // Leaving the loop cancels the response.
    return blocks
      .slice(0, count)
      .map((block) =>
        Object.fromEntries(
          block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
        ),
      );
  }
  throw new Error('the stream ended');
}
