import { connect, type OnReadOpts, type Socket } from 'node:net';
import type { OpenOrder, Watch } from './protocol.js';
import type { Tally } from './tally.js';
import { MessageReader, numberAfter, PONG_FRAME, textFrame, upgradeRequest } from './wire.js';

const AT = Buffer.from('"at":');
const SEQ = Buffer.from('"seq":');
const EPOCH = Buffer.from('"epoch":');
const CHANNEL = Buffer.from('"channel":"');
const OK = Buffer.from('{"ok":true');
const RESUMED = Buffer.from('"resumed":true');
const FRAME = Buffer.from('42["frame"');
const QUOTE = 34;
const PONG = textFrame('3');

/** One buffer for all connections: what is read is dealt with before the next one is read. */
const shared = Buffer.allocUnsafe(256 * 1024);

interface Position {
  readonly epoch: number;
  readonly seq: number;
}

/** One connection with its subscriptions: a viewer that reads as little as it can. */
export class LoadViewer {
  readonly #positions = new Map<string, Position>();
  #socket: Socket | null = null;
  #reader: MessageReader | null = null;
  #pending = 0;
  #closed = false;
  #port: number;
  #lostAt = 0;
  #settle: ((error?: string) => void) | null = null;

  constructor(
    private readonly order: OpenOrder,
    private readonly index: number,
    private readonly tally: Tally,
    /** When the first of them all lost its node. */
    private readonly lost: () => number,
  ) {
    this.#port = order.port;
  }

