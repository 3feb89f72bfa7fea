import type { Frame } from '../polling/frames/frames.js';

/**
 * A frame as this node gives it to all its viewers: encoded once for each form, however many they are.
 *
 * The rows are never parsed for a viewer that takes them whole: the database's own text is spliced into the packet.
 */
export class SharedFrame implements Frame {
  readonly channel: string;
  readonly epoch: number;
  readonly seq: number;
  readonly polledAt: number;
  readonly rows: string;
  #packet: string | null = null;
  #wire: Buffer | null = null;
  #parsed: readonly unknown[] | null = null;

  constructor(frame: Frame) {
    this.channel = frame.channel;
    this.epoch = frame.epoch;
    this.seq = frame.seq;
    this.polledAt = frame.polledAt;
    this.rows = frame.rows;
  }

  /** The frame's body in JSON: what history, SSE and the `frame` event have in common. */
  get body(): string {
    const { channel, epoch, seq, polledAt, rows } = this;
    return `{"channel":${JSON.stringify(channel)},"epoch":${epoch},"seq":${seq},"polledAt":${polledAt},"rows":${rows}}`;
  }

  /** The Socket.IO packet (protocol v5: `2` event) in the main namespace, as engine.io takes it. */
  get packet(): string {
    return (this.#packet ??= `2["frame",${this.body}]`);
  }

  /** The whole WebSocket frame: engine.io's message type `4`, then the packet. */
  get wire(): Buffer {
    return (this.#wire ??= encodeWire(this.packet));
  }

  /** The rows as values: for acknowledgements, once for all who ask. */
  get parsedRows(): readonly unknown[] {
    return (this.#parsed ??= JSON.parse(this.rows) as unknown[]);
  }
}

/** An engine.io message as one unmasked WebSocket text frame (RFC 6455, 5.2): what every socket is sent alike. */
export function encodeWire(packet: string): Buffer {
  const length = Buffer.byteLength(packet) + 1;
  const headerLength = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const wire = Buffer.allocUnsafe(headerLength + length);
  wire[0] = 0x81; // FIN, text
  if (headerLength === 2) wire[1] = length;
  else if (headerLength === 4) {
    wire[1] = 126;
    wire.writeUInt16BE(length, 2);
  } else {
    wire[1] = 127;
    wire.writeBigUInt64BE(BigInt(length), 2);
  }
  wire[headerLength] = 0x34; // engine.io's type 4: message
  wire.write(packet, headerLength + 1);
  return wire;
}
