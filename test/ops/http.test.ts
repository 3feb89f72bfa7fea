import { Controller, Get, Module } from '@nestjs/common';
import { APP_FILTER, NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SignJWT } from 'jose';
import { AccessModule } from '../../src/access/access.module.js';
import type { AccessSettings } from '../../src/access/settings.js';
import { PollcastError } from '../../src/errors.js';
import { KernelClient } from '../../src/kernel/client.js';
import { silent, type Logger } from '../../src/kernel/log.js';
import { DATABASE, LOG } from '../../src/node.tokens.js';
import { AdminController } from '../../src/ops/http/admin.controller.js';
import { AdminGuard } from '../../src/ops/http/admin.guard.js';
import { ErrorFilter } from '../../src/http/error.filter.js';
import { HealthController } from '../../src/ops/http/health.controller.js';
import { TopicCatalogue } from '../../src/topics/catalogue.js';
import { MemoryFrames } from '../../src/polling/frames/memory.js';
import { Metrics } from '../../src/ops/metrics.js';
import { Operations } from '../../src/ops/operations.js';
import { Readiness } from '../../src/ops/readiness.js';
import { SECRET, settings as accessSettings } from '../access/support.js';
import { memoryBench, run, type OpsBench } from './bench.js';

/** What goes wrong in somebody's controller. */
@Controller('broken')
class BrokenController {
  @Get('bug')
  bug(): never {
    throw new Error('SELECT secret FROM postgres://me:pw@db');
  }

  @Get('busy')
  busy(): never {
    throw new PollcastError('RATE_LIMITED', 'too many', { retryAfterMs: 1_200 });
  }
}

@Module({})
class TestModule {}

let app: NestExpressApplication | undefined;
let url: string;
let bench: OpsBench;
let faulty: string[];
let leaving: boolean;
let logged: unknown[];

beforeEach(() => {
  bench = memoryBench();
  faulty = [];
  leaving = false;
  logged = [];
});
afterEach(async () => {
  await app?.close();
  await bench.close();
});

async function start(access: Partial<AccessSettings> = {}): Promise<void> {
  const ports = await bench.operator();
  const commands = await KernelClient.open(ports, silent);
  const settings = { leaseMs: 5_000, lingerMs: 5_000, confirmMs: 5 };
  const operations = new Operations({ ports, commands, frames: new MemoryFrames(), settings });
  const log: Logger = { ...silent, error: (fields) => void logged.push(fields) };
  const run = (): Promise<void> => (faulty.length > 0 ? Promise.reject(new Error(faulty[0])) : Promise.resolve());
  const readiness = new Readiness([{ name: 'database', run }], () => leaving, silent);
  const module = {
    module: TestModule,
    imports: [AccessModule.forRoot({ useFactory: () => accessSettings(access) })],
    controllers: [HealthController, AdminController, BrokenController],
    providers: [
      { provide: LOG, useValue: log },
      { provide: Metrics, useFactory: () => new Metrics() },
      { provide: Readiness, useValue: readiness },
      { provide: Operations, useValue: operations },
      { provide: TopicCatalogue, useValue: {} },
      { provide: DATABASE, useValue: { url: 'postgres://nowhere' } },
      { provide: APP_FILTER, useClass: ErrorFilter },
      AdminGuard,
    ],
  };
  app = await NestFactory.create<NestExpressApplication>(module, { logger: false, forceCloseConnections: true });
  await app.listen(0, '127.0.0.1');
  url = await app.getUrl();
}

async function ask(path: string, init: RequestInit = {}): Promise<{ status: number; headers: Headers; body: unknown }> {
  const response = await fetch(`${url}${path}`, init);
  return { status: response.status, headers: response.headers, body: JSON.parse(await response.text()) as unknown };
}

const bearer = (token: string): RequestInit => ({ headers: { authorization: `Bearer ${token}` } });

describe('the admin API', () => {
  it('answers with the lists of the contract', async () => {
    await start();
    const node = await bench.node('a');
    await run(node, 'poller:x');
    expect((await ask('/api/nodes')).body).toMatchObject([{ name: 'a', state: 'live', processes: 1 }]);
    expect((await ask('/api/processes')).body).toMatchObject([{ name: 'poller:x', node: 'a', state: 'running' }]);
    expect((await ask('/api/viewers')).body).toEqual([]);
    expect((await ask('/api/zombies')).body).toEqual([]);
    await bench.kill(node);
    expect((await ask('/api/zombies')).body).toMatchObject([{ kind: 'dead-owner', name: 'poller:x' }]);
    expect(await ask('/api/zombies/clean', { method: 'POST' })).toMatchObject({
      status: 200,
      body: [{ kind: 'dead-owner', name: 'poller:x', removed: true }],
    });
    expect((await ask('/api/processes')).body).toEqual([]);
  });

  it('does what it is asked to do with names that need escaping', async () => {
    await start();
    const ports = await bench.node('a');
    await ports.store.register({ name: 'poller:a/b#1', kind: 'poller', args: null });
    expect((await ask(`/api/processes/${encodeURIComponent('poller:a/b#1')}`, { method: 'DELETE' })).body).toEqual({
      ok: true,
      name: 'poller:a/b#1',
    });
    expect(await ports.store.processes()).toEqual([]);
    expect((await ask('/api/nodes/a/cordon', { method: 'POST' })).body).toEqual({
      ok: true,
      name: 'a',
      state: 'cordoned',
    });
    expect((await ask('/api/nodes')).body).toMatchObject([{ state: 'cordoned' }]);
    await ask('/api/nodes/a/uncordon', { method: 'POST' });
    expect((await ask('/api/nodes')).body).toMatchObject([{ state: 'live' }]);
  });

  it('refuses a body that is none of its own', async () => {
    await start();
    const send = (body: string): RequestInit => ({
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json' },
    });
    const path = '/api/processes/poller%3Ax/move';
    expect(await ask(path, send('{"too":"b"}'))).toMatchObject({
      status: 400,
      body: { error: { code: 'BAD_REQUEST' } },
    });
    expect(await ask(path, send('{'))).toMatchObject({ status: 400, body: { error: { code: 'BAD_REQUEST' } } });
    expect(await ask(path, send('{"to":"b"}'))).toMatchObject({ status: 404, body: { error: { code: 'NOT_FOUND' } } });
  });
});

