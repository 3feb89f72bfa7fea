/**
 * A room as its members see it: one state that all of them share.
 *
 *     const room = joinRoom(hub, 'incident-7', { name: 'Ada' });
 *     room.subscribe(({ state, members }) => draw(state, members));
 *     await room.change({ choices: { region: 'EU' } });
 */
import { PollcastError } from '../src/errors.js';
import { mergePatch, type JsonObject } from '../src/merge-patch.js';
import { Backoff } from './backoff.js';
import type { Hub } from './hub.js';
import type { RoomEvent, RoomMember, RoomView } from './room-wire.js';
import type { JsonValue } from './wire.js';

export interface RoomSnapshot extends RoomView {
  /** `joining`: what is shown, if anything, may be old. `refused`: `error` says why; nothing is tried any more. */
  readonly phase: 'joining' | 'joined' | 'refused' | 'left';
  /** Why it is not joined, where that is known. */
  readonly error: PollcastError | undefined;
}

export interface RoomOptions {
  /** What the others call this member. Default: who is signed in. */
  readonly name?: string | undefined;
}

/** A merge patch (RFC 7396), or what makes one of the newest state: it is made again after a conflict. */
export type RoomPatch = JsonObject | ((state: JsonObject) => JsonObject);

const NOTHING: RoomSnapshot = {
  phase: 'joining',
  version: 0,
  state: {},
  status: null,
  members: [],
  error: undefined,
};

/** Codes that may be gone a moment later. */
const PASSING = new Set(['UNAVAILABLE', 'RATE_LIMITED']);

/** As often as a change is made again that others got ahead of. */
const MOST_CONFLICTS = 20;

export class Room {
  #snapshot = NOTHING;
  #name: string | undefined;
  /** Of the newest join that was asked for: the answer to an older one does not count. */
  #ask = 0;
  /** Events that came while the room as a whole was on its way: those after it are still needed. */
  #early: RoomEvent[] = [];
  #retry: ReturnType<typeof setTimeout> | undefined;
  readonly #backoff = new Backoff(200, 5_000);
  readonly #listeners = new Set<(snapshot: RoomSnapshot) => void>();
  readonly #eventListeners = new Set<(event: RoomEvent) => void>();
  readonly #waiting = new Set<() => void>();
  readonly #stop: readonly (() => void)[];

