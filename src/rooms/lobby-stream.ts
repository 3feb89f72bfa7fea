import type { ServerResponse } from 'node:http';
import type { LobbyListener } from './lobby.js';
import type { RoomHead } from './store/store.js';

/** What may lie in a response's buffer: after that, one that does not keep up gets all rooms anew instead of each change. */
const BACKLOG_BYTES = 64 * 1024;

/** The lobby at the other end of a Server-Sent Events response: `rooms` with all of them, `changed` with some. */
export class LobbyStream implements LobbyListener {
  #behind = false;

  constructor(
    private readonly response: ServerResponse,
    /** All rooms as they are now. */
    private readonly heads: () => readonly RoomHead[],
  ) {
    response.on('drain', () => {
      if (this.#behind) this.all(this.heads());
    });
  }

  /** The first of these begins the answer: until then it may become a refusal. */
  all(heads: readonly RoomHead[]): void {
    if (!this.response.headersSent) this.#begin();
    this.#behind = false;
    this.#send('rooms', heads);
  }

  changed(heads: readonly RoomHead[]): void {
    if (!this.#behind) this.#send('changed', heads);
  }

  /** A comment: keeps proxies from closing a stream on which nothing changes. */
  keepAlive(): void {
    this.response.write(':\n\n');
  }

  #begin(): void {
    this.response.writeHead(200, {
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-cache',
      'X-Accel-Buffering': 'no',
    });
    this.response.write('retry: 1000\n\n');
  }

  #send(event: string, heads: readonly RoomHead[]): void {
    if (this.response.writableEnded || this.response.destroyed) return;
    if (this.response.writableLength > BACKLOG_BYTES) this.#behind = true;
    else this.response.write(`event: ${event}\ndata: ${JSON.stringify(heads)}\n\n`);
  }
}
