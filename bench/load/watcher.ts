import { connect, type Socket } from 'node:net';
import { MessageReader, PONG_FRAME, textFrame, upgradeRequest } from './wire.js';

export interface SeenFrame {
  readonly epoch: number;
  readonly seq: number;
  /** `performance.now()` of its arrival. */
  readonly arrived: number;
}

/** A single viewer of one topic in the bench's own process, for what is timed against other events there. */
export class Watcher {
  readonly frames: SeenFrame[] = [];
  readonly #listeners = new Set<(frame: SeenFrame) => void>();
  /** How often a frame came that was not newer than the one before. */
  backwards = 0;
  /** How often frames were left out between two. */
  gaps = 0;

  private constructor(private readonly socket: Socket) {}

  /** Resolves once it watches. */
  static open(port: number, topic: string): Promise<Watcher> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, noDelay: true });
      const watcher = new Watcher(socket);
      const reader = new MessageReader(
        (accepted) => accepted || reject(new Error('the upgrade was refused')),
        (bytes, start, end) => {
          const text = bytes.toString('utf8', start, end);
          if (text === '2') socket.write(textFrame('3'));
          else if (text.startsWith('0')) socket.write(textFrame('40'));
          else if (text.startsWith('40')) socket.write(textFrame(`420${JSON.stringify(['subscribe', { topic }])}`));
          else if (text.startsWith('430')) {
            if (text.includes('"ok":true')) resolve(watcher);
            else reject(new Error(text));
          } else if (text.startsWith('42["frame"')) watcher.#frame(JSON.parse(text.slice(2)) as [string, SeenFrame]);
        },
        () => undefined,
        () => void socket.write(PONG_FRAME),
      );
      socket.on('connect', () => socket.write(upgradeRequest('/socket.io/?EIO=4&transport=websocket', port)));
      socket.on('data', (chunk) => reader.feed(chunk));
      socket.on('error', reject);
    });
  }

  /** Calls back at each frame. Returns the way to stop that. */
  onFrame(listen: (frame: SeenFrame) => void): () => void {
    this.#listeners.add(listen);
    return () => this.#listeners.delete(listen);
  }

  close(): void {
    this.socket.resetAndDestroy();
  }

  #frame([, { epoch, seq }]: [string, SeenFrame]): void {
    const frame = { epoch, seq, arrived: performance.now() };
    const before = this.frames.at(-1);
    if (before && (epoch < before.epoch || (epoch === before.epoch && seq <= before.seq))) this.backwards += 1;
    else if (before && epoch === before.epoch && seq > before.seq + 1) this.gaps += 1;
    this.frames.push(frame);
    for (const listen of [...this.#listeners]) listen(frame);
  }
}
