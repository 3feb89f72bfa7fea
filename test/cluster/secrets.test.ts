import { rm } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { SignJWT, UnsecuredJWT } from 'jose';
import { io } from 'socket.io-client';
import { ERROR_CODES } from '../../src/errors.js';
import { eventually } from '../support/eventually.js';
import { startNode, type TestNode } from '../support/node.js';
import { startPostgres, type TestDatabase, type TestPostgres } from '../support/postgres.js';
import { topicsFolder } from '../support/project.js';
import { startRedis, type TestRedis } from '../support/redis.js';
import { call, connectSocket, type Answer } from './viewer.js';

/** Each secret of the set-up, and whatever somebody sends who should not be let in: none may turn up anywhere. */
const SECRET = {
  jwt: 'planted-jwt-secret-of-more-than-32-bytes',
  admin: 'planted-admin-token',
  database: 'planted-database-password',
  redis: 'planted-redis-password',
};
/** A word in every statement. */
const SQL = 'sqlmarker';

const TOPICS = {
  'fine.sql': `/*\nretain: 5m\n*/\nSELECT 1 AS n, '${SQL}' <> '' AS x FROM hidden_table`,
  'narrow.sql': `/*\nparams:\n  n: { type: int, min: 1, max: 5 }\n*/\nSELECT :n AS n FROM hidden_table WHERE '${SQL}' <> ''`,
  'raising.sql': `SELECT raising('${SQL}') AS n FROM hidden_table`,
  'dividing.sql': `SELECT 1 / (n - 1) AS n FROM hidden_table WHERE '${SQL}' <> ''`,
  'gone.sql': `SELECT n FROM dropped_table WHERE '${SQL}' <> ''`,
  'slow.sql': `/*\ntimeout: 300ms\n*/\nSELECT pg_sleep(20) AS n FROM hidden_table WHERE '${SQL}' <> ''`,
  'many.sql': `/*\nmax_rows: 3\n*/\nSELECT g FROM generate_series(1, 9) AS g, hidden_table WHERE '${SQL}' <> ''`,
  'staff.sql': `/*\nroles: [analyst]\n*/\nSELECT n FROM hidden_table WHERE '${SQL}' <> ''`,
  'mine.sql': `/*\nparams:\n  tenant: { type: int, claim: tenant_id }\n*/\nSELECT :tenant AS n FROM hidden_table WHERE '${SQL}' <> ''`,
};

let postgres: TestPostgres;
let database: TestDatabase;
let redis: TestRedis;
let topicsDir: string;
let env: Record<string, string>;
/** One tells what anybody is told by default, one all that there is. */
let node: TestNode;
let talkative: TestNode;

/** Everything that was sent to anybody. */
const answers: string[] = [];
const codes = new Set<string>();

beforeAll(async () => {
  postgres = await startPostgres();
  database = await postgres.createDatabase();
  redis = await startRedis({ args: ['--requirepass', SECRET.redis] });
  topicsDir = await topicsFolder(TOPICS);
  await postgres.query(
    `CREATE TABLE hidden_table (n int); INSERT INTO hidden_table VALUES (1);
     CREATE TABLE dropped_table (n int);
     CREATE FUNCTION raising(what text) RETURNS int LANGUAGE plpgsql AS $$
       BEGIN
         EXECUTE 'SELECT 1 / (n - 1) AS ${SQL} FROM hidden_table';
         RETURN 1;
       EXCEPTION WHEN division_by_zero THEN
         RAISE EXCEPTION USING message = 'hidden_value', detail = 'SELECT ' || what, hint = 'hidden_hint';
       END $$;
     CREATE ROLE planted_reader LOGIN PASSWORD '${SECRET.database}';
     GRANT SELECT ON ALL TABLES IN SCHEMA public TO planted_reader`,
    [],
    database.name,
  );
  const url = new URL(database.url);
  url.username = 'planted_reader';
  url.password = SECRET.database;
  env = {
    DATABASE_URL: url.href,
    REDIS_URL: `redis://:${SECRET.redis}@127.0.0.1:${redis.port}`,
    TOPICS_DIR: topicsDir,
    AUTH: 'jwt',
    AUTH_JWT_SECRET: SECRET.jwt,
    AUTH_ISSUER: 'https://issuer.example',
    ADMIN_TOKEN: SECRET.admin,
    LINGER_MS: '300',
    LEASE_MS: '2000',
  };
  [node, talkative] = await Promise.all([startNode({ env }), startNode({ env: { ...env, LOG_LEVEL: 'debug' } })]);
  await postgres.query('DROP TABLE dropped_table', [], database.name);
}, 90_000);

afterAll(async () => {
  await node?.stop();
  await talkative?.stop();
  await redis?.stop();
  await postgres?.stop();
  if (topicsDir) await rm(topicsDir, { recursive: true, force: true });
}, 60_000);

