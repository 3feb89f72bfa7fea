import type { RoomEvent } from '../room-state.js';

/** How much of the past is kept. */
export interface Retention {
  readonly maxAgeMs: number;
  /** Events of one room. */
  readonly maxEvents: number;
}

/**
 * The past of all rooms: append only. An event is known by its room and version, so that appending it twice is appending it once.
 * All reject with `UNAVAILABLE` when what it lies in does not answer.
 */
export interface RoomHistory {
  append(events: readonly RoomEvent[]): Promise<void>;
  /** The newest `limit` events of a room before a version, oldest first. */
  page(room: string, before: number, limit: number): Promise<RoomEvent[]>;
  /** Removes what is older, or more, than is kept. `now`: wall clock ms. */
  prune(retention: Retention, now: number): Promise<void>;
  close(): Promise<void>;
}
