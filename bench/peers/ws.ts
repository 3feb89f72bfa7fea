import type { AddressInfo, Socket } from 'node:net';
import { WebSocketServer } from 'ws';
import { listening, rowsOf, settingsOf, ticking } from './peer.js';

/**
 * What Node can do with the `ws` package: one text, encoded once, to every connection in a loop. `raw`: the limit of Node
 * itself, one prebuilt websocket frame written to each TCP socket.
 */
const { everyMs, padding, panels, raw } = settingsOf<{
  everyMs: number;
  padding: number;
  panels: number;
  raw?: boolean;
}>();
const server = new WebSocketServer({
  host: '127.0.0.1',
  port: 0,
  backlog: 4096,
  perMessageDeflate: false,
  clientTracking: true,
});
const filling = 'x'.repeat(padding);
let n = 0;

ticking(everyMs, () => {
  n += 1;
  for (let panel = 0; panel < panels; panel++) {
    const message = {
      channel: `bench.panel${panel}`,
      epoch: 1,
      seq: n,
      polledAt: Date.now(),
      rows: rowsOf(n, filling),
    };
    const text = Buffer.from(JSON.stringify(['frame', message]));
    if (raw) {
      const frame = prebuilt(text);
      for (const client of server.clients) (client as unknown as { _socket: Socket })._socket.write(frame);
    } else for (const client of server.clients) client.send(text, { binary: false });
  }
});
server.on('connection', (client) => client.on('error', () => client.terminate()));
server.on('listening', () => listening((server.address() as AddressInfo).port));

/** A text of 126 bytes to 64 KB as one unmasked frame. */
function prebuilt(text: Buffer): Buffer {
  const header = Buffer.from([0x81, 126, text.length >> 8, text.length & 0xff]);
  return Buffer.concat([header, text]);
}
