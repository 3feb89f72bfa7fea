import { io, type Socket } from 'socket.io-client';
import { eventually } from '../support/eventually.js';

export type Row = Record<string, unknown>;

export interface Position {
  epoch: number;
  seq: number;
}

/** One result as a viewer got it: with the acknowledgement, or as a frame. */
export interface Received extends Position {
  via: 'ack' | 'frame';
  rows: Row[];
  polledAt: number;
  /** wall clock ms of its arrival */
  at: number;
}

export interface StatusEvent {
  channel: string;
  state: 'live' | 'stale' | 'failed';
  reason?: string;
  since: number;
}

export interface Failure {
  code: string;
  message: string;
  details?: unknown;
}

export type Answer = { ok: true; [field: string]: unknown } | { ok: false; error: Failure };

type Admission = Pick<Received, 'epoch' | 'seq' | 'rows' | 'polledAt'> & { channel: string; resumed: boolean };

export interface Asked {
  topic: string;
  params?: Record<string, unknown>;
  [option: string]: unknown;
}

/** A socket with nothing around it, connected. `close` it. */
export async function connectSocket(url: string, options: Parameters<typeof io>[1] = {}): Promise<Socket> {
  const socket = io(url, { transports: ['websocket'], forceNew: true, reconnection: false, ...options });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('connect_error', reject);
  });
  return socket;
}

/** One call and its acknowledgement. The deadline only costs time when something is broken. */
export function call(socket: Socket, event: string, body: unknown): Promise<Answer> {
  return socket.timeout(20_000).emitWithAck(event, body) as Promise<Answer>;
}

/**
 * A viewer of one channel that comes back by itself, goes on from its last frame, and holds what it gets against the
 * contract's promises: within an epoch `seq` rises by exactly one, an epoch never goes back, nothing comes twice.
 */
export class TestViewer {
  readonly received: Received[] = [];
  readonly statuses: StatusEvent[] = [];
  /** why connections ended, in socket.io's words */
  readonly disconnects: string[] = [];
  /** wall clock ms of the last disconnect and of the last acknowledged subscribe */
  lostAt = 0;
  backAt = 0;
  /** what the contract does not allow; empty, or something is wrong */
  readonly violations: string[] = [];
  /** Its node is cut off from the cluster: frames may be skipped then, never taken back. */
  cutOff = false;
  /** times that a subscribe was answered with rows although it named a `since` */
  reloads = 0;
  channel = '';

  private constructor(
    readonly socket: Socket,
    private readonly asked: Asked,
  ) {
    socket.on('frame', (frame: Position & { channel: string; rows: Row[]; polledAt: number }) => {
      if (frame.channel !== this.channel) this.violations.push(`a frame of ${frame.channel}`);
      this.#take({ ...frame, via: 'frame' });
    });
    socket.on('status', (status: StatusEvent) => this.statuses.push(status));
    socket.on('disconnect', (reason) => {
      this.lostAt = Date.now();
      this.disconnects.push(reason);
    });
  }

  /** Resolves with the first rows. @throws Error with the code of a refusal */
  static async watch(url: string, asked: Asked): Promise<TestViewer> {
    const socket = await connectSocket(url, { reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 200 });
    const viewer = new TestViewer(socket, asked);
    try {
      await viewer.#subscribe();
    } catch (error) {
      socket.close();
      throw error;
    }
    socket.on('connect', () => void viewer.#comeBack());
    return viewer;
  }

  get last(): Received {
    const last = this.received.at(-1);
    if (!last) throw new Error('nothing was received');
    return last;
  }

  /** Rows of its newest result, as the contract's frames carry them. */
  get row(): Row {
    return this.last.rows[0] ?? {};
  }

  /** Waits for `count` more results. */
  async more(count: number, what = `${count} more frames`): Promise<void> {
    const before = this.received.length;
    await eventually(() => this.received.length >= before + count, { what, deadlineMs: 30_000 });
  }

  /** Waits until it has got a result as new as that, or newer. */
  async upTo({ epoch, seq }: Position): Promise<void> {
    const there = () => this.last.epoch > epoch || (this.last.epoch === epoch && this.last.seq >= seq);
    await eventually(there, { what: `frame ${epoch}-${seq}`, deadlineMs: 30_000 });
  }

  unsubscribe(): Promise<Answer> {
    return call(this.socket, 'unsubscribe', { channel: this.channel });
  }

  /** The connection dies under it, without a word. It stays away. */
  cut(): void {
    this.socket.io.reconnection(false);
    (this.socket.io.engine.transport as unknown as { ws: { terminate(): void } }).ws.terminate();
  }

  close(): void {
    this.socket.close();
  }

  /** Results by their position, for comparing viewers. */
  get bySeq(): Map<string, string> {
    return new Map(this.received.map(({ epoch, seq, rows }) => [`${epoch}-${seq}`, JSON.stringify(rows)]));
  }

  #subscribe(): Promise<void> {
    const last = this.received.at(-1);
    const since = last && { epoch: last.epoch, seq: last.seq };
    return new Promise((resolve, reject) => {
      // Taken in the turn in which it arrives: a frame may stand right behind it, and a promise would be too late.
      this.socket.timeout(20_000).emit('subscribe', { ...this.asked, since }, (lost: Error | null, answer: Answer) => {
        if (lost) reject(lost);
        else if (!answer.ok) reject(Object.assign(new Error(answer.error.message), { code: answer.error.code }));
        else resolve(this.#admitted(answer as unknown as Admission, since !== undefined));
      });
    });
  }

  #admitted({ channel, epoch, seq, rows, polledAt, resumed }: Admission, returning: boolean): void {
    this.channel = channel;
    this.backAt = Date.now();
    if (!resumed) {
      if (returning) this.reloads += 1;
      this.#take({ epoch, seq, rows, polledAt, via: 'ack' });
    } else if (rows !== undefined) this.violations.push('rows in a resumed acknowledgement');
  }

  async #comeBack(): Promise<void> {
    while (this.socket.connected) {
      try {
        return await this.#subscribe();
      } catch (error) {
        // A node that is stopping, or not yet where it must be: clients try again.
        if (this.socket.connected && (error as { code?: string }).code !== 'UNAVAILABLE') {
          this.violations.push(`could not come back: ${String(error)}`);
          return;
        }
        await new Promise((wake) => setTimeout(wake, 50));
      }
    }
  }

  #take(result: Omit<Received, 'at'>): void {
    const before = this.received.at(-1);
    if (before && !follows(before, result, this.cutOff)) {
      const [from, to] = [before, result].map(({ epoch, seq }) => `${epoch}-${seq}`);
      this.violations.push(`${to} (${result.via}) after ${from}`);
    }
    this.received.push({ ...result, at: Date.now() });
  }
}

/** An acknowledgement may skip what was not kept; a frame may not, but across an outage. */
function follows(before: Position, { via, epoch, seq }: Omit<Received, 'at'>, cutOff: boolean): boolean {
  if (epoch !== before.epoch) return epoch > before.epoch && (via === 'ack' || cutOff || seq === 1);
  if (via === 'ack') return seq >= before.seq;
  return cutOff ? seq > before.seq : seq === before.seq + 1;
}

/** `p50 12 ms, p95 80 ms, max 90 ms` */
export function figures(times: readonly number[]): string {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (part: number) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? NaN);
  return `p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, max ${at(1)} ms`;
}
