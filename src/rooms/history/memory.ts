import type { RoomEvent } from '../room-state.js';
import type { Retention, RoomHistory } from './history.js';

/** The past of a single node that has nothing else to write to. */
export class MemoryHistory implements RoomHistory {
  readonly #past = new Map<string, RoomEvent[]>();

  append(events: readonly RoomEvent[]): Promise<void> {
    for (const event of events) {
      const past = this.#past.get(event.room) ?? [];
      this.#past.set(event.room, past);
      if (event.version > (past.at(-1)?.version ?? -1)) past.push(event);
    }
    return Promise.resolve();
  }

  page(room: string, before: number, limit: number): Promise<RoomEvent[]> {
    return Promise.resolve((this.#past.get(room) ?? []).filter(({ version }) => version < before).slice(-limit));
  }

  prune({ maxAgeMs, maxEvents }: Retention, now: number): Promise<void> {
    for (const [room, past] of this.#past) {
      const kept = past.filter(({ at }) => at >= now - maxAgeMs).slice(-maxEvents);
      if (kept.length > 0) this.#past.set(room, kept);
      else this.#past.delete(room);
    }
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
