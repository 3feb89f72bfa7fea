import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startCluster, type TestCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { startNode } from '../support/node.js';
import { clock, complaints, get, oneRow } from './hub.js';
import { call, connectSocket, TestViewer, type Asked, type Failure } from './viewer.js';

const NARROW = `/*
interval: 200ms
params:
  region: { type: text, enum: [EU, US] }
  minutes: { type: int, default: 15, min: 1, max: 60 }
*/
SELECT :region AS region, :minutes AS minutes FROM bad_rows`;
const FAILING = `SELECT 1 / (n - 1) AS never FROM bad_rows`;
const SLOW = `/*
timeout: 300ms
*/
SELECT pg_sleep(20) FROM bad_rows`;
const MANY = `/*
max_rows: 10
*/
SELECT g FROM generate_series(1, 11) g, bad_rows`;
const BROKEN = '/*\nintervall: 5s\n*/\nSELECT 1 AS n';

let cluster: TestCluster;
let bystander: TestViewer;

beforeAll(async () => {
  cluster = await startCluster({
    nodes: 1,
    topics: {
      'fine.sql': clock('fine_rows', '250ms'),
      'narrow.sql': NARROW,
      'failing.sql': FAILING,
      'slow.sql': SLOW,
      'many.sql': MANY,
      'broken.sql': BROKEN,
    },
    schema: oneRow('bad_rows') + oneRow('fine_rows'),
    env: { LINGER_MS: '300' },
  });
  bystander = await TestViewer.watch(cluster.url, { topic: 'fine' });
}, 60_000);

afterAll(async () => {
  bystander.close();
  await cluster.stop();
}, 60_000);

/** Whatever was done: the others go on as if nothing had been. */
async function nothingDisturbed(): Promise<void> {
  await bystander.more(2);
  expect(bystander.violations).toEqual([]);
  expect(bystander.statuses).toEqual([]);
  expect(bystander.disconnects).toEqual([]);
  expect(cluster.nodes[0]?.alive()).toBe(true);
  for (const node of cluster.nodes) expect(complaints(node)).toEqual([]);
}

async function refused(event: string, body: unknown): Promise<Failure> {
  const socket = await connectSocket(cluster.url);
  try {
    const answer = await call(socket, event, body);
    expect(answer.ok).toBe(false);
    const { error } = answer as { error: Failure };
    expect(typeof error.message).toBe('string');
    expect(JSON.stringify(error)).not.toMatch(/bad_rows|SELECT|127\.0\.0\.1|\.js|\.ts|node_modules/i);
    return error;
  } finally {
    socket.close();
  }
}

const subscribe = (body: Asked) => refused('subscribe', body);

describe('over a socket', () => {
  afterAll(nothingDisturbed);

  test('an unknown topic: UNKNOWN_TOPIC, and the nearest one is named', async () => {
    expect(await subscribe({ topic: 'narow' })).toMatchObject({
      code: 'UNKNOWN_TOPIC',
      message: expect.stringContaining('narrow') as unknown,
    });
  });

  test('wrong types, missing, surplus and forbidden values: INVALID_PARAMS with one detail for each', async () => {
    const error = await subscribe({ topic: 'narrow', params: { minutes: 'many', regoin: 'EU' } });
    expect(error.code).toBe('INVALID_PARAMS');
    const details = error.details as { param: string; message: string }[];
    expect(details.map(({ param }) => param).sort()).toEqual(['minutes', 'region', 'regoin']);
    expect(details.find(({ param }) => param === 'regoin')?.message).toMatch(/region/);
    expect(details.find(({ param }) => param === 'minutes')?.message).toMatch(/expected .*got "many"/);
    for (const params of [
      { region: 'ASIA' },
      { region: 7 },
      { region: null },
      { region: 'EU', minutes: 61 },
      { region: 'EU', minutes: 1.5 },
    ]) {
      expect((await subscribe({ topic: 'narrow', params })).details).toHaveLength(1);
    }
  });

  test.each([
    ['no object', 'subscribe', 7],
    ['nothing', 'subscribe', undefined],
    ['a list', 'subscribe', []],
    ['no topic', 'subscribe', {}],
    ['a topic that is no text', 'subscribe', { topic: 7 }],
    ['parameters that are no object', 'subscribe', { topic: 'narrow', params: 'EU' }],
    ['an unknown field', 'subscribe', { topic: 'fine', speed: 1 }],
    ['an interval that is none', 'subscribe', { topic: 'fine', every: 'often' }],
    ['a position that is none', 'subscribe', { topic: 'fine', since: { epoch: -1, seq: 'x' } }],
    ['no channel', 'unsubscribe', {}],
    ['a channel that is no text', 'presence', { channel: 7 }],
    ['a limit that is none', 'history', { channel: 'fine', limit: -1 }],
  ])('%s: BAD_REQUEST', async (_what, event, body) => {
    expect((await refused(event, body)).code).toBe('BAD_REQUEST');
  });

  test.each(['unsubscribe', 'presence', 'history'])(
    '%s of a channel that is not watched: NOT_SUBSCRIBED',
    async (event) => {
      expect((await refused(event, { channel: 'fine' })).code).toBe('NOT_SUBSCRIBED');
    },
  );

  test('1 MB of payload: BAD_REQUEST, and the connection stays', async () => {
    const socket = await connectSocket(cluster.url);
    const answer = await call(socket, 'subscribe', { topic: 'x'.repeat(1024 * 1024) });
    expect(answer).toMatchObject({ ok: false, error: { code: 'BAD_REQUEST' } });
    expect(await call(socket, 'subscribe', { topic: 'narrow', params: { region: 'EU' } })).toMatchObject({ ok: true });
    socket.close();
  });

  test('a message too long to be read: the connection ends, nothing else', async () => {
    const socket = await connectSocket(cluster.url);
    const ended = new Promise((resolve) => socket.once('disconnect', resolve));
    socket.emit('subscribe', { topic: 'x'.repeat(4 * 1024 * 1024) });
    expect(await ended).toMatch(/transport/);
  });

  test('an event that does not exist is not answered, and does no harm', async () => {
    const socket = await connectSocket(cluster.url);
    socket.emit('drop everything', { now: true });
    expect(await call(socket, 'subscribe', { topic: 'narrow', params: { region: 'US' } })).toMatchObject({ ok: true });
    socket.close();
  });

  test.each([
    ['failing', 'QUERY_FAILED'],
    ['slow', 'QUERY_TIMEOUT'],
    ['many', 'TOO_MANY_ROWS'],
  ])('the topic `%s` is refused with %s, and leaves no subscription', async (topic, code) => {
    expect((await subscribe({ topic })).code).toBe(code);
    await eventually(async () => {
      const watched = await get<{ channel: string }[]>(`${cluster.url}/api/viewers`);
      return watched.every(({ channel }) => channel !== topic);
    });
  });
});

