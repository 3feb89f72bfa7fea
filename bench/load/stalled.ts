import { connect, type Socket } from 'node:net';
import { MessageReader, PONG_FRAME, textFrame, upgradeRequest } from './wire.js';

/** A viewer of one topic that, from when it is told to, reads nothing any more. */
export class StallingViewer {
  readonly #socket: Socket;
  readonly #watching: Promise<void>;

  constructor(port: number, topic: string) {
    this.#socket = connect({ host: '127.0.0.1', port, noDelay: true });
    this.#watching = new Promise((resolve, reject) => {
      const say = (text: string) => this.#socket.write(textFrame(text));
      const reader = new MessageReader(
        (accepted) => accepted || reject(new Error('upgrade refused')),
        (bytes, start, end) => {
          const kind = bytes.toString('latin1', start, Math.min(start + 2, end));
          if (kind === '2') say('3');
          else if (kind.startsWith('0')) say('40');
          else if (kind === '40') say(`421${JSON.stringify(['subscribe', { topic }])}`);
          else if (kind === '43') resolve();
        },
        () => undefined,
        () => void this.#socket.write(PONG_FRAME),
      );
      this.#socket.on('data', (chunk) => reader.feed(chunk));
      this.#socket.on('error', reject);
      this.#socket.on('close', () => reject(new Error('not let in')));
      this.#socket.on('connect', () =>
        this.#socket.write(upgradeRequest('/socket.io/?EIO=4&transport=websocket', port)),
      );
    });
  }

  /** Resolves when it has its first rows. */
  watching(): Promise<void> {
    return this.#watching;
  }

  stall(): void {
    this.#socket.pause();
  }

  close(): void {
    this.#socket.resetAndDestroy();
  }
}