function token(claims: object = {}, expires = '5m', secret = SECRET.jwt): Promise<string> {
  return new SignJWT({ ...claims })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject('ann')
    .setIssuer('https://issuer.example')
    .setExpirationTime(expires)
    .sign(new TextEncoder().encode(secret));
}

function told(answer: unknown): void {
  answers.push(JSON.stringify(answer));
  const { error, code } = (answer ?? {}) as { error?: { code?: string }; code?: string };
  const given = error?.code ?? code;
  if (given !== undefined) codes.add(given);
}

/** Every kind of call, right and wrong, of somebody who is let in. */
async function calls(url: string): Promise<void> {
  const socket = await connectSocket(url, { auth: { token: await token() } });
  const ask = async (event: string, body: unknown): Promise<Answer> => {
    const answer = await call(socket, event, body);
    told(answer);
    return answer;
  };
  for (const topic of Object.keys(TOPICS).map((file) => file.replace('.sql', '')))
    await ask('subscribe', { topic, ...(topic === 'narrow' ? { params: { n: 'planted-parameter'.length } } : {}) });
  await ask('subscribe', { topic: 'nowhere' });
  await ask('subscribe', { topic: 'mine', params: { tenant: 8 } });
  await ask('subscribe', { topic: 'fine', every: 'often', speed: 1 });
  for (const event of [
    ...['subscribe', 'unsubscribe', 'presence', 'history', 'export:request', 'export:current', 'export:cancel'],
    ...['export:dismiss', 'room:join', 'room:change', 'room:status', 'room:history', 'room:leave'],
    ...['recording:start', 'recording:stop', 'recording:list', 'no such call', '__proto__', 'constructor'],
  ]) {
    for (const body of [undefined, null, 7, 'x', [], { nonsense: {} }, { id: 'x' }, { channel: 'fine?x=y' }])
      await ask(event, body);
  }
  for (const topic of ['raising', 'gone', 'slow', 'nothing']) await ask('export:request', { topic, format: 'csv' });
  await ask('export:request', { topic: 'fine', format: 'csv' });
  await ask('export:request', { topic: 'fine', format: 'csv' });
  await ask('room:join', { room: 'walk' });
  await ask('room:change', { room: 'walk', version: 0, patch: { a: 1 } });
  await ask('room:change', { room: 'walk', version: 0, patch: { a: 2 } });
  await ask('subscribe', { topic: 'x'.repeat(400_000) });
  socket.close();
}

async function handshakes(url: string): Promise<void> {
  const attempts: unknown[] = [
    undefined,
    'planted-token',
    `${await token()}x`,
    await token({}, '5m', 'planted-wrong-secret-of-more-than-32-bytes'),
    await token({}, '-5m'),
    new UnsecuredJWT({ sub: 'planted-user' }).encode(),
    { planted: 'planted-token' },
  ];
  for (const given of attempts) {
    const socket = io(url, { transports: ['websocket'], forceNew: true, reconnection: false, auth: { token: given } });
    const refused = await new Promise<Error & { data?: unknown }>((resolve) => socket.once('connect_error', resolve));
    told(refused.data);
    answers.push(refused.message);
    socket.close();
  }
}

/** Path and all, as it is: fetch would mend it. */
function raw(base: string, path: string, headers: Record<string, string>, method = 'GET', body = ''): Promise<void> {
  const { hostname, port } = new URL(base);
  return new Promise((resolve) => {
    const request = httpRequest({ hostname, port, path, method, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('close', () => {
        answers.push(`${JSON.stringify(response.headers)} ${text}`);
        const [, code] = /"code":"(\w+)"/.exec(text) ?? [];
        if (code !== undefined) codes.add(code);
        resolve();
      });
    });
    request.on('error', () => resolve());
    request.end(body);
  });
}

async function requests(base: string): Promise<void> {
  const user = { Authorization: `Bearer ${await token()}` };
  const admin = { Authorization: `Bearer ${SECRET.admin}`, 'Content-Type': 'application/json' };
  const json = { ...admin, 'Content-Type': 'application/json' };
  const paths = [
    ...['/', '/console', '/rooms/x', '/nothing', '/health/ready', '/health/live', '/metrics', '/api', '/%E0%A4%A'],
    ...['/api/topics', '/api/topics/nothing', '/api/topics/narrow?n=many', '/api/topics/fine?x=1', '/api/nothing'],
    ...Object.keys(TOPICS).map((file) => `/api/topics/${file.replace('.sql', '')}`),
    ...['/api/topics/gone/stream', '/api/topics/staff/stream', '/api/exports/x/file', '/api/exports/..%2f..%2fx/file'],
    ...['/api/nodes', '/api/processes', '/api/viewers', '/api/zombies', '/assets/nothing.js', '/socket.io/?EIO=4'],
    '/..%2f..%2fpackage.json',
  ];
  for (const path of paths)
    for (const headers of [{}, user, { Authorization: 'Bearer planted-token' }, { Authorization: 'Basic planted' }])
      await raw(base, path, headers);
  for (const path of ['/api/nodes', '/api/processes', '/api/viewers', '/api/zombies']) await raw(base, path, admin);
  await raw(base, '/api/processes/poller%3Anothing', admin, 'DELETE');
  await raw(base, '/api/processes/x/move', json, 'POST', '{ "planted');
  await raw(base, '/api/processes/x/move', json, 'POST', '{ "to": 7 }');
  await raw(base, '/api/processes/x/move', json, 'POST', JSON.stringify({ to: 'x'.repeat(300_000) }));
  await raw(base, '/api/nodes/nobody/cordon', admin, 'POST');
  await raw(base, '/api/topics/gone/explain', admin, 'POST');
  await raw(base, '/api/topics/narrow/explain?n=x', admin, 'POST');
  await raw(base, '/api/nodes', { ...admin, Cookie: 'x'.repeat(20_000) });
}

