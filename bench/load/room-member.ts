import { connect, type Socket } from 'node:net';
import { MessageReader, numberAfter, PONG_FRAME, textFrame, upgradeRequest } from './wire.js';

const VERSION = Buffer.from('"version":');
const OK = Buffer.from('{"ok":true');
const CODE = /"code":"(\w+)"/;
const PONG = textFrame('3');

interface Answer {
  readonly version: number;
  /** Of a refusal, else ''. */
  readonly code: string;
}

/** One connection in one room, that reads as little as it can. */
export class RoomMember {
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #socket: Socket | null = null;
  #last = 0;
  #version = 0;
  /** Events that it was told. */
  events = 0;

  constructor(
    private readonly port: number,
    readonly room: string,
    private readonly lost: () => void,
  ) {}

  /** Connects and joins. Rejects with the reason of a refusal. */
  async open(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const reader = new MessageReader(
        (accepted) => accepted || reject(new Error('the upgrade was refused')),
        (bytes, start, end) => this.#message(bytes, start, end, resolve),
        () => undefined,
        () => void this.#socket?.write(PONG_FRAME),
      );
      const socket = connect({ host: '127.0.0.1', port: this.port, noDelay: true });
      this.#socket = socket;
      socket.on('connect', () => socket.write(upgradeRequest('/socket.io/?EIO=4&transport=websocket', this.port)));
      socket.on('data', (chunk) => reader.feed(chunk));
      socket.on('error', reject);
      socket.on('close', () => this.lost());
    });
    const { code, version } = await this.#call('room:join', { room: this.room });
    if (code !== '') throw new Error(`not let in: ${code}`);
    this.#version = version;
  }

  /** The code of a refusal, or ''. */
  async change(patch: object): Promise<string> {
    const { code, version } = await this.#call('room:change', { room: this.room, version: this.#version, patch });
    if (code === '') this.#version = version;
    return code;
  }

  #call(event: string, body: object): Promise<Answer> {
    const id = this.#last++;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#socket?.write(textFrame(`42${id}${JSON.stringify([event, body])}`));
    });
  }

  /** Engine.IO's packets (open, ping, message) and Socket.IO's in the last (connected, event, acknowledgement). */
  #message(bytes: Buffer, start: number, end: number, connected: () => void): void {
    const kind = bytes.toString('latin1', start, Math.min(end, start + 2));
    if (kind.startsWith('2')) this.#socket?.write(PONG);
    else if (kind.startsWith('0')) this.#socket?.write(textFrame('40'));
    else if (kind === '40') connected();
    else if (kind === '42') this.events += 1;
    else if (kind === '43') this.#answered(bytes, start + 2, end);
  }

  #answered(bytes: Buffer, start: number, end: number): void {
    const body = bytes.indexOf(0x5b, start);
    const id = Number(bytes.toString('latin1', start, body));
    const resolve = this.#waiting.get(id);
    this.#waiting.delete(id);
    const ok = bytes.subarray(body + 1, body + 1 + OK.length).equals(OK);
    const code = ok ? '' : (CODE.exec(bytes.toString('utf8', body, end))?.[1] ?? 'no code');
    resolve?.({ version: numberAfter(bytes, VERSION, body, end), code });
  }
}
