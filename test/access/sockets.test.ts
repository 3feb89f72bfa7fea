import { afterEach, describe, expect, it } from '@jest/globals';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server, type Socket } from 'socket.io';
import { io, type Socket as Client } from 'socket.io-client';
import { WebSocket } from 'ws';
import { AccessService } from '../../src/access/access.service.js';
import { MAX_EVENT_BYTES } from '../../src/access/payload-size.js';
import { DEFAULT_LIMITS, type AccessSettings } from '../../src/access/settings.js';
import type { WireError } from '../../src/errors.js';
import { eventually } from '../support/eventually.js';
import { ManualClock, SECRET, seconds, settings, shared, token } from './support.js';

const open: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

interface Hub {
  readonly access: AccessService;
  readonly io: Server;
  readonly url: string;
  /** Connects; resolves with the error when it is refused. */
  connect(
    auth?: object,
    headers?: Record<string, string>,
  ): Promise<{ client: Client; refused?: Error & { data?: WireError } }>;
}

/** A real Socket.IO server with an event that says who called, guarded as the hub's. */
async function startHub(changes: Partial<AccessSettings> = {}): Promise<Hub> {
  const access = new AccessService(settings(changes));
  const http = createServer();
  const server = new Server(http, access.socketOptions);
  access.attach(server);
  server.on('connection', (socket: Socket) => {
    socket.on('whoami', (_: unknown, answer?: (reply: object) => void) => {
      const { identity, address } = access.of(socket);
      // One that floods asks for no answers, and the first few of its events are let through.
      answer?.({ ok: true, ...identity, address });
    });
  });
  await new Promise<void>((ready) => http.listen(0, '127.0.0.1', ready));
  open.push(() => server.close());
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const connect: Hub['connect'] = (auth = {}, headers = {}) => {
    const client = io(url, {
      transports: ['websocket'],
      auth,
      extraHeaders: headers,
      reconnection: false,
      forceNew: true,
    });
    open.push(() => void client.disconnect());
    return new Promise((resolve) => {
      client.once('connect', () => resolve({ client }));
      client.once('connect_error', (refused) => resolve({ client, refused }));
    });
  };
  return { access, io: server, url, connect };
}

const whoami = (client: Client): Promise<Record<string, unknown>> => client.timeout(5_000).emitWithAck('whoami', {});
const gone = (client: Client): Promise<string> => new Promise((resolve) => client.once('disconnect', resolve));

describe('a socket with a token', () => {
  const jwt = { auth: { mode: 'jwt', secret: SECRET } } as const;

  it('is let in and known to the gateways', async () => {
    const hub = await startHub(jwt);
    const { client } = await hub.connect({ token: await token(shared, 'HS256', { roles: ['analyst'], tenant_id: 7 }) });
    expect(await whoami(client)).toMatchObject({
      user: 'ada',
      roles: ['analyst'],
      claims: { tenant_id: 7 },
      address: '127.0.0.1',
    });
  });

  it.each<[string, object]>([
    ['none', {}],
    ['a wrong one', { token: 'rubbish' }],
    ['one in another place', { authorization: 'Bearer x', guest: 'x' }],
    ['one that is no text', { token: { sub: 'ada' } }],
  ])('is refused with %s, by code', async (_, auth) => {
    const hub = await startHub(jwt);
    const { refused } = await hub.connect(auth);
    expect(refused?.data).toMatchObject({ code: 'UNAUTHENTICATED', message: expect.stringMatching(/token/i) });
    expect(hub.io.sockets.sockets.size).toBe(0);
  });

  it('is ended when its token runs out', async () => {
    const clock = new ManualClock();
    const hub = await startHub({ ...jwt, clock });
    const { client } = await hub.connect({ token: await token(shared, 'HS256', { exp: seconds(clock.now()) + 600 }) });
    expect(await whoami(client)).toMatchObject({ expiresAt: clock.now() + 600_000 });
    const ended = gone(client);
    clock.advance(600_000);
    expect(await ended).toBe('io server disconnect');
    expect(clock.waiting).toBe(0);
  });

  it('leaves no timer behind when it goes earlier', async () => {
    const clock = new ManualClock();
    const hub = await startHub({ ...jwt, clock });
    const { client } = await hub.connect({ token: await token(shared, 'HS256', { exp: seconds(clock.now()) + 600 }) });
    expect(clock.waiting).toBe(1);
    client.disconnect();
    await eventually(() => clock.waiting === 0, { what: 'the timer to be cancelled' });
  });
});

