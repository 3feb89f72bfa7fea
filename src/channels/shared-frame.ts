import type { Frame, FramePosition } from '../polling/frames/frames.js';
import { deltaBetween, type Delta } from './deltas.js';

/** How a frame may travel: whole, or as what changed since the one before. */
export type FrameForm = 'rows' | 'delta';

/**
 * A frame as this node gives it to all its viewers: encoded once for each form, however many they are. What is encoded is kept while it
 * is given out, and made again for who comes later: a channel's newest frame stays, and with thousands of channels that is what
 * garbage collection has to carry.
 *
 * The rows are never parsed for a viewer that takes them whole: the database's own text is spliced into the packet.
 */
export class SharedFrame implements Frame {
  readonly channel: string;
  readonly epoch: number;
  readonly seq: number;
  readonly polledAt: number;
  readonly rows: string;
  #wire: Buffer | null = null;
  #deltaWire: Buffer | null = null;
  #delta: Delta | null = null;
  #parsed: readonly unknown[] | null = null;

  constructor(frame: Frame) {
    this.channel = frame.channel;
    this.epoch = frame.epoch;
    this.seq = frame.seq;
    this.polledAt = frame.polledAt;
    this.rows = frame.rows;
  }

  /** Works out what changed since the frame before, for viewers that asked for that. */
  compareTo(before: SharedFrame, key: readonly string[]): void {
    if (before.epoch !== this.epoch) return;
    this.#delta = deltaBetween(
      key,
      { seq: before.seq, rows: before.parsedRows },
      { rows: this.parsedRows, text: this.rows },
    );
  }

  /** The form for a viewer that takes deltas and has `position`: whole when this frame has no delta from there. */
  formFor(position: FramePosition | undefined): FrameForm {
    const builds = position && this.#delta?.base === position.seq && this.epoch === position.epoch;
    return builds ? 'delta' : 'rows';
  }

  /** The frame's body in JSON: what history, SSE and the `frame` event have in common. */
  get body(): string {
    return `${this.#head},"rows":${this.rows}}`;
  }

  /** The Socket.IO packet (protocol v5: `2` event) in the main namespace, as engine.io takes it. */
  packet(form: FrameForm = 'rows'): string {
    return `2["frame",${form === 'delta' ? this.#deltaBody() : this.body}]`;
  }

  /** The whole WebSocket frame: engine.io's message type `4`, then the packet. */
  wire(form: FrameForm = 'rows'): Buffer {
    if (form === 'delta') return (this.#deltaWire ??= encodeWire(this.packet('delta')));
    return (this.#wire ??= encodeWire(this.packet()));
  }

  /** It has been given to all who watch now. */
  settle(): void {
    this.#wire = null;
    this.#deltaWire = null;
  }

  /** The rows as values: for acknowledgements, once for all who ask. */
  get parsedRows(): readonly unknown[] {
    return (this.#parsed ??= JSON.parse(this.rows) as unknown[]);
  }

  get #head(): string {
    const { channel, epoch, seq, polledAt } = this;
    return `{"channel":${JSON.stringify(channel)},"epoch":${epoch},"seq":${seq},"polledAt":${polledAt}`;
  }

  #deltaBody(): string {
    if (!this.#delta) return this.body;
    const { base, upsert, remove } = this.#delta;
    return `${this.#head},"base":${base},"upsert":${upsert},"remove":${remove}}`;
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
