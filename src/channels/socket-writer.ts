import type { Socket as NetSocket } from 'node:net';
import type { Socket } from 'socket.io';
import type { Timer, Clock } from '../kernel/clock.js';
import type { FramePosition } from '../polling/frames/frames.js';
import { ReadingProof, type Pingable } from './reading-proof.js';
import type { Keeper, RoundWrites } from './round-writes.js';
import type { FrameForm, SharedFrame } from './shared-frame.js';

/** The parts of engine.io and ws that have no types. */
interface WireSocket extends Pingable {
  readonly _socket?: NetSocket;
  terminate(): void;
}

interface EngineConnection {
  readonly transport: { readonly socket?: WireSocket };
  readonly writeBuffer: readonly unknown[];
  write(data: string, options?: { wsPreEncodedFrame?: readonly Buffer[]; compress?: boolean }): void;
  /** `packetCreate`: it has something of its own to send. `flush`: it hands over all that it has. */
  on(event: 'packetCreate' | 'flush' | 'drain', listen: () => void): void;
}

export interface WriterSettings {
  readonly clock: Clock;
  /** How long a socket may take nothing before it is cut. */
  readonly stallMs: number;
  /** Told of every viewer that was cut. */
  onCut(): void;
  /** Told of every frame that was left out for a newer one. */
  onSkip?(): void;
}

/** What may lie in a socket's own buffers before its frames wait in slots: some hundred frames, far below 2 MB. */
const BACKLOG_BYTES = 64 * 1024;
/** After so many bytes it is asked for a sign that it reads: what is rarely sent, or small, costs nobody anything. */
const PROOF_BYTES = 256 * 1024;

/**
 * Writes frames to one viewer's connection, straight to its socket, and never more than it takes.
 *
 * A connection with a backlog gets a slot for each channel, which holds the newest frame only: nothing grows, and when
 * it drains it sees the last state of every channel. One that takes nothing for `stallMs`, or reads nothing of what the system has
 * taken for it, is cut.
 */
export class SocketWriter implements Keeper {
  readonly #conn: EngineConnection;
  /** Kept: with one transport it never changes, and thousands of viewers are three look-ups cheaper. */
  #socket: NetSocket | undefined;
  /** Made when there is something to wait: most never need them, and every frame of every viewer is spared looking there. */
  #slots: Map<string, SharedFrame> | null = null;
  /** Channels that are to travel as deltas, with the frame that the viewer was sent last. */
  #deltas: Map<string, FramePosition> | null = null;
  /** Frames of the round that is being delivered, and their bytes. */
  #kept: Buffer[] | null = null;
  #keptBytes = 0;
  #stall: Timer | null = null;
  #listening = false;
  #closed = false;
  /** engine.io has something that is not in the socket yet. Kept here for the sake of those thousands, too. */
  #holdsBack: boolean;
  /** Bytes of frames that engine.io holds back until its transport is free. */
  #heldBack = 0;
  /** Bytes since it was last asked whether it reads, which most never are. */
  #unproven = 0;
  #proof: ReadingProof | null = null;

  constructor(
    socket: Socket,
    private readonly settings: WriterSettings,
  ) {
    this.#conn = socket.conn as unknown as EngineConnection;
    this.#holdsBack = this.#conn.writeBuffer.length > 0;
    this.#conn.on('packetCreate', () => (this.#holdsBack = true));
    this.#conn.on('flush', () => (this.#holdsBack = false));
    socket.once('disconnect', () => this.close());
  }

  /** Frames that wait: at most one for each channel. */
  get waiting(): number {
    return this.#slots?.size ?? 0;
  }

