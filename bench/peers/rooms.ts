import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server } from 'socket.io';
import { hubModule } from '../support/project.js';
import { listening, settingsOf } from './peer.js';
import type * as patches from '../../src/merge-patch.js';

/**
 * Rooms as room servers such as Colyseus keep them: an object in memory, changed by one message after the other, with
 * each change sent to all who are in it. It has no second node, keeps no past, and loses everything with its process.
 */
interface Room {
  version: number;
  patched: number;
  state: patches.Json;
  readonly members: Map<string, object>;
}

interface Change {
  readonly room: string;
  readonly version: number;
  readonly patch: patches.Json;
}

settingsOf<object>();
const { mergePatch } = await hubModule<typeof patches>('merge-patch.js');
const http = createServer();
const io = new Server(http, { transports: ['websocket'] });
const rooms = new Map<string, Room>();

io.on('connection', (socket) => {
  socket.on('room:join', async ({ room }: { room: string }, acknowledge: (answer: object) => void) => {
    const one = rooms.get(room) ?? { version: 0, patched: 0, state: {}, members: new Map() };
    rooms.set(room, one);
    await socket.join(`room of ${room}`);
    const member = { user: socket.id, name: socket.id, since: Date.now() };
    one.members.set(socket.id, member);
    one.version += 1;
    io.to(`room of ${room}`).emit('room', {
      room,
      version: one.version,
      joins: [member],
      by: socket.id,
      at: Date.now(),
    });
    acknowledge({ ok: true, room, version: one.version, state: one.state, members: [...one.members.values()] });
  });
  socket.on('room:change', ({ room, version, patch }: Change, acknowledge: (answer: object) => void) => {
    const one = rooms.get(room);
    if (!one || version < one.patched) return acknowledge({ ok: false, error: { code: 'CONFLICT', message: 'stale' } });
    one.state = mergePatch(one.state, patch);
    one.version += 1;
    one.patched = one.version;
    io.to(`room of ${room}`).emit('room', { room, version: one.version, patch, by: socket.id, at: Date.now() });
    acknowledge({ ok: true, version: one.version });
  });
});
http.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () => listening((http.address() as AddressInfo).port));
