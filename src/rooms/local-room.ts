import type { Logger } from '../kernel/log.js';
import type { Unsubscribe } from '../kernel/ports/bus.js';
import type { RoomEvent } from './room-state.js';
import type { RoomStore } from './store/store.js';

/** One window on a room. */
export interface RoomViewer {
  /** Of its socket. */
  readonly id: string;
  readonly user: string;
  readonly name: string;
  /** What it has open is counted here, once for each room. Absent: by nobody. `open` throws when there may be no more. */
  readonly seats?: { open(): void; close(): void };
  tell(event: RoomEvent): void;
}

export interface LocalWindow {
  readonly viewer: RoomViewer;
  /** Wall clock ms when it came. */
  readonly since: number;
}

interface Admitted extends LocalWindow {
  /** The newest version that it has; `null`: it is on its way in. */
  version: number | null;
}

/**
 * A room as far as this node's windows are concerned: what is committed comes in, and goes out to each of them, in order
 * and once. What was missed on the way, by a break of the link or because messages are sent at most once, is read again
 * from the store.
 */
export class LocalRoom {
  readonly #viewers = new Map<string, Admitted>();
  #unsubscribe: Promise<Unsubscribe> | null = null;
  /** The newest version that has come in; `null`: none yet. */
  #version: number | null = null;
  #catchingUp = false;
  #wanted = false;

  constructor(
    readonly room: string,
    private readonly store: RoomStore,
    private readonly log: Logger,
  ) {}

  get size(): number {
    return this.#viewers.size;
  }

  /** What all of its windows have; `null`: none has anything yet. */
  get version(): number | null {
    const oldest = this.#oldest();
    return oldest === Infinity ? null : oldest;
  }

  get viewers(): readonly LocalWindow[] {
    return [...this.#viewers.values()];
  }

  has(id: string): boolean {
    return this.#viewers.has(id);
  }

  window(id: string): LocalWindow | undefined {
    return this.#viewers.get(id);
  }

  /** Resolves once events come in. */
  async connect(): Promise<void> {
    const opening = (this.#unsubscribe ??= this.store.subscribe(this.room, (events) => this.#hear(events)));
    try {
      await opening;
    } catch (error) {
      if (this.#unsubscribe === opening) this.#unsubscribe = null;
      throw error;
    }
  }

  async close(): Promise<void> {
    const unsubscribe = await this.#unsubscribe?.catch(() => undefined);
    this.#unsubscribe = null;
    await unsubscribe?.();
  }

  /** It is told nothing until it is admitted. Returns the version that it had, if it was in before. */
  enter(viewer: RoomViewer, since: number): number | null {
    const before = this.#viewers.get(viewer.id)?.version ?? null;
    this.#viewers.set(viewer.id, { viewer, since, version: null });
    return before;
  }

  /** From now on it is told what comes after the version that it has seen. */
  admit(id: string, version: number): void {
    const admitted = this.#viewers.get(id);
    if (!admitted) return;
    admitted.version = version;
    if (this.#version === null) this.#version = version;
    // What has come in while it was on its way, it lacks; or what it has seen has not come in.
    if (version !== this.#version) this.catchUp();
  }

  remove(id: string): void {
    this.#viewers.delete(id);
  }

  /** Reads what may have been missed. */
  catchUp(): void {
    this.#wanted = true;
    if (!this.#catchingUp) void this.#catchUp();
  }

  #hear(events: readonly RoomEvent[]): void {
    const [first] = events;
    if (!first) return;
    const next = (this.#version ?? first.version - 1) + 1;
    // Something is missing, or a room that was forgotten begins anew; the store knows.
    if (first.version > next && !first.opened) this.catchUp();
    else if (!this.#deliver(events, null)) this.catchUp();
  }

  /**
   * Each viewer gets what is next for it. `readAfter`: these are all that could be had after that version, so that what one
   * lacks before them is lost; it sees so by the versions, and joins anew. Returns whether everybody has everything.
   */
  #deliver(events: readonly RoomEvent[], readAfter: number | null): boolean {
    let complete = true;
    for (const event of events) {
      this.#version = Math.max(this.#version ?? 0, event.version);
      for (const admitted of this.#viewers.values()) {
        if (admitted.version === null || admitted.version >= event.version) continue;
        // One that came in a moment ago: what is between is being read for it.
        const isNext = event.version === admitted.version + 1 || event.opened === true;
        const isLost = readAfter !== null && admitted.version >= readAfter;
        if (!isNext && !isLost) complete = false;
        else {
          admitted.version = event.version;
          admitted.viewer.tell(event);
        }
      }
    }
    return complete;
  }

  async #catchUp(): Promise<void> {
    this.#catchingUp = true;
    while (this.#wanted && this.#viewers.size > 0) {
      this.#wanted = false;
      const from = this.#oldest();
      if (from === Infinity) break;
      try {
        // Somebody may have come in meanwhile with less than what was asked for.
        if (!this.#deliver(await this.store.after(this.room, from), from)) this.#wanted = true;
      } catch (error) {
        this.log.debug({ err: error, room: this.room }, 'not caught up yet');
        break;
      }
    }
    this.#catchingUp = false;
  }

  #oldest(): number {
    let oldest = this.#version ?? Infinity;
    for (const { version } of this.#viewers.values()) if (version !== null && version < oldest) oldest = version;
    return oldest;
  }
}