  /** With `writes`, it leaves with the others of its round. */
  frame(frame: SharedFrame, writes?: RoundWrites): void {
    if (this.#closed) return;
    if (this.#slots !== null || this.#backlog() > BACKLOG_BYTES) this.#wait(frame);
    else this.#write(frame, writes);
  }

  /** From here on this channel's frames travel as deltas; `position`: the frame that the viewer has. */
  sendDeltas(channel: string, position: FramePosition): void {
    (this.#deltas ??= new Map()).set(channel, position);
  }

  /** Nothing more of this channel is wanted, or its state was just sent by other means: a waiting frame would be old. */
  forget(channel: string): void {
    this.#unslot(channel);
    this.#deltas?.delete(channel);
  }

  /** The round is through: what was kept of it leaves. */
  send(join: (frames: readonly Buffer[]) => Buffer | null): void {
    const kept = this.#kept;
    this.#kept = null;
    this.#keptBytes = 0;
    const net = this.#net();
    if (!kept || !net || this.#closed) return;
    const whole = join(kept);
    if (whole) net.write(whole);
    else {
      net.cork();
      for (const frame of kept) net.write(frame);
      net.uncork();
    }
    // What was too much for one round waits for `drain`, which does not come when the socket has taken everything at once.
    if (this.#slots !== null && !net.writableNeedDrain) this.#drain();
  }

  close(): void {
    this.#closed = true;
    this.#stall?.cancel();
    this.#stall = null;
    this.#proof?.close();
    this.#slots = null;
    this.#deltas = null;
    this.#kept = null;
  }

  #write(frame: SharedFrame, writes?: RoundWrites): void {
    // Decided only now: a viewer that skipped the frame which the delta builds on is given the rows, and is whole again.
    const form = this.#deltas === null ? 'rows' : this.#formOf(frame, this.#deltas);
    const net = this.#net();
    const bytes = frame.wire(form);
    this.#unproven += bytes.length;
    if (this.#unproven > PROOF_BYTES) this.#askForProof();
    // What engine.io still holds back (an acknowledgement, say) must not be overtaken. What it does not is in the socket:
    // without compression ws writes at once, and there is no message of its own that this frame could fall into.
    if (!this.#holdsBack && net) {
      if (!writes) net.write(bytes);
      else this.#keep(bytes, writes);
      return;
    }
    this.#listen();
    this.#heldBack += bytes.length;
    this.#conn.write(frame.packet(form), { wsPreEncodedFrame: [bytes], compress: false });
  }

  #askForProof(): void {
    this.#unproven = 0;
    const { socket } = this.#conn.transport;
    if (!socket) return;
    const { clock, stallMs } = this.settings;
    this.#proof ??= new ReadingProof(socket, clock, stallMs, () => this.#cut());
    this.#proof.ask();
  }

  /** Nothing else can be written to the socket meanwhile: a round is delivered in one step. */
  #keep(bytes: Buffer, writes: RoundWrites): void {
    this.#keptBytes += bytes.length;
    if (this.#kept) this.#kept.push(bytes);
    else {
      this.#kept = [bytes];
      writes.add(this);
    }
  }

  #formOf(frame: SharedFrame, deltas: Map<string, FramePosition>): FrameForm {
    const had = deltas.get(frame.channel);
    if (had) deltas.set(frame.channel, { epoch: frame.epoch, seq: frame.seq });
    return frame.formFor(had);
  }

  #wait(frame: SharedFrame): void {
    // Deleted first: the map then gives the channels in the order in which they last changed.
    const slots = (this.#slots ??= new Map());
    if (slots.delete(frame.channel)) this.settings.onSkip?.();
    slots.set(frame.channel, frame);
    this.#listen();
    this.#stall ??= this.#willCut();
  }

  #listen(): void {
    const net = this.#net();
    if (this.#listening || !net) return;
    this.#listening = true;
    net.on('drain', () => this.#drain());
    // Told as soon as engine.io has handed over what it held back.
    this.#conn.on('drain', () => {
      this.#heldBack = 0;
      if (this.#slots !== null && this.#backlog() <= BACKLOG_BYTES) this.#drain();
    });
  }

  #drain(): void {
    this.#stall?.cancel();
    this.#stall = null;
    for (const frame of this.#slots?.values() ?? []) {
      if (this.#backlog() > BACKLOG_BYTES) {
        this.#stall = this.#willCut();
        return;
      }
      this.#unslot(frame.channel);
      this.#write(frame);
    }
  }

  #unslot(channel: string): void {
    if (this.#slots?.delete(channel) && this.#slots.size === 0) this.#slots = null;
  }

  #willCut(): Timer {
    return this.settings.clock.after(this.settings.stallMs, () => this.#cut());
  }

  /** Nothing drained for too long: a closing handshake would only join the queue. */
  #cut(): void {
    this.close();
    this.settings.onCut();
    this.#conn.transport.socket?.terminate();
  }

  #backlog(): number {
    return this.#heldBack + this.#keptBytes + (this.#net()?.writableLength ?? 0);
  }

  #net(): NetSocket | undefined {
    return (this.#socket ??= this.#conn.transport.socket?._socket);
  }
}
