import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdapter, createShardedAdapter } from '@socket.io/redis-adapter';
import { Redis } from 'ioredis';
import { Server } from 'socket.io';
import { listening, rowsOf, settingsOf, ticking } from './peer.js';

interface Settings {
  readonly everyMs: number;
  readonly padding: number;
  readonly panels: number;
  /** Through the stock adapter, to and from other nodes. */
  readonly adapter?: 'classic' | 'sharded';
  readonly redisUrl?: string;
}

/** Socket.IO as its documentation shows it: a room for each channel, and `to(room).emit`. */
const { everyMs, padding, panels, adapter, redisUrl } = settingsOf<Settings>();
const http = createServer();
const io = new Server(http, { transports: ['websocket'] });
if (adapter && redisUrl !== undefined) {
  const [publisher, subscriber] = [new Redis(redisUrl), new Redis(redisUrl)];
  io.adapter(
    adapter === 'classic' ? createAdapter(publisher, subscriber) : createShardedAdapter(publisher, subscriber),
  );
}
const filling = 'x'.repeat(padding);
let n = 0;

io.on('connection', (socket) => {
  socket.on('subscribe', async ({ topic }: { topic: string }, acknowledge: (answer: object) => void) => {
    await socket.join(`room of ${topic}`);
    acknowledge({ ok: true, channel: topic, epoch: 1, seq: n });
  });
});
ticking(everyMs, () => {
  n += 1;
  for (let panel = 0; panel < panels; panel++) {
    const channel = `bench.panel${panel}`;
    io.to(`room of ${channel}`).emit('frame', {
      channel,
      epoch: 1,
      seq: n,
      polledAt: Date.now(),
      rows: rowsOf(n, filling),
    });
  }
});
http.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () => listening((http.address() as AddressInfo).port));
