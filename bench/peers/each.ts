import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import pg from 'pg';
import { Server } from 'socket.io';
import { listening, settingsOf } from './peer.js';

interface Settings {
  readonly databaseUrl: string;
  /** With `$1`, the value that the viewer asks for; or without any. */
  readonly text: string;
  readonly everyMs: number;
  /** `at` of the rows is when the query was due, not what it read. */
  readonly due: boolean;
}

/** One timer and one prepared query for each viewer, its rows sent when they changed: what a hub is to replace. */
const { databaseUrl, text, everyMs, due } = settingsOf<Settings>();
const pool = new pg.Pool({ connectionString: databaseUrl, max: 10 });
pool.on('error', () => undefined);
const http = createServer();
const io = new Server(http, { transports: ['websocket'] });
const prepared = { name: 'each', text };
const withValue = text.includes('$1');

io.on('connection', (socket) => {
  let timer: NodeJS.Timeout | undefined;
  socket.on(
    'subscribe',
    ({ topic, params }: { topic: string; params?: Record<string, number> }, acknowledge: (answer: object) => void) => {
      const values = withValue ? Object.values(params ?? {}) : [];
      let last = '';
      let asking = false;
      const ask = async (): Promise<void> => {
        if (asking) return;
        asking = true;
        const began = Date.now();
        try {
          const { rows } = await pool.query<{ at: number }>({ ...prepared, values });
          const now = JSON.stringify(rows);
          if (now === last) return;
          last = now;
          if (due && rows[0]) rows[0].at = began;
          socket.emit('frame', { channel: topic, rows });
        } finally {
          asking = false;
        }
      };
      acknowledge({ ok: true });
      const failed = (error: unknown): void => void socket.emit('failed', String(error));
      timer = setTimeout(() => {
        ask().catch(failed);
        timer = setInterval(() => void ask().catch(failed), everyMs);
      }, Math.random() * everyMs);
    },
  );
  socket.on('disconnect', () => clearInterval(timer));
});
http.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () => listening((http.address() as AddressInfo).port));
