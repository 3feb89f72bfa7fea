import type { Timer, Clock } from '../kernel/clock.js';
import type { Logger } from '../kernel/log.js';
import type { Unsubscribe } from '../kernel/ports/bus.js';
import type { RoomHead, RoomStore } from './store/store.js';

export interface LobbyListener {
  /** All that there are, the newest first: at the beginning, and whenever something may have been missed. */
  all(heads: readonly RoomHead[]): void;
  /** What changed since, each once. */
  changed(heads: readonly RoomHead[]): void;
}

/** Somebody who looks cannot read faster. */
const GATHER_MS = 200;
/** Rooms that are forgotten say nothing: all of them are read now and then. */
const READ_MS = 10_000;

/**
 * What goes on in rooms, for whoever looks from outside: who is in how many, their status, when something happened. It follows what
 * commits leave behind, as the history's writer does; rooms know of neither. One subscription for a node, however many look.
 */
export class Lobby {
  readonly #listeners = new Set<LobbyListener>();
  readonly #heads = new Map<string, RoomHead>();
  readonly #changed = new Map<string, RoomHead>();
  #following: Promise<Unsubscribe> | null = null;
  #reading: Promise<void> | null = null;
  #timer: Timer | null = null;
  #gathering: Timer | null = null;
  readonly #unlink: () => void;

  constructor(
    private readonly store: RoomStore,
    private readonly clock: Clock,
    private readonly log: Logger,
  ) {
    this.#unlink = store.onLink((up) => void (up && this.#listeners.size > 0 && this.#readAgain()));
  }

  /** As far as is known now, the newest first. */
  get heads(): RoomHead[] {
    return [...this.#heads.values()].sort((a, b) => b.at - a.at);
  }

  /** Rejects with `UNAVAILABLE` when the rooms cannot be had. */
  async watch(listener: LobbyListener): Promise<() => void> {
    this.#listeners.add(listener);
    const leave = (): void => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#rest();
    };
    try {
      this.#following ??= this.store.follow((head) => this.#hear(head));
      await this.#following;
      await this.#read();
    } catch (error) {
      leave();
      throw error;
    }
    if (this.#listeners.has(listener)) listener.all(this.heads);
    this.#timer ??= this.clock.after(READ_MS, () => this.#readAgain());
    return leave;
  }

  close(): void {
    this.#unlink();
    this.#listeners.clear();
    this.#rest();
  }

  #hear(head: RoomHead): void {
    const known = this.#heads.get(head.room);
    if (known && known.version > head.version) return;
    this.#heads.set(head.room, head);
    this.#changed.set(head.room, head);
    this.#gathering ??= this.clock.after(GATHER_MS, () => {
      this.#gathering = null;
      const heads = [...this.#changed.values()];
      this.#changed.clear();
      for (const listener of this.#listeners) listener.changed(heads);
    });
  }

  /** One reading at a time serves all who ask meanwhile. */
  #read(): Promise<void> {
    this.#reading ??= this.#readAll().finally(() => (this.#reading = null));
    return this.#reading;
  }

  async #readAll(): Promise<void> {
    const before = new Map(this.#heads);
    const heads = await this.store.heads();
    const there = new Set(heads.map(({ room }) => room));
    for (const head of heads) {
      const known = this.#heads.get(head.room);
      if (!known || known.version < head.version) this.#heads.set(head.room, head);
    }
    // Not one that was heard of while they were read.
    for (const [room, head] of before) if (!there.has(room) && this.#heads.get(room) === head) this.#heads.delete(room);
  }

  #readAgain(): void {
    this.#timer?.cancel();
    this.#timer = this.clock.after(READ_MS, () => this.#readAgain());
    this.#read().then(
      () => this.#listeners.forEach((listener) => listener.all(this.heads)),
      (error: unknown) => this.log.debug({ err: error }, 'the rooms could not be read; they will be'),
    );
  }

  /** Nobody looks any more. */
  #rest(): void {
    this.#timer?.cancel();
    this.#gathering?.cancel();
    this.#timer = this.#gathering = null;
    this.#changed.clear();
    this.#heads.clear();
    const following = this.#following;
    this.#following = null;
    following
      ?.then((unsubscribe) => unsubscribe())
      .catch((error: unknown) => this.log.debug({ err: error }, 'the rooms were not unsubscribed'));
  }
}
