import { randomBytes } from 'node:crypto';

/** The websocket protocol (RFC 6455) as far as a client needs it that trusts its server and wants to be cheap. */

/** The request that turns a connection into a websocket. */
export function upgradeRequest(path: string, port: number): string {
  const key = randomBytes(16).toString('base64');
  return (
    `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
    `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`
  );
}

/** A client's text frame. Its mask is zero, which is allowed and leaves the text as it is. */
export function textFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  const long = payload.length > 125;
  if (payload.length > 65_535) throw new Error(`expected a message below 64 KB, got ${payload.length} bytes`);
  const header = Buffer.alloc(long ? 8 : 6);
  header[0] = 0x81;
  header[1] = 0x80 | (long ? 126 : payload.length);
  if (long) header.writeUInt16BE(payload.length, 2);
  return Buffer.concat([header, payload]);
}

/** A client's answer to a ping of the websocket itself. */
export const PONG_FRAME = Buffer.from([0x8a, 0x80, 0, 0, 0, 0]);

const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const HEAD_END = Buffer.from('\r\n\r\n');

/** Cuts a server's bytes into messages. Nothing is copied unless a message comes in pieces. */
export class MessageReader {
  #carry: Buffer | null = null;
  #upgraded = false;

  constructor(
    private readonly onUpgrade: (accepted: boolean) => void,
    private readonly onText: (bytes: Buffer, start: number, end: number) => void,
    private readonly onClose: () => void,
    private readonly onPing: () => void = () => undefined,
  ) {}

  feed(chunk: Buffer): void {
    const bytes = this.#carry ? Buffer.concat([this.#carry, chunk]) : chunk;
    this.#carry = null;
    const end = this.#read(bytes);
    // The chunk lies in a buffer that the next read overwrites.
    if (end < bytes.length) this.#carry = Buffer.from(bytes.subarray(end));
  }

  #read(bytes: Buffer): number {
    let at = this.#upgraded ? 0 : this.#readHead(bytes);
    while (this.#upgraded && at + 2 <= bytes.length) {
      const first = bytes[at] as number;
      let length = (bytes[at + 1] as number) & 0x7f;
      let start = at + 2;
      if (length === 126) {
        if (at + 4 > bytes.length) break;
        length = bytes.readUInt16BE(at + 2);
        start = at + 4;
      } else if (length === 127) {
        if (at + 10 > bytes.length) break;
        length = Number(bytes.readBigUInt64BE(at + 2));
        start = at + 10;
      }
      if (start + length > bytes.length) break;
      at = start + length;
      const opcode = first & 0x0f;
      if (opcode === TEXT) this.onText(bytes, start, at);
      else if (opcode === CLOSE) this.onClose();
      else if (opcode === PING) this.onPing();
    }
    return at;
  }

  #readHead(bytes: Buffer): number {
    const end = bytes.indexOf(HEAD_END);
    if (end < 0) return 0;
    this.#upgraded = bytes.toString('latin1', 0, 12) === 'HTTP/1.1 101';
    this.onUpgrade(this.#upgraded);
    return this.#upgraded ? end + HEAD_END.length : bytes.length;
  }
}

/** The number behind a needle such as `"seq":`; `NaN` when there is none in this part of the bytes. */
export function numberAfter(bytes: Buffer, needle: Buffer, start: number, end: number): number {
  const found = bytes.indexOf(needle, start);
  if (found < 0 || found >= end) return NaN;
  let at = found + needle.length;
  const from = at;
  while (at < end && ((bytes[at] as number) === 46 || ((bytes[at] as number) >= 48 && (bytes[at] as number) <= 57)))
    at++;
  return at === from ? NaN : Number(bytes.toString('latin1', from, at));
}