describe('over HTTP', () => {
  afterAll(nothingDisturbed);

  test.each([
    ['/api/topics/narow', 404, 'UNKNOWN_TOPIC'],
    ['/api/topics/narrow', 400, 'INVALID_PARAMS'],
    ['/api/topics/narrow?region=EU&minutes=x', 400, 'INVALID_PARAMS'],
    ['/api/topics/failing', 502, 'QUERY_FAILED'],
    ['/api/topics/narow/stream', 404, 'UNKNOWN_TOPIC'],
    ['/api/nothing', 404, 'NOT_FOUND'],
    ['/nothing', 404, 'NOT_FOUND'],
  ])('GET %s: %i %s', async (path, status, code) => {
    const response = await fetch(cluster.url + path);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ error: { code, message: expect.any(String) as unknown } });
  });

  test('a stop of what does not exist: 404', async () => {
    const response = await fetch(`${cluster.url}/api/processes/poller%3Anothing`, { method: 'DELETE' });
    expect(response.status).toBe(404);
  });
});

describe('topic files', () => {
  afterAll(nothingDisturbed);

  test('one that is broken at start: the log names file, line and the nearest field; the others are served', async () => {
    const [node] = cluster.nodes;
    const told = await eventually(() => node?.logs.find((line) => line.includes('broken.sql')));
    expect(told).toMatch(/intervall/);
    expect(told).toMatch(/interval\b/);
    expect(told).toMatch(/"line":2|broken\.sql:2/);
    expect((await subscribe({ topic: 'broken' })).code).toBe('UNKNOWN_TOPIC');
  });

  test('one that breaks while it is watched: viewers stay with the version before, and it heals', async () => {
    const file = join(cluster.topicsDir ?? '', 'edited.sql');
    const version = (n: number) =>
      `/*\ninterval: 200ms\n*/\nSELECT ${n} AS version, clock_timestamp() AS at FROM bad_rows`;
    await writeFile(file, version(1));
    const viewer = await eventually(() => TestViewer.watch(cluster.url, { topic: 'edited' }));
    const [node] = cluster.nodes;
    await writeFile(file, 'SELEC nonsense FROM');
    await eventually(() => node?.logs.some((line) => line.includes('edited.sql')), { what: 'the fault in the log' });
    await viewer.more(2);
    expect(viewer.row.version).toBe(1);
    await writeFile(file, version(2));
    await eventually(() => viewer.row.version === 2, { what: 'rows of the new version' });
    await rm(file);
    await eventually(() => viewer.statuses.at(-1)?.state === 'failed', { what: 'word that the topic is gone' });
    expect(viewer.statuses.at(-1)?.reason).toBe('UNKNOWN_TOPIC');
    expect(viewer.violations).toEqual([]);
    viewer.close();
  });
});

describe('a wrong environment', () => {
  afterAll(nothingDisturbed);

  test.each([
    ['LEASE_MS', 'soon', /LEASE_MS: expected .*milliseconds.*got soon/],
    ['PORT', '99999', /PORT: expected a whole number from 0 to 65535, got 99999/],
    ['REDIS_URL', 'localhost', /REDIS_URL: expected redis:.*got localhost/],
    ['HOST', '0.0.0.0', /HOST: expected a loopback address.*AUTH/],
    ['ON_REDIS_LOSS', 'panic', /ON_REDIS_LOSS: expected local or pause, got panic/],
    ['TOPICS_DIR', '/nowhere/topics', /\/nowhere\/topics/],
    ['REDIS_URL', 'redis://127.0.0.1:1', /Redis.*does not answer/],
  ])('%s=%s: a sentence and exit code 1', async (name, value, sentence) => {
    const node = await startNode({
      ready: false,
      env: { DATABASE_URL: cluster.database.url, PORT: '0', [name]: value },
    });
    expect(await node.exited).toEqual({ code: 1, signal: null });
    expect(node.logs.join('\n')).toMatch(sentence);
  });

  test('a port in use: a sentence that says so', async () => {
    const [taken] = cluster.nodes;
    const node = await startNode({
      ready: false,
      env: { DATABASE_URL: cluster.database.url, PORT: String(taken?.port) },
    });
    expect((await node.exited).code).toBe(1);
    expect(node.logs.join('\n')).toMatch(/Port \d+ on 127\.0\.0\.1 is in use/);
  });
});
