import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Injectable, Module, type INestApplication } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WebSocketGateway } from '@nestjs/websockets';
import { io, type Socket } from 'socket.io-client';
import { watchExport } from '../../client/export-watch.js';
import { createHub, type Hub } from '../../client/hub.js';
import { silent } from '../../src/kernel/log.js';
import { done, PollcastModule, RowWorker, usePollcast, type PollcastOptions } from '../../src/nest/index.js';
import { eventually } from '../support/eventually.js';
import { createHost, HostGateway, startHost, Weather, type HostOptions } from './host-app.js';

let app: INestApplication | undefined;
let hub: Hub | undefined;
const sockets: Socket[] = [];
afterEach(async () => {
  hub?.close();
  for (const socket of sockets.splice(0)) socket.disconnect();
  await app?.close();
  app = hub = undefined;
});

async function start(options?: HostOptions): Promise<string> {
  const started = await startHost(options);
  app = started.app;
  return started.url;
}

async function ask(url: string, headers: Record<string, string> = {}): Promise<{ status: number; body: unknown }> {
  const response = await fetch(url, { headers });
  return { status: response.status, body: await response.json() };
}

describe('a hub within an application', () => {
  it('serves a method with @Topic() to viewers and over HTTP, without any database', async () => {
    const url = await start();
    const weather = app!.get(Weather);
    hub = createHub(url);
    const seen: unknown[] = [];
    for await (const rows of hub.topic('weather.now', { city: 'Linz' })) {
      seen.push(rows);
      if (seen.length === 1) weather.degrees = 21;
      else break;
    }
    expect(seen).toEqual([[{ city: 'Linz', degrees: 20 }], [{ city: 'Linz', degrees: 21 }]]);
    expect(await ask(`${url}/api/topics/weather.now`)).toMatchObject({
      status: 200,
      body: { channel: 'weather.now?city=Graz', rows: [{ city: 'Graz', degrees: 21 }] },
    });
    expect(await ask(`${url}/health/ready`)).toEqual({ status: 200, body: { ok: true } });
  });

  it('answers for its own routes as the contract says, and leaves all others to the application', async () => {
    const url = await start();
    expect(await ask(`${url}/api/topics/weather.new`)).toMatchObject({
      status: 404,
      body: { error: { code: 'UNKNOWN_TOPIC', message: expect.stringContaining('weather.now') } },
    });
    const failed = await ask(`${url}/api/topics/weather.now?city=Atlantis`);
    expect(failed).toMatchObject({ status: 502, body: { error: { code: 'QUERY_FAILED' } } });
    expect(JSON.stringify(failed)).not.toMatch(/secret|pw/);
    expect(await ask(`${url}/host/broken`)).toEqual({ status: 418, body: { host: 'the host is broken' } });
    expect(await ask(`${url}/nowhere`)).toEqual({ status: 418, body: { host: 'Cannot GET /nowhere' } });
    expect(await ask(`${url}/host/say/shout`)).toEqual({ status: 200, body: { word: 'SHOUT' } });
  });

  it('leaves the application its gateways, with the adapter that they had', async () => {
    class OwnAdapter extends IoAdapter {
      readonly made: (string | undefined)[] = [];
      closed = 0;
      override createIOServer(
        ...[port, options]: Parameters<IoAdapter['createIOServer']>
      ): ReturnType<IoAdapter['createIOServer']> {
        this.made.push((options as { path?: string }).path);
        return super.createIOServer(port, options);
      }
      override async close(...[server]: Parameters<IoAdapter['close']>): Promise<void> {
        this.closed += 1;
        await super.close(server);
      }
    }
    const created = (app = await createHost({ providers: [HostGateway], sockets: null }));
    const own = new OwnAdapter(created);
    await usePollcast(created, { adapter: own, path: '/hub.io' });
    await created.listen(0, '127.0.0.1');
    const url = (await created.getUrl()).replace('[::1]', '127.0.0.1');
    expect(own.made).toEqual(['/host.io']);

    // Polling first: the hub's rule of websockets only, and its names for guests, are not the application's.
    const socket = io(url, { path: '/host.io', transports: ['polling'] });
    sockets.push(socket);
    const pong = new Promise((resolve) => socket.once('pong', resolve));
    socket.emit('ping', { n: 1 });
    expect(await pong).toEqual({ n: 1 });

    hub = createHub(url, { path: '/hub.io' });
    for await (const rows of hub.topic('weather.now')) {
      expect(rows).toEqual([{ city: 'Graz', degrees: 20 }]);
      break;
    }
    hub.close();
    socket.disconnect();
    await created.close();
    app = undefined;
    expect(own.closed).toBe(1);
  });

  it('opens the admin API to nobody on its own, and to whom the options name', async () => {
    const url = await start({ hub: { adminToken: 'token-of-the-admin' } });
    expect((await ask(`${url}/api/nodes`)).status).toBe(401);
    expect((await ask(`${url}/api/nodes`, { authorization: 'Bearer token-of-the-admin' })).status).toBe(200);
    await app!.close();
    const without = await start();
    expect((await ask(`${without}/api/nodes`)).status).toBe(401);
    hub = createHub(without);
    await expect(hub.topic('pollcast.nodes')[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: 'FORBIDDEN',
    });
  });

  it('puts its routes below a prefix, and describes them there, without those of the application', async () => {
    const url = await start({ hub: { prefix: 'live' } });
    expect((await ask(`${url}/live/api/topics/weather.now`)).status).toBe(200);
    expect((await ask(`${url}/live/health/live`)).status).toBe(200);
    expect((await ask(`${url}/api/topics/weather.now`)).status).toBe(418);
    const { body } = await ask(`${url}/live/api`, { accept: 'text/html' });
    const document = body as { servers: unknown; paths: Record<string, unknown> };
    expect(document.servers).toEqual([{ url: '/live' }]);
    expect(Object.keys(document.paths)).toContain('/api/topics/{name}');
    expect(Object.keys(document.paths).join()).not.toContain('host');
  });

  it('hands out addresses that lead back to it, whatever stands before its routes', async () => {
    const storage = await mkdtemp(join(tmpdir(), 'pollcast-nest-'));
    try {
      app = await createHost({ hub: { prefix: '/live/', storageUrl: `file:${storage}` } });
      app.setGlobalPrefix('v1');
      await app.listen(0, '127.0.0.1');
      const url = await app.getUrl();
      hub = createHub(url);
      const watch = watchExport(hub);
      await watch.request({ topic: 'weather.now', format: 'csv' });
      await eventually(() => watch.snapshot().export?.state === 'ready');
      const { id, url: file } = watch.snapshot().export ?? {};
      expect(file).toBe(`/v1/live/api/exports/${id}/file`);
      const link = await watch.link();
      expect(link.startsWith(`${file}?`)).toBe(true);
      expect(await (await fetch(url + link)).text()).toBe('city,degrees\nGraz,20\n');
      watch.close();
    } finally {
      await rm(storage, { recursive: true, force: true });
    }
  });

  it('takes its options from other providers, and refuses wrong ones when the application starts', async () => {
    @Module({ providers: [{ provide: 'settings', useValue: { city: 'x' } }], exports: ['settings'] })
    class SettingsModule {}
    const async = (options: object) =>
      PollcastModule.forRootAsync({
        imports: [SettingsModule],
        inject: ['settings'],
        logger: silent,
        useFactory: async (settings: unknown) => {
          expect(settings).toEqual({ city: 'x' });
          return Promise.resolve({ auth: 'none', ...options } as PollcastOptions);
        },
      });
    const url = await start({ imports: [async({})] });
    expect((await ask(`${url}/api/topics/weather.now`)).status).toBe(200);
    await expect(createHost({ imports: [async({ leaseMs: 1 })] })).rejects.toThrow(/leaseMs: expected/);
    expect(() => PollcastModule.forRoot({ auth: 'none', topicsDir: 'x' })).toThrow(/topicsDir: expected databaseUrl/);
  });

  it('leaves signals and uncaught errors to the application', async () => {
    const events = ['SIGTERM', 'SIGINT', 'disconnect', 'uncaughtException', 'unhandledRejection', 'exit'] as const;
    const counts = (): number[] => events.map((event) => process.listenerCount(event));
    const before = counts();
    await start();
    expect(counts()).toEqual(before);
  });
});

