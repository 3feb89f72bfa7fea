import { io, type Socket } from 'socket.io-client';
import type { Recorder } from './recorder.js';

interface Admission {
  readonly channel: string;
  readonly epoch: number;
  readonly seq: number;
  readonly rows?: readonly { n: number; by: string }[];
  readonly resumed: boolean;
}
type Answer = ({ ok: true } & Admission) | { ok: false; error: { code: string } };

const AGAIN_MS = 100;
const ANSWER_MS = 5_000;

/** A viewer of one channel that comes back by itself whatever happens to it, and has all that it gets written down. */
export class ChaosViewer {
  readonly #socket: Socket;
  #last: { epoch: number; seq: number; n: number } | null = null;
  #state: 'live' | 'stale' | 'failed' = 'live';
  #closed = false;
  #asking = false;
  channel = '';
  /** It is connected, and its last subscribe was granted. */
  watching = false;
  returns = 0;

  constructor(
    readonly name: string,
    url: string,
    readonly topic: string,
    private readonly params: Record<string, unknown>,
    private readonly recorder: Recorder,
  ) {
    recorder.note({ kind: 'join', viewer: name, topic });
    this.#socket = io(url, {
      transports: ['websocket'],
      forceNew: true,
      reconnectionDelay: 50,
      reconnectionDelayMax: 300,
      timeout: 3_000,
    });
    this.#socket.on('frame', (frame: Admission) => this.#take(frame, 'frame'));
    this.#socket.on(
      'status',
      ({ channel, state, reason = '' }: { channel: string; state: 'live' | 'stale' | 'failed'; reason?: string }) => {
        this.#state = state;
        recorder.note({ kind: 'status', viewer: name, channel, state, reason });
      },
    );
    this.#socket.on('connect', () => void this.#subscribe());
    this.#socket.on('disconnect', () => (this.watching = false));
  }

  /** What the newest result says; -1 before the first. */
  get n(): number {
    return this.#last?.n ?? -1;
  }

  get state(): string {
    return this.#state;
  }

  /** `cut`: without a word to the hub, as a machine that loses power. */
  close({ cut = false } = {}): void {
    if (this.#closed) return;
    this.#closed = true;
    this.watching = false;
    if (cut && this.#socket.connected) {
      this.#socket.io.reconnection(false);
      (this.#socket.io.engine.transport as unknown as { ws: { terminate(): void } }).ws.terminate();
    }
    this.#socket.close();
    this.recorder.note({ kind: 'leave', viewer: this.name, topic: this.topic });
  }

  async #subscribe(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    while (this.#socket.connected && !this.#closed) {
      const since = this.#last && { epoch: this.#last.epoch, seq: this.#last.seq };
      const ask = { topic: this.topic, params: this.params, ...(since ? { since } : {}) };
      const granted = await new Promise<boolean>((resolve) => {
        // Taken in the turn in which it arrives: a frame may stand right behind it.
        this.#socket.timeout(ANSWER_MS).emit('subscribe', ask, (lost: Error | null, answer: Answer) => {
          if (lost || !answer.ok) return resolve(false);
          this.#admitted(answer);
          resolve(true);
        });
      });
      if (granted) break;
      await new Promise((wake) => setTimeout(wake, AGAIN_MS));
    }
    this.#asking = false;
  }

  #admitted(answer: Admission): void {
    if (this.#closed) return;
    if (this.channel !== '') this.returns += 1;
    this.channel = answer.channel;
    // What is not live is told again right behind the acknowledgement.
    this.#state = 'live';
    this.watching = this.#socket.connected;
    if (!answer.resumed) this.#take(answer, 'ack');
  }

  #take({ channel, epoch, seq, rows }: Admission, via: 'ack' | 'frame'): void {
    if (this.#closed) return;
    const n = rows?.[0]?.n ?? -1;
    const by = nodeOf(rows?.[0]?.by ?? '');
    this.#last = { epoch, seq, n };
    this.recorder.note({ kind: 'frame', viewer: this.name, channel, epoch, seq, via, n, by, state: this.#state });
  }
}

/** The node's name in `application_name`. */
export function nodeOf(application: string): string {
  return application.replace(/^pollcast:/, '').replace(/~.*$/, '');
}