describe('who may use the admin API', () => {
  const paths = [
    ['GET', '/api/nodes'],
    ['GET', '/api/processes'],
    ['GET', '/api/viewers'],
    ['GET', '/api/zombies'],
    ['POST', '/api/zombies/clean'],
    ['DELETE', '/api/processes/x'],
    ['POST', '/api/processes/x/move'],
    ['POST', '/api/nodes/x/cordon'],
    ['POST', '/api/nodes/x/uncordon'],
  ] as const;

  it('on loopback without authentication: who is here, but no page of another origin', async () => {
    await start();
    expect((await ask('/api/nodes')).status).toBe(200);
    expect((await ask('/api/nodes', { headers: { origin: url } })).status).toBe(200);
    for (const [method, path] of paths) {
      const answer = await ask(path, { method, headers: { origin: 'https://evil.example' } });
      expect(answer).toMatchObject({ status: 403, body: { error: { code: 'FORBIDDEN' } } });
    }
  });

  it('elsewhere: the bearer of ADMIN_TOKEN, and nobody else', async () => {
    await start({ loopback: false, adminToken: 'let me in' });
    for (const [method, path] of paths) {
      const answer = await ask(path, { method });
      expect(answer).toMatchObject({ status: 401, body: { error: { code: 'UNAUTHENTICATED' } } });
      expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    }
    await app?.close();
    await start({ loopback: false, adminToken: 'token-of-the-admin' });
    expect((await ask('/api/nodes', bearer('token-of-the-admim'))).status).toBe(401);
    expect((await ask('/api/nodes', bearer('token-of-the-admin'))).status).toBe(200);
  });

  it('with JWT: who has the role', async () => {
    await start({ auth: { mode: 'jwt', secret: SECRET } });
    const sign = (roles: string[]): Promise<string> =>
      new SignJWT({ roles })
        .setProtectedHeader({ alg: 'HS256' })
        .setSubject('ann')
        .setExpirationTime('1m')
        .sign(new TextEncoder().encode(SECRET));
    expect((await ask('/api/nodes')).status).toBe(401);
    expect((await ask('/api/nodes', bearer(await sign(['analyst'])))).status).toBe(403);
    expect((await ask('/api/nodes', bearer(await sign(['admin'])))).status).toBe(200);
  });
});

describe('health', () => {
  it('is open to everybody', async () => {
    await start({ loopback: false, adminToken: 'let-me-in' });
    expect(await ask('/health/live')).toMatchObject({ status: 200, body: { ok: true } });
    expect(await ask('/health/ready')).toMatchObject({ status: 200, body: { ok: true } });
  });

  it('is not ready with what it needs away, and says what, not where', async () => {
    await start();
    faulty = ['connect ECONNREFUSED 10.0.0.1:5432'];
    expect(await ask('/health/ready')).toMatchObject({
      status: 503,
      body: { ok: false, reasons: ['database: does not answer'] },
    });
    expect((await ask('/health/live')).status).toBe(200);
    faulty = [];
    expect((await ask('/health/ready')).status).toBe(200);
  });

  it('is not ready while it leaves', async () => {
    await start();
    leaving = true;
    expect(await ask('/health/ready')).toMatchObject({ status: 503, body: { ok: false, reasons: ['draining'] } });
  });

  it('has figures for Prometheus', async () => {
    await start();
    const response = await fetch(`${url}/metrics`);
    expect(response.headers.get('content-type')).toMatch(/^text\/plain/);
    const names = (await response.text()).split('\n').flatMap((line) => /^# TYPE (\S+)/.exec(line)?.[1] ?? []);
    expect(names).toContain('pollcast_polls_total');
    expect(names).toContain('pollcast_nodejs_eventloop_lag_seconds');
    expect(names.filter((name) => !name.startsWith('pollcast_'))).toEqual([]);
  });
});

describe('errors over HTTP', () => {
  it('are coded where there is nothing', async () => {
    await start();
    expect(await ask('/api/nothing')).toMatchObject({
      status: 404,
      body: { error: { code: 'NOT_FOUND', message: 'there is nothing at GET /api/nothing' } },
    });
  });

  it('give nothing away of a bug, which is logged', async () => {
    await start();
    const { status, body } = await ask('/broken/bug');
    expect(status).toBe(503);
    expect(body).toEqual({ error: { code: 'UNAVAILABLE', message: expect.not.stringContaining('SELECT') } });
    expect(logged).toMatchObject([{ path: '/broken/bug', err: { message: expect.stringContaining('SELECT') } }]);
  });

  it('say when to try again', async () => {
    await start();
    const { status, headers, body } = await ask('/broken/busy');
    expect({ status, retry: headers.get('retry-after') }).toEqual({ status: 429, retry: '2' });
    expect(body).toEqual({ error: { code: 'RATE_LIMITED', message: 'too many', details: { retryAfterMs: 1_200 } } });
  });
});
