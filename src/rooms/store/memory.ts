import { systemClock, type Clock } from '../../kernel/clock.js';
import type { Unsubscribe } from '../../kernel/ports/bus.js';
import type { RoomEvent } from '../room-state.js';
import { FEED_EVENTS, RECENT_EVENTS, type Commit, type FeedEntry, type RoomHead, type RoomStore } from './store.js';

interface Kept {
  fence: number;
  state: string | null;
  head: RoomHead | null;
  recent: RoomEvent[];
  /** Wall clock ms. */
  until: number;
}

/** Rooms in the memory of a single node, and the reference that the conformance suite holds Redis to. */
export class MemoryRooms implements RoomStore {
  readonly #rooms = new Map<string, Kept>();
  readonly #listeners = new Map<string, Set<(events: RoomEvent[]) => void>>();
  readonly #followers = new Set<(head: RoomHead) => void>();
  #feed: FeedEntry[] = [];
  #entries = 0;

  constructor(private readonly clock: Clock = systemClock) {}

  open(room: string, fence: number): Promise<{ saved: string | null } | 'refused'> {
    const kept = this.#kept(room) ?? { fence, state: null, head: null, recent: [], until: Infinity };
    if (kept.fence > fence) return Promise.resolve('refused');
    kept.fence = fence;
    this.#rooms.set(room, kept);
    return Promise.resolve({ saved: kept.state });
  }

  commit(room: string, fence: number, { head, state, events, keepMs }: Commit): Promise<boolean> {
    const kept = this.#kept(room) ?? { fence, state: null, head: null, recent: [], until: Infinity };
    if (kept.fence > fence) return Promise.resolve(false);
    if (kept.fence === fence && kept.head && kept.head.version >= head.version) return Promise.resolve(true);
    const until = keepMs === null ? Infinity : this.clock.now() + keepMs;
    this.#rooms.set(room, { fence, state, head, recent: [...kept.recent, ...events].slice(-RECENT_EVENTS), until });
    for (const event of events) this.#feed.push({ id: String(++this.#entries), event });
    this.#feed = this.#feed.slice(-FEED_EVENTS);
    const told = JSON.stringify(events);
    for (const listen of this.#listeners.get(room) ?? []) listen(JSON.parse(told) as RoomEvent[]);
    for (const listen of this.#followers) listen(head);
    return Promise.resolve(true);
  }

  recent(room: string, before: number, limit: number): Promise<RoomEvent[]> {
    const events = this.#kept(room)?.recent ?? [];
    return Promise.resolve(events.filter(({ version }) => version < before).slice(-limit));
  }

  after(room: string, version: number): Promise<RoomEvent[]> {
    return Promise.resolve((this.#kept(room)?.recent ?? []).filter((event) => event.version > version));
  }

  heads(): Promise<RoomHead[]> {
    return Promise.resolve([...this.#rooms.keys()].flatMap((room) => this.#kept(room)?.head ?? []));
  }

  versions(rooms: readonly string[]): Promise<(number | null)[]> {
    return Promise.resolve(rooms.map((room) => this.#kept(room)?.head?.version ?? null));
  }

  subscribe(room: string, handle: (events: RoomEvent[]) => void): Promise<Unsubscribe> {
    const listeners = this.#listeners.get(room) ?? new Set();
    this.#listeners.set(room, listeners);
    listeners.add(handle);
    return Promise.resolve(() => {
      listeners.delete(handle);
      if (listeners.size === 0 && this.#listeners.get(room) === listeners) this.#listeners.delete(room);
      return Promise.resolve();
    });
  }

  follow(handle: (head: RoomHead) => void): Promise<Unsubscribe> {
    this.#followers.add(handle);
    return Promise.resolve(() => {
      this.#followers.delete(handle);
      return Promise.resolve();
    });
  }

  feed(limit: number): Promise<FeedEntry[]> {
    return Promise.resolve(this.#feed.slice(0, limit));
  }

  confirm(entries: readonly FeedEntry[]): Promise<void> {
    const last = Math.max(0, ...entries.map(({ id }) => Number(id)));
    this.#feed = this.#feed.filter(({ id }) => Number(id) > last);
    return Promise.resolve();
  }

  onLink(): () => void {
    return () => undefined;
  }

  #kept(room: string): Kept | undefined {
    const kept = this.#rooms.get(room);
    if (!kept || kept.until > this.clock.now()) return kept;
    this.#rooms.delete(room);
    return undefined;
  }
}
