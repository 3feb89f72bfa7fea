import { Turns } from '../channels/turns.js';
import { PollcastError } from '../errors.js';
import type { Timer } from '../kernel/clock.js';
import type { Kernel } from '../kernel/kernel.js';
import type { Logger } from '../kernel/log.js';
import { LocalRoom, type LocalWindow, type RoomViewer } from './local-room.js';
import { roomProcess } from './names.js';
import type { RoomMessage, RoomSnapshot } from './room.js';
import type { Member, RoomEvent } from './room-state.js';
import type { HistoryPlace } from './history/open.js';
import { pageOf } from './history/reader.js';
import { WRITER } from './history/writer.js';
import type { RoomHead, RoomStore } from './store/store.js';

export interface RoomHubParts {
  readonly kernel: Kernel;
  readonly store: RoomStore;
  readonly history: Pick<HistoryPlace, 'get'>;
  readonly log: Logger;
}

/** How often it is looked whether something was missed, or a room was ended under its members. */
const LOOK_MS = 5_000;
/** A room that runs answers within milliseconds; one whose node has died is taken over within a lease. */
const CALL_MS = 10_000;

/**
 * The rooms that windows of this node look at. Each window is a hold on the room's process: that is what makes it run, and
 * what makes its user a member, also when this node dies.
 */
export class RoomHub {
  readonly #rooms = new Map<string, LocalRoom>();
  readonly #turns = new Turns();
  readonly #unlisten: (() => void)[];
  #timer: Timer | null = null;
  #closed = false;
  /** Windows that were in a room: all others have nothing to leave. */
  readonly #known = new Set<string>();
  /** Windows that nothing is heard of. */
  readonly #silent = new Set<string>();
  /** As it was seen last: one that has ended since is started again by the next look. */
  #writerRuns = false;

  constructor(private readonly parts: RoomHubParts) {
    const { kernel, store } = parts;
    this.#unlisten = [
      kernel.on('rejoined', () => this.#holdAll([...this.#rooms.values()])),
      store.onLink((up) => up && this.#rooms.forEach((local) => local.catchUp())),
    ];
    this.#lookLater();
  }

  /** Windows on rooms. */
  get viewers(): number {
    let sum = 0;
    for (const local of this.#rooms.values()) sum += local.size;
    return sum;
  }

  /** A page of a room's past, oldest first. */
  history(room: string, before: number, limit: number): Promise<RoomEvent[]> {
    return pageOf(this.parts.store, this.parts.history.get, room, before, limit);
  }

  /** Rooms that are open or kept, the newest first. */
  async heads(): Promise<RoomHead[]> {
    return (await this.parts.store.heads()).sort((a, b) => b.at - a.at);
  }

  isIn(room: string, id: string): boolean {
    return this.#rooms.get(room)?.has(id) ?? false;
  }

  /**
   * A window opens on a room. `admit` is called with what it sees, and every event after that goes to the viewer. Joining
   * again, perhaps under another name, gives a fresh view.
   */
  join(room: string, viewer: RoomViewer, admit: (snapshot: RoomSnapshot) => void): Promise<void> {
    return this.#turns.take(viewer.id, room, async () => {
      if (this.#closed) throw new PollcastError('UNAVAILABLE', 'this node is stopping; connect again');
      const { kernel } = this.parts;
      // In its turn: joins and leaves that were sent at once would else count each other's.
      const again = this.isIn(room, viewer.id);
      if (!again) viewer.seats?.open();
      const local = this.#local(room);
      const since = local.window(viewer.id)?.since ?? kernel.clock.now();
      const before = local.enter(viewer, since);
      this.#known.add(viewer.id);
      try {
        await local.connect();
        this.#silent.delete(viewer.id);
        await this.#hold(room, viewer, since);
        const snapshot = await this.call<RoomSnapshot>(room, { do: 'join', user: viewer.user, name: viewer.name });
        admit(snapshot);
        local.admit(viewer.id, snapshot.version);
        if (!this.#writerRuns) this.#startWriter();
      } catch (error) {
        if (!again) {
          viewer.seats?.close();
          await this.#remove(local, viewer.id);
        }
        // It has still what it had, and is told what comes after it.
        else if (before !== null) local.admit(viewer.id, before);
        throw error;
      }
    });
  }

  /** A window closes with a goodbye: its user has left at once, unless there are others of theirs. */
  leave(room: string, { id, user }: Pick<RoomViewer, 'id' | 'user'>): Promise<void> {
    return this.#turns.take(id, room, async () => {
      const local = this.#rooms.get(room);
      const window = local?.window(id);
      if (!local || !window) throw notIn(room);
      window.viewer.seats?.close();
      await this.#remove(local, id);
      await this.call(room, { do: 'leave', user });
    });
  }