  constructor(
    private readonly hub: Hub,
    readonly room: string,
    { name }: RoomOptions,
  ) {
    this.#name = name;
    this.#stop = [
      hub.on('room', (event) => event.room === room && this.#take(event)),
      hub.onConnection(({ state }) => (state === 'online' ? this.#join() : this.#lost())),
    ];
    if (hub.connection.state === 'online') this.#join();
  }

  /** The same object until something changes. */
  readonly snapshot = (): RoomSnapshot => this.#snapshot;

  /** Told at each change until the function that is returned is called. */
  readonly subscribe = (listener: (snapshot: RoomSnapshot) => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Told what happens as it happens. What happened while the connection was lost is in the history only. */
  onEvent(listener: (event: RoomEvent) => void): () => void {
    this.#eventListeners.add(listener);
    return () => this.#eventListeners.delete(listener);
  }

  /**
   * Changes the shared state; resolves when this member sees it. A conflict is made up for: the change is made again on
   * what the others made of the state meanwhile.
   * @throws PollcastError UNAVAILABLE: it may have been made, or not; what the snapshot shows is true. Others: it was not
   */
  async change(patch: RoomPatch): Promise<void> {
    for (let conflicts = 0; ;) {
      await this.#until(({ phase }) => phase === 'joined');
      const { version, state } = this.#snapshot;
      try {
        const made = typeof patch === 'function' ? patch(state) : patch;
        return await this.#seen(this.hub.call('room:change', { room: this.room, version, patch: made }));
      } catch (error) {
        if (!(error instanceof PollcastError)) throw error;
        if (error.code === 'NOT_SUBSCRIBED') this.#join();
        else if (error.code !== 'CONFLICT' || ++conflicts > MOST_CONFLICTS) throw error;
        else await this.#until((now) => now.version !== version);
      }
    }
  }

  /** Sets the status, whatever it was; resolves when this member sees it. */
  async status(status: JsonValue): Promise<void> {
    await this.#until(({ phase }) => phase === 'joined');
    await this.#seen(this.hub.call('room:status', { room: this.room, status }));
  }

  /** What happened, oldest first: the newest `limit` events, or those before version `before`. */
  async history(page: { readonly before?: number; readonly limit?: number } = {}): Promise<readonly RoomEvent[]> {
    await this.#until(({ phase }) => phase === 'joined');
    return (await this.hub.call('room:history', { room: this.room, ...page })).events;
  }

  rename(name: string): void {
    this.#name = name;
    if (this.hub.connection.state === 'online') this.#join();
  }

  /** Says goodbye. What waits is refused, and nobody is told any more. */
  leave(): void {
    if (this.#snapshot.phase === 'left') return;
    for (const stop of this.#stop) stop();
    clearTimeout(this.#retry);
    this.#ask += 1;
    this.#set({ phase: 'left' });
    this.#listeners.clear();
    this.#eventListeners.clear();
    if (this.hub.connection.state !== 'online') return;
    // Not being in any more is all that is wanted, and what a failure would mean as well.
    this.hub.call('room:leave', { room: this.room }).catch(() => undefined);
  }

  #join(): void {
    if (this.#snapshot.phase === 'left') return;
    clearTimeout(this.#retry);
    const ask = ++this.#ask;
    this.#early = [];
    this.#set({ phase: 'joining' });
    const request = this.#name === undefined ? { room: this.room } : { room: this.room, name: this.#name };
    this.hub.call('room:join', request).then(
      ({ version, state, status, members }) => {
        if (ask !== this.#ask) return;
        this.#backoff.reset();
        this.#set({ phase: 'joined', version, state, status, members, error: undefined });
        for (const event of this.#early.splice(0)) this.#take(event);
      },
      (error: PollcastError) => {
        if (ask === this.#ask) this.#refused(error);
      },
    );
  }

  #refused(error: PollcastError): void {
    if (!PASSING.has(error.code)) return this.#set({ phase: 'refused', error });
    this.#set({ error });
    if (this.hub.connection.state === 'online') this.#retry = setTimeout(() => this.#join(), this.#backoff.nextMs());
  }

  #lost(): void {
    clearTimeout(this.#retry);
    this.#ask += 1;
    if (this.#snapshot.phase === 'joined') this.#set({ phase: 'joining' });
  }

  #take(event: RoomEvent): void {
    const now = this.#snapshot;
    if (now.phase === 'joining') return void this.#early.push(event);
    if (now.phase !== 'joined' || event.version <= now.version) return;
    // Something is missing in between: the room as a whole has it.
    if (event.version !== now.version + 1) return this.#join();
    this.#set(after(now, event));
    for (const listener of [...this.#eventListeners]) listener(event);
  }

  /** The answer to a change may come before the event that it made. */
  async #seen(answer: Promise<{ readonly version: number }>): Promise<void> {
    const { version } = await answer;
    await this.#until((now) => now.phase === 'joined' && now.version >= version);
  }

  #until(holds: (snapshot: RoomSnapshot) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const { phase, error } = this.#snapshot;
        if (phase === 'left') reject(new PollcastError('NOT_SUBSCRIBED', `Room ${this.room} was left.`));
        else if (phase === 'refused' && error !== undefined) reject(error);
        else if (holds(this.#snapshot)) resolve();
        else return;
        this.#waiting.delete(look);
      };
      this.#waiting.add(look);
      look();
    });
  }

  #set(change: Partial<RoomSnapshot>): void {
    this.#snapshot = { ...this.#snapshot, ...change };
    for (const look of [...this.#waiting]) look();
    for (const listener of [...this.#listeners]) listener(this.#snapshot);
  }
}

/** Joins a room and stays in it, through lost connections, until `leave`. */
export function joinRoom(hub: Hub, room: string, options: RoomOptions = {}): Room {
  return new Room(hub, room, options);
}

function after(before: RoomSnapshot, event: RoomEvent): RoomSnapshot {
  const { version, patch, status, joins = [], leaves = [] } = event;
  const touched = new Set([...leaves, ...joins.map(({ user }: RoomMember) => user)]);
  return {
    ...before,
    version,
    ...(patch && { state: mergePatch(before.state, patch) as JsonObject }),
    ...(status !== undefined && { status }),
    ...(touched.size > 0 && { members: [...before.members.filter(({ user }) => !touched.has(user)), ...joins] }),
  };
}
