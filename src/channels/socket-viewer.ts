import type { Socket } from 'socket.io';
import type { FramePosition, StatusChange } from '../polling/frames/frames.js';
import type { RoundWrites } from './round-writes.js';
import type { SharedFrame } from './shared-frame.js';
import { SocketWriter, type WriterSettings } from './socket-writer.js';
import type { PresenceChange, Viewer } from './viewer.js';

/** A viewer at the other end of a Socket.IO connection. */
export class SocketViewer implements Viewer {
  readonly #writer: SocketWriter;

  constructor(
    private readonly socket: Socket,
    readonly user: string,
    settings: WriterSettings,
  ) {
    this.#writer = new SocketWriter(socket, settings);
  }

  get id(): string {
    return this.socket.id;
  }

  get gone(): boolean {
    return !this.socket.connected;
  }

  frame(frame: SharedFrame, writes?: RoundWrites): void {
    this.#writer.deliver(frame, writes);
  }

  status(status: StatusChange): void {
    this.socket.emit('status', status);
  }

  presence(change: PresenceChange): void {
    this.socket.emit('presence', change);
  }

  /** Frames of this channel come as deltas from here on; `position`: the frame that it has. */
  sendDeltas(channel: string, position: FramePosition): void {
    this.#writer.sendDeltas(channel, position);
  }

  forget(channel: string): void {
    this.#writer.forget(channel);
  }
}