  /**
   * Its connection is gone, without a word: it leaves every room, each a linger later. To be called again by whoever let it
   * come into one meanwhile.
   */
  leaveAll(id: string): void {
    this.#silent.delete(id);
    if (!this.#known.delete(id)) return;
    this.#inEachRoomOf(id, (local) => this.#remove(local, id));
  }

  /**
   * Nothing is heard of a window: as if its connection were lost, as far as others can see. It may be that it is only slow, so
   * it is told on.
   */
  silent(id: string): void {
    this.#silent.add(id);
    this.#inEachRoomOf(id, async (local) => {
      if (this.#silent.has(id)) await this.#unhold(local.room, id);
    });
  }

  /** A sign of life. */
  heard(id: string): void {
    if (!this.#silent.delete(id)) return;
    this.#inEachRoomOf(id, async (local, { viewer, since }) => {
      if (this.#silent.has(id)) return;
      try {
        await this.#hold(local.room, viewer, since);
      } catch (error) {
        // The next sign of life tries again.
        this.#silent.add(id);
        throw error;
      }
    });
  }

  /**
   * A window asks the room, after what it asked before: what one connection sends takes effect in the order in which it was
   * sent. Throws `NOT_SUBSCRIBED`; `UNAVAILABLE` when its turn does not come in time, and it was not asked then.
   */
  async ask<R>(room: string, id: string, message: RoomMessage): Promise<R> {
    const { clock } = this.parts.kernel;
    const until = clock.monotonic() + CALL_MS;
    this.heard(id);
    let answer: R | undefined;
    await this.#turns.take(id, room, async () => {
      if (!this.isIn(room, id)) throw notIn(room);
      if (clock.monotonic() > until) throw new PollcastError('UNAVAILABLE', 'the room does not answer; try again');
      answer = await this.call<R>(room, message);
    });
    return answer as R;
  }

  /**
   * Asks a room's process. A message that has crashed it is given to it once more: the restarted room then knows whether it
   * was the message.
   */
  async call<R>(room: string, message: RoomMessage): Promise<R> {
    const ask = (): Promise<R> =>
      this.parts.kernel.call<R>(roomProcess(room).name, message, {
        timeoutMs: CALL_MS,
        idempotent: message.do === 'join',
      });
    try {
      return await ask();
    } catch (error) {
      if (!hasCrashed(error)) throw error;
      return ask();
    }
  }

  /** Throws `NOT_SUBSCRIBED`. */
  assertIn(room: string, id: string): void {
    if (!this.isIn(room, id)) throw notIn(room);
  }

  /** Tells nobody any more. The holds go with the node, or with the sockets. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    for (const stop of this.#unlisten) stop();
    await Promise.allSettled([...this.#rooms.values()].map((local) => local.close()));
  }

  #local(room: string): LocalRoom {
    let local = this.#rooms.get(room);
    if (!local) this.#rooms.set(room, (local = new LocalRoom(room, this.parts.store, this.parts.log)));
    return local;
  }

  #hold(room: string, { id, user, name }: RoomViewer, since: number): Promise<void> {
    return this.parts.kernel.hold(roomProcess(room), id, JSON.stringify({ user, name, since } satisfies Member));
  }

  async #remove(local: LocalRoom, id: string): Promise<void> {
    local.remove(id);
    if (local.size === 0 && this.#rooms.get(local.room) === local) {
      this.#rooms.delete(local.room);
      void local.close().catch((error: unknown) => this.parts.log.debug({ err: error }, 'a room was not unsubscribed'));
    }
    await this.#unhold(local.room, id);
  }

  /** Again and again until the cluster knows, unless it is held anew: a hold that stays would be a member for ever. */
  async #unhold(room: string, id: string): Promise<void> {
    try {
      await this.parts.kernel.unhold(roomProcess(room).name, id);
    } catch (error) {
      this.parts.log.debug({ err: error, room }, 'a hold was not taken back; trying again');
      if (this.#closed) return;
      this.parts.kernel.clock.after(LOOK_MS, () => {
        void this.#turns.take(id, room, async () => {
          if (!this.isIn(room, id) || this.#silent.has(id)) await this.#unhold(room, id);
        });
      });
    }
  }

  #inEachRoomOf(id: string, act: (local: LocalRoom, window: LocalWindow) => Promise<void>): void {
    for (const [room, local] of this.#rooms) {
      if (!local.has(id)) continue;
      this.#turns
        .take(id, room, async () => {
          // Looked for anew: it may have left, and come in again, before its turn.
          const present = this.#rooms.get(room);
          const window = present?.window(id);
          if (present && window) await act(present, window);
        })
        .catch((error: unknown) => this.parts.log.debug({ err: error, room }, 'a hold was not changed yet'));
    }
  }

  #holdAll(locals: readonly LocalRoom[]): void {
    for (const local of locals) {
      for (const { viewer, since } of local.viewers) {
        void this.#turns
          .take(viewer.id, local.room, async () => {
            if (local.has(viewer.id) && !this.#silent.has(viewer.id)) await this.#hold(local.room, viewer, since);
          })
          .catch((error: unknown) => this.parts.log.debug({ err: error, room: local.room }, 'not held again yet'));
      }
    }
  }

  /** Behind the scenes: rooms need no history to go on, and the feed waits for it. */
  #startWriter(): void {
    this.#writerRuns = true;
    this.parts.kernel.ensure(WRITER).catch((error: unknown) => {
      this.#writerRuns = false;
      this.parts.log.debug({ err: error }, 'the history of rooms is not written yet');
    });
  }

  #lookLater(): void {
    this.#timer = this.parts.kernel.clock.after(LOOK_MS, () => {
      void this.#look()
        .catch((error: unknown) => this.parts.log.debug({ err: error }, 'rooms were not looked at'))
        .finally(() => this.#closed || this.#lookLater());
    });
  }

  /** A hold starts a room too, but waits for its turn, and whoever has that may be waiting for the room. */
  #startAgain(locals: readonly LocalRoom[]): void {
    for (const { room } of locals) {
      this.parts.kernel
        .ensure(roomProcess(room))
        .catch((error: unknown) => this.parts.log.debug({ err: error, room }, 'not started again yet'));
    }
  }

  async #look(): Promise<void> {
    const locals = [...this.#rooms.values()];
    if (locals.length === 0) return;
    const running = new Set((await this.parts.kernel.processes()).map(({ name }) => name));
    this.#writerRuns = running.has(WRITER.name);
    if (!this.#writerRuns) this.#startWriter();
    const ended = locals.filter(({ room }) => !running.has(roomProcess(room).name));
    this.#startAgain(ended);
    this.#holdAll(ended);
    const versions = await this.parts.store.versions(locals.map(({ room }) => room));
    for (const [i, local] of locals.entries()) {
      if (local.version !== null && (versions[i] ?? 0) > local.version) local.catchUp();
    }
  }
}

function hasCrashed(error: unknown): boolean {
  return error instanceof PollcastError && (error.details as { crashed?: boolean } | undefined)?.crashed === true;
}

function notIn(room: string): PollcastError {
  return new PollcastError('NOT_SUBSCRIBED', `this connection is not in room ${room}: join it first`);
}