describe('an application that does not fit', () => {
  it('is told so, with what to do', async () => {
    app = await createHost({ sockets: null });
    await expect(app.init()).rejects.toMatchObject({
      code: 'BAD_REQUEST',
      message: expect.stringContaining('call `await usePollcast(app)` before app.init()'),
    });
    await app.close();

    app = undefined;
    await expect(createHost({ imports: [] })).rejects.toMatchObject({
      code: 'BAD_REQUEST',
      message: expect.stringContaining('PollcastModule.forRoot(…) among the imports'),
    });

    await expect(usePollcast({} as INestApplication)).rejects.toThrow(/same @nestjs\/core/);

    const one = (nodeName: string) => PollcastModule.forRoot({ auth: 'none', logger: silent, nodeName });
    app = await createHost({ imports: [one('a'), one('b')] });
    await expect(app.init()).rejects.toMatchObject({ code: 'CONFLICT', message: expect.stringContaining('got 2') });
  });

  it('on another HTTP server than Express is refused', async () => {
    app = await createHost({ sockets: null });
    jest.spyOn(app.getHttpAdapter(), 'getType').mockReturnValue('fastify');
    await expect(usePollcast(app)).rejects.toMatchObject({
      code: 'BAD_REQUEST',
      message: 'usePollcast: expected an application on Express, got one on fastify.',
    });
  });

  it('with row workers and no Postgres is told which of them needs one', async () => {
    @Injectable()
    @RowWorker({ name: 'auctions', table: 'auctions', match: 'open', every: '1s' })
    class Auctions {
      step(): typeof done {
        return done;
      }
    }
    app = await createHost({ providers: [Auctions] });
    await expect(app.init()).rejects.toMatchObject({
      code: 'BAD_REQUEST',
      message: expect.stringMatching(/Auctions.*row workers need a Postgres as databaseUrl/),
    });
  });

  it('that has a gateway where the hub would be is told to move one of them', async () => {
    @WebSocketGateway()
    class SamePath {}
    app = await createHost({ providers: [SamePath] });
    await expect(app.init()).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining('usePollcast(app, { path })'),
    });
  });
});
