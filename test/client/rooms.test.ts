import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Server, type Socket } from 'socket.io';
import { createHub, joinRoom, type Hub, type Room, type RoomSnapshot } from '../../client/index.js';

type Ack = (reply: object) => void;

/** The contract's rooms, scripted: one room whose version and state the test sets. */
class RoomServer {
  readonly http = createServer();
  readonly io = new Server(this.http, { transports: ['websocket'], serveClient: false });
  readonly calls: { name: string; request: Record<string, unknown> }[] = [];
  view: object = view(5, {});
  onJoin: (ack: Ack, socket: Socket) => void = (ack) => ack({ ok: true, room: 'r', ...this.view });
  onChange: (request: { version: number; patch: object }, ack: Ack) => void = (_request, ack) => ack({ ok: true });

  async start(): Promise<void> {
    this.io.on('connection', (socket) => {
      socket.onAny((name: string, request: Record<string, unknown>, ack: Ack) => {
        this.calls.push({ name, request });
        if (name === 'room:join') this.onJoin(ack, socket);
        else if (name === 'room:change') this.onChange(request as never, ack);
        else ack({ ok: true, version: 6, events: [] });
      });
    });
    this.http.listen(0, '127.0.0.1');
    await once(this.http, 'listening');
  }

  get url(): string {
    return `http://127.0.0.1:${(this.http.address() as AddressInfo).port}`;
  }

  named(name: string): Record<string, unknown>[] {
    return this.calls.filter((call) => call.name === name).map(({ request }) => request);
  }

  event(version: number, rest: object): void {
    this.io.emit('room', { room: 'r', version, by: 'ada', at: 1, ...rest });
  }
}

let server: RoomServer;
let hub: Hub;
let room: Room;

beforeEach(async () => {
  server = new RoomServer();
  await server.start();
  hub = createHub(server.url, { retryFirstMs: 10, retryMostMs: 50 });
});

afterEach(async () => {
  room.leave();
  hub.close();
  await server.io.close();
});

function view(version: number, state: object): object {
  return { version, state, status: null, members: [{ user: 'ada', name: 'Ada', since: 1 }] };
}

function until(holds: (snapshot: RoomSnapshot) => boolean): Promise<RoomSnapshot> {
  return new Promise((resolve) => {
    const look = (snapshot: RoomSnapshot): void => {
      if (!holds(snapshot)) return;
      stop();
      resolve(snapshot);
    };
    const stop = room.subscribe(look);
    look(room.snapshot());
  });
}

const joined = ({ phase }: RoomSnapshot): boolean => phase === 'joined';

it('joins under its name and folds what happens: patches, status, who comes and goes', async () => {
  room = joinRoom(hub, 'r', { name: 'Bo' });
  await until(joined);
  expect(server.named('room:join')).toEqual([{ room: 'r', name: 'Bo' }]);
  server.event(6, { patch: { choices: { region: 'EU' } } });
  server.event(7, { status: 'calm' });
  server.event(8, { joins: [{ user: 'bo', name: 'Bo', since: 2 }] });
  server.event(9, { patch: { choices: { region: null } }, leaves: ['ada'] });
  expect(await until(({ version }) => version === 9)).toMatchObject({
    phase: 'joined',
    state: { choices: {} },
    status: 'calm',
    members: [{ user: 'bo', name: 'Bo', since: 2 }],
  });
  expect(server.named('room:join')).toHaveLength(1);
});

it('takes an event that stands right behind the answer to its join, and none that the answer has in it', async () => {
  server.onJoin = (ack, socket) => {
    const event = { room: 'r', by: 'ada', at: 1 };
    socket.emit('room', { ...event, version: 5, patch: { n: 'old' } });
    ack({ ok: true, room: 'r', ...view(5, { n: 5 }) });
    socket.emit('room', { ...event, version: 6, patch: { m: 6 } });
  };
  room = joinRoom(hub, 'r');
  expect((await until(({ version }) => version === 6)).state).toEqual({ n: 5, m: 6 });
});

it('heals a gap: what it missed comes with the room as a whole', async () => {
  room = joinRoom(hub, 'r');
  await until(joined);
  server.view = view(9, { n: 9 });
  server.event(9, { patch: { n: 'alone' } });
  expect((await until(({ version }) => version === 9)).state).toEqual({ n: 9 });
  expect(server.named('room:join')).toHaveLength(2);
});

it('makes a change again that others got ahead of, on the state that they made', async () => {
  server.view = view(5, { n: 1 });
  server.onChange = ({ version, patch }, ack) => {
    if (version < 6) {
      ack({ ok: false, error: { code: 'CONFLICT', message: 'stale', details: { version: 6 } } });
      return server.event(6, { patch: { n: 10 } });
    }
    // The answer first: the event of it may come later.
    ack({ ok: true, version: 7 });
    server.event(7, { patch });
  };
  room = joinRoom(hub, 'r');
  await room.change(({ n }) => ({ n: Number(n) + 1 }));
  expect(server.named('room:change')).toEqual([
    { room: 'r', version: 5, patch: { n: 2 } },
    { room: 'r', version: 6, patch: { n: 11 } },
  ]);
  expect(room.snapshot()).toMatchObject({ version: 7, state: { n: 11 } });
});

it('is in again after its connection was lost, and keeps what it knew meanwhile', async () => {
  server.view = view(5, { n: 5 });
  room = joinRoom(hub, 'r');
  await until(joined);
  const phases: string[] = [];
  room.subscribe(({ phase, state }) => phases.push(`${phase} ${JSON.stringify(state)}`));
  server.view = view(8, { n: 8 });
  server.io.disconnectSockets(true);
  await until(({ version }) => version === 8);
  expect(phases[0]).toBe('joining {"n":5}');
  expect(room.snapshot()).toMatchObject({ phase: 'joined', state: { n: 8 } });
});

it('tries again when the room cannot be had now, and gives up when it may not be had at all', async () => {
  const answers = ['UNAVAILABLE', 'BAD_REQUEST'];
  server.onJoin = (ack) => ack({ ok: false, error: { code: answers.shift(), message: 'no' } });
  room = joinRoom(hub, 'r');
  const { error } = await until(({ phase }) => phase === 'refused');
  expect(error?.code).toBe('BAD_REQUEST');
  expect(server.named('room:join')).toHaveLength(2);
  await expect(room.change({ n: 1 })).rejects.toMatchObject({ code: 'BAD_REQUEST' });
});

it('says goodbye, and refuses what waits', async () => {
  server.onChange = () => undefined;
  room = joinRoom(hub, 'r');
  await until(joined);
  room.leave();
  await expect(room.change({ n: 1 })).rejects.toMatchObject({ code: 'NOT_SUBSCRIBED' });
  await hub.call('room:history', { room: 'r' });
  expect(server.named('room:leave')).toEqual([{ room: 'r' }]);
});
