import type { Socket } from 'socket.io';
import type { StatusChange } from '../polling/frames/frames.js';
import { SocketWriter, type WriterSettings } from './socket-writer.js';
import type { PresenceChange, Viewer } from './viewer.js';

/** A viewer at the other end of a Socket.IO connection. One object with its writer: a frame goes through thousands of them. */
export class SocketViewer extends SocketWriter implements Viewer {
  constructor(
    private readonly socket: Socket,
    readonly user: string,
    settings: WriterSettings,
  ) {
    super(socket, settings);
  }

  get id(): string {
    return this.socket.id;
  }

  get gone(): boolean {
    return !this.socket.connected;
  }

  status(status: StatusChange): void {
    this.socket.emit('status', status);
  }

  presence(change: PresenceChange): void {
    this.socket.emit('presence', change);
  }
}
