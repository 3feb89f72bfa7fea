import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { newNodeId } from '../../../src/kernel/identity.js';
import { Kernel } from '../../../src/kernel/kernel.js';
import { silent } from '../../../src/kernel/log.js';
import { runCli } from '../../../src/ops/cli/program.js';
import { RedisBench } from '../../kernel/ports/redis-bench.js';
import { eventually } from '../../support/eventually.js';
import { startPostgres, type TestDatabase, type TestPostgres } from '../../support/postgres.js';
import { startRedis, type TestRedis } from '../../support/redis.js';

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

let interrupt: AbortController;
let written: string[];
beforeEach(() => {
  interrupt = new AbortController();
  written = [];
});

async function cli(line: string, env: Record<string, string> = {}, colour = false): Promise<Outcome> {
  const errors: string[] = [];
  const code = await runCli(line.split(' '), {
    env,
    out: (text) => void written.push(text),
    error: (text) => void errors.push(text),
    colour,
    signal: interrupt.signal,
    interruptible: () => undefined,
  });
  return { code, out: written.join(''), error: errors.join('') };
}

describe('a command line', () => {
  it('explains itself, with examples', async () => {
    const { code, out } = await cli('--help');
    expect(code).toBe(0);
    for (const name of ['start', 'topics', 'nodes', 'ps', 'viewers', 'zombies', 'stop', 'move', 'cordon', 'uncordon']) {
      expect(out).toMatch(new RegExp(`^  ${name} `, 'm'));
    }
    expect(out).toContain('Examples:');
  });

  it('that is wrong is told so, with the nearest right one', async () => {
    expect(await cli('zombie')).toMatchObject({ code: 2, error: expect.stringContaining('(Did you mean zombies?)') });
    expect(await cli('ps --jsno')).toMatchObject({ code: 2, error: expect.stringContaining('(Did you mean --json?)') });
    expect(await cli('stop')).toMatchObject({
      code: 2,
      error: expect.stringContaining("missing required argument 'name'"),
    });
    expect(await cli('ps --url nowhere')).toMatchObject({
      code: 2,
      error: expect.stringMatching(/^--url: expected an address such as/),
    });
  });

  it('in a wrong environment is told all that is wrong with it', async () => {
    const { code, error } = await cli('ps', { PORT: 'x', LEASE_MS: 'y' });
    expect(code).toBe(2);
    expect(error).toMatch(/^The environment is not right:\n {2}PORT: expected .*\n {2}LEASE_MS: expected .*\n$/);
    expect(await cli('start', { AUTH: 'jwt' })).toMatchObject({
      code: 1,
      error: expect.stringContaining('AUTH: expected'),
    });
  });

  it('to nobody is told what to do', async () => {
    expect(await cli('ps --url http://127.0.0.1:1')).toEqual({
      code: 2,
      out: '',
      error:
        'no node answers at http://127.0.0.1:1: start one with `pollcast start`, name its address with --url, or set REDIS_URL to ask the cluster itself\n',
    });
    const { code, error } = await cli('ps', { REDIS_URL: 'redis://:hunter2@127.0.0.1:1' });
    expect(code).toBe(2);
    expect(error).toMatch(
      /^Redis at redis:\/\/:\*\*\*@127.0.0.1:1 does not answer \(.*\): is REDIS_URL right, and does it run\?\n$/,
    );
  });
});