  /** Resolves once every subscription is acknowledged; never rejects: what went wrong is counted. */
  open(): Promise<void> {
    return new Promise((resolve) => {
      this.#settle = (error) => {
        this.#settle = null;
        if (error !== undefined) this.tally.error(error);
        resolve();
      };
      this.#connect();
    });
  }

  close(): void {
    this.#closed = true;
    this.#settle?.();
    // A reset leaves nothing waiting in the kernel: ten thousand ports are free again at once.
    this.#socket?.resetAndDestroy();
  }

  #connect(): void {
    this.#reader = new MessageReader(
      (accepted) => this.#upgraded(accepted),
      (bytes, start, end) => this.#message(bytes, start, end),
      () => undefined,
      () => void this.#socket?.write(PONG_FRAME),
    );
    const onread: OnReadOpts = {
      buffer: shared,
      callback: (count, bytes) => {
        this.#reader?.feed(Buffer.from(bytes.buffer, bytes.byteOffset, count));
        return true;
      },
    };
    const socket = connect({ host: '127.0.0.1', port: this.#port, noDelay: true, onread });
    this.#socket = socket;
    const path = this.order.kind === 'ws' ? '/' : '/socket.io/?EIO=4&transport=websocket';
    socket.on('connect', () => socket.write(upgradeRequest(path, this.#port)));
    socket.on('error', () => undefined);
    socket.on('close', () => this.#gone());
  }

  #upgraded(accepted: boolean): void {
    if (!accepted) this.#settle?.('upgrade refused');
    else if (this.order.kind === 'ws') this.#settle?.();
  }

  #gone(): void {
    if (this.#closed) return;
    const { fallback } = this.order;
    const back = this.#lostAt > 0 && this.#pending === 0;
    if (!fallback || back) {
      if (this.#settle) this.#settle('connection refused');
      else this.tally.error('connection lost');
      return;
    }
    // Not let in at the first attempt: it tries again, as the client library does, and its time goes on.
    this.#lostAt ||= this.lost();
    this.#pending = -1;
    this.#port = fallback.port;
    setTimeout(() => this.#closed || this.#connect(), Math.random() * fallback.jitterMs);
  }

  #message(bytes: Buffer, start: number, end: number): void {
    if (this.order.kind === 'ws') {
      this.#data(bytes, start, end);
      return;
    }
    const first = bytes[start];
    if (first === 0x32) this.#socket?.write(PONG);
    else if (first === 0x30) this.#socket?.write(textFrame('40'));
    else if (first === 0x34) this.#packet(bytes, start, end);
  }

  #packet(bytes: Buffer, start: number, end: number): void {
    switch (bytes[start + 1]) {
      case 0x30: // connected
        this.#subscribe();
        return;
      case 0x33: // acknowledgement
        this.#acknowledged(bytes, start, end);
        return;
      case 0x32: // event
        if (bytes.compare(FRAME, 0, FRAME.length, start, start + FRAME.length) === 0) this.#data(bytes, start, end);
        else this.#told(bytes.toString('utf8', start + 2, Math.min(end, start + 200)));
        return;
      default:
        if (this.#settle) this.#settle('not let in');
        else this.tally.error(`put out: ${bytes.toString('utf8', start, Math.min(end, start + 120))}`);
    }
  }

  /** A status that is well is no error: that a topic's rounds are stretched shows in what is delivered. */
  #told(event: string): void {
    if (!event.startsWith('["status"') || !event.includes('"state":"live"')) this.tally.error(event.slice(0, 80));
  }

  #subscribe(): void {
    const wanted = subscriptions(this.order.watch, this.index);
    this.#pending = wanted.length;
    wanted.forEach(({ topic, params }, ack) => {
      const since = this.#positions.get(this.#keyOf(topic, params));
      this.#socket?.write(textFrame(`42${ack}${JSON.stringify(['subscribe', { topic, params, since }])}`));
    });
  }

  #acknowledged(bytes: Buffer, start: number, end: number): void {
    const ok = bytes.indexOf(OK, start);
    if (ok < 0 || ok >= end) {
      const text = bytes.toString('utf8', start, Math.min(end, start + 160));
      if (this.#settle) this.#settle(text);
      else this.tally.error(text);
      return;
    }
    if (this.order.fallback) {
      this.#note(bytes, start, end);
      const resumed = bytes.indexOf(RESUMED, start);
      if (resumed >= 0 && resumed < end) this.tally.resumed += 1;
    }
    this.#pending -= 1;
    if (this.#pending > 0) return;
    if (this.#pending === 0 && this.#lostAt > 0) this.tally.returned(this.tally.now() - this.#lostAt);
    this.#settle?.();
  }

  #data(bytes: Buffer, start: number, end: number): void {
    this.tally.messages += 1;
    this.tally.bytes += end - start;
    if (this.order.fallback) this.#note(bytes, start, end);
    if (this.index % this.order.sample !== 0) return;
    const at = numberAfter(bytes, AT, start, end);
    if (Number.isNaN(at)) this.tally.error('no `at` in a message');
    else this.tally.latency(this.tally.now() - at);
    if (this.order.kind === 'socketio' && !this.order.fallback) this.#checkOrder(bytes, start, end);
  }

  /** Of a channel that is only watched, each frame must be the one after the last. Peers without `seq` are not checked. */
  #checkOrder(bytes: Buffer, start: number, end: number): void {
    const seq = numberAfter(bytes, SEQ, start, end);
    if (Number.isNaN(seq)) return;
    const key = channelOf(bytes, start, end);
    const before = this.#positions.get(key);
    if (before && seq !== before.seq + 1) this.tally.error(seq > before.seq ? 'frames skipped' : 'frames out of order');
    this.#positions.set(key, { epoch: 0, seq });
  }

  #note(bytes: Buffer, start: number, end: number): void {
    const seq = numberAfter(bytes, SEQ, start, end);
    const epoch = numberAfter(bytes, EPOCH, start, end);
    if (!Number.isNaN(seq)) this.#positions.set(channelOf(bytes, start, end), { epoch, seq });
  }

  #keyOf(topic: string, params: Readonly<Record<string, number>> | undefined): string {
    const [entry] = Object.entries(params ?? {});
    return entry ? `${topic}?${entry[0]}=${entry[1]}` : topic;
  }
}

function channelOf(bytes: Buffer, start: number, end: number): string {
  const found = bytes.indexOf(CHANNEL, start);
  if (found < 0 || found >= end) return '';
  const from = found + CHANNEL.length;
  return bytes.toString('latin1', from, bytes.indexOf(QUOTE, from));
}

function subscriptions({ topics, param }: Watch, index: number) {
  if (!param) return topics.map((topic) => ({ topic, params: undefined }));
  const values = Array.from(
    { length: param.per },
    (_, i) => param.first + ((index * param.per + i) % (param.of ?? Infinity)),
  );
  return topics.flatMap((topic) => values.map((value) => ({ topic, params: { [param.name]: value } })));
}
