import type { Socket as NetSocket } from 'node:net';
import type { Socket } from 'socket.io';
import type { Timer, Clock } from '../kernel/clock.js';
import type { SharedFrame } from './shared-frame.js';

/** The parts of engine.io and ws that have no types; engine.io itself writes prebuilt frames this way. */
interface WireSocket {
  readonly _sender?: { sendFrame(list: readonly Buffer[], done?: (error?: Error) => void): void };
  readonly _socket?: NetSocket;
  terminate(): void;
}

interface EngineConnection {
  readonly transport: { readonly socket?: WireSocket };
  readonly writeBuffer: readonly unknown[];
  write(data: string, options?: { wsPreEncodedFrame?: readonly Buffer[]; compress?: boolean }): void;
}

/** What may lie in a socket's own buffer before its frames wait in slots: some hundred frames, far below 2 MB. */
const BACKLOG_BYTES = 64 * 1024;

/**
 * Writes frames to one viewer's connection, straight to its socket, and never more than it takes.
 *
 * A connection with a backlog gets a slot for each channel, which holds the newest frame only: nothing grows, and when
 * it drains it sees the last state of every channel. One that takes nothing for `stallMs` is cut.
 */
export class SocketWriter {
  readonly #conn: EngineConnection;
  readonly #slots = new Map<string, SharedFrame>();
  #stall: Timer | null = null;
  #corked = false;
  #listening = false;

  constructor(
    socket: Socket,
    private readonly clock: Clock,
    private readonly stallMs: number,
    private readonly onCut: () => void,
  ) {
    this.#conn = socket.conn as unknown as EngineConnection;
    socket.once('disconnect', () => this.close());
  }

  /** Frames that wait: at most one for each channel. */
  get waiting(): number {
    return this.#slots.size;
  }

  deliver(frame: SharedFrame): void {
    if (this.#slots.size > 0 || this.#backlog() > BACKLOG_BYTES) this.#wait(frame);
    else this.#write(frame);
  }

  /** A frame of this channel that still waits is not wanted any more. */
  forget(channel: string): void {
    this.#slots.delete(channel);
  }

  /** Until `uncork`, what is written leaves in one system call. */
  cork(): void {
    const net = this.#net();
    if (this.#corked || !net) return;
    this.#corked = true;
    net.cork();
  }

  uncork(): void {
    if (!this.#corked) return;
    this.#corked = false;
    this.#net()?.uncork();
  }

  close(): void {
    this.#stall?.cancel();
    this.#stall = null;
    this.#slots.clear();
  }

  #write(frame: SharedFrame): void {
    const wire = this.#conn.transport.socket;
    // What engine.io still holds back (an acknowledgement, say) must not be overtaken.
    if (this.#conn.writeBuffer.length === 0 && wire?._sender) wire._sender.sendFrame([frame.wire]);
    else this.#conn.write(frame.packet, { wsPreEncodedFrame: [frame.wire], compress: false });
  }

  #wait(frame: SharedFrame): void {
    // Deleted first: the map then gives the channels in the order in which they last changed.
    this.#slots.delete(frame.channel);
    this.#slots.set(frame.channel, frame);
    const net = this.#net();
    if (!this.#listening && net) {
      this.#listening = true;
      net.on('drain', () => this.#drain());
    }
    this.#stall ??= this.clock.after(this.stallMs, () => this.#cut());
  }

  #drain(): void {
    this.#stall?.cancel();
    this.#stall = null;
    for (const frame of this.#slots.values()) {
      if (this.#backlog() > BACKLOG_BYTES) {
        this.#stall = this.clock.after(this.stallMs, () => this.#cut());
        return;
      }
      this.#slots.delete(frame.channel);
      this.#write(frame);
    }
  }

  /** Nothing drained for too long: a closing handshake would only join the queue. */
  #cut(): void {
    this.close();
    this.onCut();
    this.#conn.transport.socket?.terminate();
  }

  #backlog(): number {
    return this.#net()?.writableLength ?? 0;
  }

  #net(): NetSocket | undefined {
    return this.#conn.transport.socket?._socket;
  }
}
