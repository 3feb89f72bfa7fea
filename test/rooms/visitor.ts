import type { Socket } from 'socket.io-client';
import type { Json, JsonObject } from '../../src/merge-patch.js';
import type { RoomEvent } from '../../src/rooms/room-state.js';
import { call, connectSocket, type Answer } from '../cluster/viewer.js';
import { eventually } from '../support/eventually.js';
import { after, EMPTY, type View } from './fold.js';

/**
 * Somebody in a room, who folds what is sent by rules written down here a second time, and notes what the contract does
 * not allow. Comes back by itself.
 */
export class Visitor {
  readonly events: RoomEvent[] = [];
  readonly violations: string[] = [];
  view = EMPTY;
  /** Version of the newest change that was acknowledged. */
  acknowledged = 0;
  /** Times that it had to take the room as a whole again. */
  joins = 0;
  /** Whether it is in, as far as it knows. */
  joined = false;
  #user = '';

  private constructor(
    readonly socket: Socket,
    readonly room: string,
    readonly name: string,
  ) {
    socket.on('room', (event: RoomEvent) => this.#take(event));
    socket.on('disconnect', () => (this.joined = false));
  }

  /** `token`: who they are, for hubs that want to know. */
  static async enter(url: string, room: string, name: string, token?: string): Promise<Visitor> {
    const back = { reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 200 };
    const socket = await connectSocket(url, { ...back, ...(token !== undefined && { auth: { token } }) });
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
        this.joined = true;
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

  /** Who it is to the others. Members are found by their name, which is a visitor's own. */
  get user(): string {
    const me = this.view.members.find(({ name }) => name === this.name);
    if (me) this.#user = me.user;
    return this.#user;
  }

  get here(): string[] {
    return this.view.members.map(({ name }) => name);
  }

  /** Waits until it is in, wherever its connection was lost to. */
  async in(): Promise<void> {
    await eventually(() => this.joined, { what: `${this.name} to be in`, deadlineMs: 60_000 });
  }

  leave(): Promise<Answer> {
    this.joined = false;
    return call(this.socket, 'room:leave', { room: this.room });
  }

  /** As a reload does: gone without a word, and back. */
  refresh(): void {
    this.socket.disconnect().connect();
  }

  /** Page by page to the beginning, oldest first. */
  async past(limit = 200): Promise<RoomEvent[]> {
    const events: RoomEvent[] = [];
    for (;;) {
      const answer = await call(this.socket, 'room:history', { room: this.room, before: events[0]?.version, limit });
      if (!answer.ok) throw new Error(answer.error.message);
      const page = answer['events'] as RoomEvent[];
      if (page.length === 0) return events;
      events.unshift(...page);
    }
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
    this.view = after(view, event);
  }
}