describe('over a node’s admin API', () => {
  let server: Server;
  let url: string;
  let requests: { method: string | undefined; path: string | undefined; token: string | undefined; body: string }[];
  let answer: { status: number; body: string };

  beforeAll(async () => {
    server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk) => (body += String(chunk)));
      request.on('end', () => {
        requests.push({ method: request.method, path: request.url, token: request.headers.authorization, body });
        response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  beforeEach(() => {
    requests = [];
    answer = { status: 200, body: '[]' };
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  it('each command is its request, with the admin token', async () => {
    const env = { ADMIN_TOKEN: 'let-me-in' };
    for (const line of ['nodes', 'ps', 'viewers', 'zombies', 'zombies --clean'])
      expect((await cli(`${line} --url ${url}`, env)).code).toBe(0);
    answer = { status: 200, body: '{"ok":true,"node":"b"}' };
    await cli(`stop poller:x#1 --url ${url}`, env);
    await cli(`move poller:x --to b --url ${url}`, env);
    await cli(`cordon a --url ${url}`, env);
    await cli(`uncordon a --url ${url}`, env);
    expect(requests.map(({ method, path, body }) => `${method} ${path} ${body}`.trim())).toEqual([
      'GET /api/nodes',
      'GET /api/processes',
      'GET /api/nodes',
      'GET /api/viewers',
      'GET /api/zombies',
      'POST /api/zombies/clean',
      'DELETE /api/processes/poller%3Ax%231',
      'POST /api/processes/poller%3Ax/move {"to":"b"}',
      'POST /api/nodes/a/cordon',
      'POST /api/nodes/a/uncordon',
    ]);
    expect(new Set(requests.map(({ token }) => token))).toEqual(new Set(['Bearer let-me-in']));
  });

  it('a refusal is told in the node’s words, with what to do', async () => {
    answer = { status: 401, body: '{"error":{"code":"UNAUTHENTICATED","message":"The admin API needs a token."}}' };
    expect((await cli(`ps --url ${url}`)).error).toBe(
      'The admin API needs a token. Set ADMIN_TOKEN here to the one of the node.\n',
    );
    answer = { status: 404, body: '{"error":{"code":"NOT_FOUND","message":"there is no process `x`"}}' };
    expect(await cli(`stop x --url ${url}`)).toEqual({ code: 2, out: '', error: 'there is no process `x`\n' });
    answer = { status: 200, body: '<html>' };
    expect((await cli(`ps --url ${url}`)).error).toMatch(/is no Pollcast node: name the address of one with --url\n$/);
  });

  it('tables are text in columns, or JSON as it came; colours are for terminals', async () => {
    const row = {
      name: 'poller:x',
      kind: 'poller',
      node: 'a',
      fence: 7,
      state: 'running',
      since: 0,
      restarts: 0,
      leaseLeftMs: 900,
      error: null,
    };
    answer = { status: 200, body: JSON.stringify([row]) };
    expect(JSON.parse((await cli(`ps --json --url ${url}`)).out)).toEqual([row]);
    written = [];
    const [head, first] = (await cli(`ps --url ${url}`)).out.split('\n');
    expect(head).toMatch(/^NAME +KIND +NODE +FENCE +STATE +AGE +LEASE +RESTARTS +LAST ERROR$/);
    expect(first).toMatch(/^poller:x +poller +a +7 +running +\d+d\d*h? +0\.9s +0$/);
    written = [];
    expect((await cli(`ps --url ${url}`, {}, true)).out).toContain('\u001b[32mrunning\u001b[0m');
  });

  it('zombies make the exit code 1, as long as there are any', async () => {
    const zombie = { kind: 'orphan-lease', name: 'x', node: 'a', ageMs: 1, evidence: 'e' };
    answer = { status: 200, body: JSON.stringify([zombie]) };
    expect((await cli(`zombies --url ${url}`)).code).toBe(1);
    answer = { status: 200, body: JSON.stringify([{ ...zombie, removed: true, outcome: 'lease removed' }]) };
    expect(await cli(`zombies --clean --url ${url}`)).toMatchObject({
      code: 0,
      out: expect.stringContaining('lease removed'),
    });
    answer = { status: 200, body: JSON.stringify([{ ...zombie, removed: false, outcome: 'left' }]) };
    expect((await cli(`zombies --clean --url ${url}`)).code).toBe(1);
  });

  it('zombies are watched until Ctrl-C', async () => {
    const watching = cli(`zombies --watch --json --url ${url}`);
    await eventually(() => written.length > 0, { what: 'the first look' });
    interrupt.abort();
    expect((await watching).code).toBe(0);
    expect(written).toEqual(['[]\n']);
  });
});

describe('over the cluster’s Redis', () => {
  let redis: TestRedis;
  let bench: RedisBench;
  let env: Record<string, string>;
  const kernels: Kernel[] = [];

  beforeAll(async () => {
    redis = await startRedis();
  });
  beforeEach(() => {
    bench = new RedisBench(redis);
    env = { REDIS_URL: redis.url, REDIS_PREFIX: bench.prefix };
  });
  afterEach(async () => {
    for (const kernel of kernels.splice(0)) await kernel.close();
    await bench.close();
  });
  afterAll(() => redis.stop());

  async function start(name: string, slots = 0): Promise<Kernel> {
    const kernel = new Kernel({
      ports: await bench.connect(newNodeId(name)),
      version: '1',
      log: silent,
      leaseMs: 2_000,
      info: () => ({ slots }),
    });
    kernel.define({ kind: 'room', start: () => ({}) });
    kernel.define({ kind: 'recording', start: () => ({}) });
    await kernel.start();
    kernels.push(kernel);
    return kernel;
  }

  it('ps says how many slots of recorders are used, where there are any', async () => {
    const a = await start('a', 2);
    await start('b', 2);
    await start('c');
    expect((await cli('ps', env)).out).toBe('No processes.\nRecorder slots: 0 of 4 used (a 0/2, b 0/2).\n');
    await a.ensure({ name: 'recording:1', kind: 'recording', args: null });
    written = [];
    const [{ node }] = JSON.parse((await cli('ps --json', env)).out) as [{ node: string }];
    written = [];
    const used = (name: string): string => `${name} ${name === node ? 1 : 0}/2`;
    expect((await cli('ps', env)).out).toContain(`\nRecorder slots: 1 of 4 used (${used('a')}, ${used('b')}).\n`);
  });

  it('everything works while nodes live', async () => {
    const [a, b] = [await start('a'), await start('b')];
    await a.ensure({ name: 'room:1', kind: 'room', args: null });
    expect(JSON.parse((await cli('ps --json', env)).out)).toMatchObject([
      { name: 'room:1', node: 'a', state: 'running' },
    ]);
    expect(await cli('move room:1 --to b', env)).toMatchObject({
      code: 0,
      out: expect.stringContaining('room:1 is on b now.'),
    });
    expect(b.owned().map(({ name }) => name)).toEqual(['room:1']);
    expect((await cli('cordon b', env)).code).toBe(0);
    written = [];
    expect(JSON.parse((await cli('nodes --json', env)).out)).toMatchObject([
      { name: 'a', state: 'live', processes: 0 },
      { name: 'b', state: 'cordoned', processes: 1 },
    ]);
    expect((await cli('zombies', env)).code).toBe(0);
    expect((await cli('stop room:1', env)).code).toBe(0);
    expect(b.owned()).toEqual([]);
    expect(await cli('stop rom:1', env)).toMatchObject({
      code: 2,
      error: 'there is no process `rom:1`; there are none\n',
    });
  });

  it('everything but moving works while no node is alive', async () => {
    const dead = await bench.connect(newNodeId('dead'));
    const record = {
      id: dead.node,
      name: 'dead',
      version: '1',
      startedAt: Date.now(),
      state: 'live',
      kinds: [],
      info: {},
    } as const;
    await dead.store.announce(record, 0);
    await dead.store.register({ name: 'room:1', kind: 'room', args: null });
    await dead.store.claim('room:1', dead.node, 1);
    expect(JSON.parse((await cli('nodes --json', env)).out)).toMatchObject([{ name: 'dead', state: 'dead' }]);
    const zombies = await cli('zombies', env);
    expect(zombies.code).toBe(1);
    expect(zombies.out).toMatch(/dead-owner +room:1 +dead +\S+ +owned by dead with fence 1, but that node is dead/);
    expect((await cli('move room:1', env)).code).toBe(2);
    expect((await cli('zombies --clean', env)).code).toBe(0);
    expect((await cli('zombies', env)).code).toBe(0);
    expect((await cli('stop room:1', env)).code).toBe(0);
    expect(await dead.store.processes()).toEqual([]);
  });
});

describe('topics', () => {
  let postgres: TestPostgres;
  let database: TestDatabase;
  let dir: string;

  beforeAll(async () => {
    postgres = await startPostgres();
    database = await postgres.createDatabase();
    dir = await mkdtemp(join(tmpdir(), 'pollcast-topics-'));
    await writeFile(join(dir, 'clock.sql'), '/*\ntitle: The time\ninterval: 2s\n*/\nSELECT now() AS now\n');
  });
  afterAll(async () => {
    await postgres.stop();
    await rm(dir, { recursive: true, force: true });
  });

  it('are listed', async () => {
    const { code, out } = await cli('topics --json', { TOPICS_DIR: dir });
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual([
      {
        name: 'clock',
        title: 'The time',
        file: 'clock.sql',
        interval: '2s',
        params: [],
        key: [],
        roles: [],
        partitions: 1,
      },
    ]);
  });

  it('are checked against the database: exit code 1 if there is an error, with its place', async () => {
    const env = { TOPICS_DIR: dir, DATABASE_URL: database.url };
    expect(await cli('topics check', env)).toMatchObject({
      code: 0,
      out: expect.stringMatching(/Errors: 0\. Warnings: \d+\.\n$/),
    });
    await writeFile(join(dir, 'lost.sql'), 'SELECT a FROM nowhere\n');
    const { code, out } = await cli('topics check', env);
    expect(code).toBe(1);
    expect(out).toMatch(/^lost\.sql:1:15: error: relation "nowhere" does not exist$/m);
    written = [];
    const listed = await cli('topics check --json', env);
    expect(JSON.parse(listed.out)).toContainEqual(
      expect.objectContaining({ file: 'lost.sql', line: 1, severity: 'error' }),
    );
  });

  it('are told apart whose channels cannot share a statement', async () => {
    const header = 'params:\n  n: { type: int }\n';
    await writeFile(join(dir, 'alone.sql'), `/*\n${header}*/\nSELECT max(:n)::int AS m FROM pg_class\n`);
    await writeFile(join(dir, 'shared.sql'), `/*\n${header}*/\nSELECT 1 AS one WHERE :n = 1\n`);
    const { out } = await cli('topics check', { TOPICS_DIR: dir, DATABASE_URL: database.url });
    expect(out).toMatch(/^alone\.sql:1: warning: its channels cannot share a statement, .*: aggregate functions/m);
    expect(out).not.toContain('shared.sql');
  });

  it('that have no folder are told so', async () => {
    const { code, error } = await cli('topics', { TOPICS_DIR: join(dir, 'nowhere') });
    expect(code).toBe(2);
    expect(error).toContain('nowhere');
  });
});