describe('a socket of a guest', () => {
  interface Handshake {
    status: number;
    cookie?: string | undefined;
  }

  /** How a bare websocket handshake is answered. */
  function handshake(url: string, headers: Record<string, string> = {}): Promise<Handshake> {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`, { headers });
    socket.on('error', () => undefined);
    open.push(() => socket.terminate());
    return new Promise((resolve) => {
      const answered = ({ statusCode = 0, headers: answer }: IncomingMessage): void =>
        resolve({ status: statusCode, cookie: answer['set-cookie']?.[0] });
      socket.once('upgrade', answered);
      socket.once('unexpected-response', (_, response) => answered(response));
    });
  }

  it('is given a cookie at the handshake and is the same guest with it', async () => {
    const hub = await startHub();
    const { cookie = '' } = await handshake(hub.url);
    expect(cookie).toMatch(/^pollcast_guest=.*HttpOnly; SameSite=Lax$/);
    const headers = { cookie: cookie.split(';')[0] ?? '' };
    const [one, two, stranger] = await Promise.all([hub.connect({}, headers), hub.connect({}, headers), hub.connect()]);
    const user = (await whoami(one.client)).user;
    expect((await whoami(two.client)).user).toBe(user);
    expect((await whoami(stranger.client)).user).not.toBe(user);
    expect((await handshake(hub.url, headers)).cookie).toBeUndefined();
  });

  it('without cookies is the same guest with a guest token', async () => {
    const hub = await startHub();
    const user = hub.access.guests.newName();
    const { client } = await hub.connect({ guest: hub.access.guests.tokenFor(user) });
    expect(await whoami(client)).toMatchObject({ user, guest: true });
  });

  it('is refused at the handshake when a foreign page opens it', async () => {
    const hub = await startHub({ origins: ['https://dash.example.com'] });
    expect((await handshake(hub.url, { origin: 'https://evil.example' })).status).toBe(400);
    expect((await handshake(hub.url, { origin: hub.url })).status).toBe(101);
    expect((await handshake(hub.url, { origin: 'https://dash.example.com' })).status).toBe(101);
  });

  it('gets no cookie where tokens are asked for', async () => {
    const hub = await startHub({ auth: { mode: 'jwt', secret: SECRET } });
    expect((await handshake(hub.url)).cookie).toBeUndefined();
  });
});

describe('a socket that takes too much', () => {
  const limits = { ...DEFAULT_LIMITS, exemptLoopback: false };

  it('is refused by code when its address has enough connections, until one goes', async () => {
    const hub = await startHub({ limits: { ...limits, address: { ...limits.address, connections: 1 } } });
    const first = await hub.connect();
    expect((await hub.connect()).refused?.data).toMatchObject({ code: 'RATE_LIMITED', details: { per: 'address' } });
    first.client.disconnect();
    await eventually(async () => (await hub.connect()).refused === undefined, { what: 'room for another connection' });
  });

  it('gets RATE_LIMITED as its answer, and the others go on', async () => {
    const hub = await startHub({ limits: { ...limits, socket: { ...limits.socket, eventsPerSecond: 1 } } });
    const [noisy, quiet] = await Promise.all([hub.connect(), hub.connect()]);
    const answers = await Promise.all(Array.from({ length: 30 }, () => whoami(noisy.client)));
    expect(answers.filter(({ ok }) => ok)).toHaveLength(10);
    expect(answers.at(-1)).toMatchObject({
      ok: false,
      error: { code: 'RATE_LIMITED', details: { retryAfterMs: expect.any(Number) } },
    });
    expect(await whoami(quiet.client)).toMatchObject({ ok: true });
  });

  it('and does not read the refusals is cut', async () => {
    const hub = await startHub({ limits: { ...limits, socket: { ...limits.socket, eventsPerSecond: 1 } } });
    const { client } = await hub.connect();
    const cut = gone(client);
    for (let i = 0; i < 2_000; i += 1) client.emit('whoami', {});
    expect(await cut).toBe('io server disconnect');
  });

  it('gets BAD_REQUEST for a message that is too big, and lives', async () => {
    const hub = await startHub();
    const { client } = await hub.connect();
    const answer: unknown = await client.timeout(5_000).emitWithAck('whoami', { junk: 'x'.repeat(1024 * 1024) });
    expect(answer).toMatchObject({
      ok: false,
      error: { code: 'BAD_REQUEST', message: expect.stringContaining(String(MAX_EVENT_BYTES)) },
    });
    expect(await whoami(client)).toMatchObject({ ok: true });
  });

  it('loses its connection for a message that is beyond everything, and the others do not', async () => {
    const hub = await startHub();
    const [huge, other] = await Promise.all([hub.connect(), hub.connect()]);
    const ended = gone(huge.client);
    huge.client.emit('whoami', { junk: 'x'.repeat(3 * 1024 * 1024) });
    expect(await ended).toMatch(/transport/);
    expect(await whoami(other.client)).toMatchObject({ ok: true });
  });
});

describe('a socket that was not let in', () => {
  it('is nobody to the gateways', async () => {
    const hub = await startHub();
    expect(() => hub.access.of({} as Socket)).toThrow(expect.objectContaining({ code: 'UNAUTHENTICATED' }));
  });
});

describe('a connection that does not say who it is', () => {
  it('is ended when its time is over', async () => {
    const access = new AccessService(settings());
    expect(access.socketOptions.connectTimeout).toBe(10_000);
    const http = createServer();
    const server = new Server(http, { ...access.socketOptions, connectTimeout: 50 });
    access.attach(server);
    await new Promise<void>((ready) => http.listen(0, '127.0.0.1', ready));
    open.push(() => server.close());
    const { port } = http.address() as AddressInfo;
    const socket = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`);
    // It never sends the packet that would connect it to the namespace.
    await new Promise((closed) => socket.once('close', closed));
    expect(server.sockets.sockets.size).toBe(0);
  });
});