async function flood(url: string): Promise<void> {
  const socket = await connectSocket(url, { auth: { token: await token() } });
  const last = await Promise.all(Array.from({ length: 5_500 }, () => call(socket, 'history', { channel: 'x' })));
  told(last.find((answer) => !answer.ok && answer.error.code === 'RATE_LIMITED'));
  socket.close();
}

describe('a walk of all that can go wrong', () => {
  test('over sockets and HTTP, on both nodes', async () => {
    for (const { url } of [node, talkative]) {
      await handshakes(url);
      await calls(url);
      await requests(url);
    }
    await flood(node.url);
  }, 180_000);

  test('with the database away', async () => {
    await postgres.down();
    await requests(node.url);
    await calls(node.url);
    await postgres.up();
    await eventually(async () => (await fetch(`${node.url}/health/ready`)).ok, { what: 'the node to be ready again' });
  }, 180_000);

  test('with Redis away', async () => {
    await redis.down();
    await eventually(async () => !(await fetch(`${node.url}/health/ready`)).ok, { what: 'the node to notice' });
    await requests(node.url);
    await handshakes(node.url);
    await redis.up();
    await eventually(async () => (await fetch(`${node.url}/health/ready`)).ok, { what: 'the node to be ready again' });
  }, 180_000);

  test('at the start, with wrong passwords', async () => {
    const wrong = (name: string, secret: string) => ({ ...env, [name]: env[name]!.replace(secret, 'planted-wrong') });
    for (const changed of [
      wrong('REDIS_URL', SECRET.redis),
      { ...env, AUTH_JWT_SECRET: '', AUTH_JWKS_URL: 'planted' },
    ]) {
      const refused = await startNode({ env: changed, ready: false });
      expect((await refused.exited).code).toBe(1);
      expect(refused.logs.length).toBeGreaterThan(0);
      checkLog(refused.logs.filter((line) => !line.includes('AUTH_JWKS_URL: expected')));
    }
    const blind = await startNode({ env: wrong('DATABASE_URL', SECRET.database), ready: false });
    await eventually(async () => (await fetch(`${blind.url}/health/ready`)).status === 503, { what: 'it to say so' });
    await calls(blind.url);
    await blind.stop();
    checkLog(blind.logs);
  }, 120_000);
});

function checkLog(lines: readonly string[]): void {
  expect(lines.filter((line) => line.includes('planted') && !/planted_reader/.test(line))).toEqual([]);
  expect(lines.filter((line) => /planted-|"stack"|sqlmarker|SELECT|\n\s+at /.test(line))).toEqual([]);
}

describe('after it', () => {
  test('every code has been told', () => {
    // As many channels as that take long to open; TOO_MANY_CHANNELS has no words but its number's (test/access).
    const provoked = Object.keys(ERROR_CODES).filter((code) => code !== 'TOO_MANY_CHANNELS');
    expect([...codes].sort()).toEqual(expect.arrayContaining(provoked));
    expect(answers.length).toBeGreaterThan(500);
  });

  test.each([
    ['a secret', /planted/],
    ['SQL', /sqlmarker|hidden_|dropped_table|\bSELECT\b|\bFROM\b/],
    ['a stack or a path', /\n\s*at |\.[jt]s:\d|node_modules|\/dist\//],
    ['a host', /127\.0\.0\.1|localhost:|ECONN|issuer\.example/],
  ])('no answer had %s in it', (_what, pattern) => {
    expect(answers.filter((answer) => pattern.test(answer)).map((answer) => answer.slice(0, 500))).toEqual([]);
  });

  test('nor has the log: no secret, no SQL, no stack', () => {
    expect(node.logs.length).toBeGreaterThan(20);
    checkLog(node.logs);
  });

  test('at its most talkative it has no secret and no SQL either', () => {
    expect(talkative.logs.filter((line) => /planted-|sqlmarker/.test(line))).toEqual([]);
  });
});
