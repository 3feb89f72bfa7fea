import type { Socket } from 'socket.io-client';
import { mergePatch, type Json, type JsonObject } from '../../src/merge-patch.js';
import type { Member, RoomEvent } from '../../src/rooms/room-state.js';
import { call, connectSocket, type Answer } from '../cluster/viewer.js';

interface View {
  version: number;
  state: JsonObject;
  status: Json;
  members: readonly Member[];
}

/**
 * Somebody in a room, who folds what is sent by rules written down here a second time, and notes what the contract does
 * not allow. Comes back by itself.
 */
export class Visitor {
  readonly events: RoomEvent[] = [];
  readonly violations: string[] = [];
  view: View = { version: 0, state: {}, status: null, members: [] };
  /** Version of the newest change that was acknowledged. */
  acknowledged = 0;
  /** Times that it had to take the room as a whole again. */
  joins = 0;

  private constructor(
    readonly socket: Socket,
    readonly room: string,
    readonly name: string,
  ) {
    socket.on('room', (event: RoomEvent) => this.#take(event));
  }

  static async enter(url: string, room: string, name: string): Promise<Visitor> {
    const socket = await connectSocket(url, { reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 200 });
    const visitor = new Visitor(socket, room, name);
    await visitor.join();
    socket.on('connect', () => void visitor.#comeBack());
    return visitor;
  }

  join(): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const asked = { room: this.room, name: this.name };
      // Taken in the turn in which it arrives: an event may stand right behind it.
      this.socket.timeout(20_000).emit('room:join', asked, (lost: Error | null, answer: Answer) => {
        if (lost) return reject(lost);
        if (!answer.ok) return reject(Object.assign(new Error(answer.error.message), { code: answer.error.code }));
        const { version, state, status, members } = answer as unknown as View;
        if (version < this.view.version) this.violations.push(`version ${version} after ${this.view.version}`);
        this.view = { version, state, status, members };
        this.joins += 1;
        resolve(answer);
      });
    });
  }

  /** On what it has seen, or was told that it made: the answer to a change may come before the change itself. */
  async change(patch: JsonObject, version = Math.max(this.view.version, this.acknowledged)): Promise<Answer> {
    const answer = await call(this.socket, 'room:change', { room: this.room, version, patch });
    if (answer.ok) this.acknowledged = answer['version'] as number;
    return answer;
  }

  status(status: Json): Promise<Answer> {
    return call(this.socket, 'room:status', { room: this.room, status });
  }

  get here(): string[] {
    return this.view.members.map(({ name }) => name);
  }

  close(): void {
    this.socket.close();
  }

  async #comeBack(): Promise<void> {
    while (this.socket.connected) {
      try {
        return void (await this.join());
      } catch {
        await new Promise((wake) => setTimeout(wake, 50));
      }
    }
  }

  #take(event: RoomEvent): void {
    const { view } = this;
    if (event.room !== this.room) this.violations.push(`an event of ${event.room}`);
    if (event.version !== view.version + 1) this.violations.push(`version ${event.version} after ${view.version}`);
    this.events.push(event);
    const gone = new Set([...(event.leaves ?? []), ...(event.joins ?? []).map(({ user }) => user)]);
    this.view = {
      version: event.version,
      state: event.patch ? (mergePatch(view.state, event.patch) as JsonObject) : view.state,
      status: event.status === undefined ? view.status : event.status,
      members: [...view.members.filter(({ user }) => !gone.has(user)), ...(event.joins ?? [])],
    };
  }
}
