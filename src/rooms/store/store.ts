import type { Unsubscribe } from '../../kernel/ports/bus.js';
import type { Json } from '../../merge-patch.js';
import type { RoomEvent } from '../room-state.js';

/** What the lobby tells of a room. */
export interface RoomHead {
  readonly room: string;
  readonly version: number;
  readonly status: Json;
  /** How many are in it. */
  readonly members: number;
  /** Wall clock ms of the newest event. */
  readonly at: number;
}

export interface Commit {
  readonly head: RoomHead;
  /** The room after the events, as JSON. */
  readonly state: string;
  readonly events: readonly RoomEvent[];
  /** How long it is kept unless something happens; `null`: for as long as it takes. */
  readonly keepMs: number | null;
}

export interface FeedEntry {
  readonly id: string;
  readonly event: RoomEvent;
}

/**
 * Where rooms outlive their processes, and from where everybody learns what happens in them. One `commit` is one step:
 * the state, the events in the room's recent past and in the feed of all rooms, and word to all who listen.
 * All reject with `UNAVAILABLE` when the store does not answer.
 */
export interface RoomStore {
  /** Makes `fence` the lowest that is accepted, and returns what was saved. `refused`: a higher one was there. */
  open(room: string, fence: number): Promise<{ saved: string | null } | 'refused'>;
  /** `false`: a higher fence was there, nothing was kept or told. Repeating one that got through changes nothing. */
  commit(room: string, fence: number, commit: Commit): Promise<boolean>;

  /** The newest events before a version that are still at hand, oldest first. */
  recent(room: string, before: number, limit: number): Promise<RoomEvent[]>;
  /** What came after a version, oldest first; what is older than the recent past is missing. */
  after(room: string, version: number): Promise<RoomEvent[]>;
  /** Rooms that are alive or kept. */
  heads(): Promise<RoomHead[]>;
  /** Their newest versions; `null`: no such room. */
  versions(rooms: readonly string[]): Promise<(number | null)[]>;

  /** Events of one room as they are committed. At most once, as the bus. */
  subscribe(room: string, handle: (events: RoomEvent[]) => void): Promise<Unsubscribe>;
  /** Heads of all rooms as they change. At most once. */
  follow(handle: (head: RoomHead) => void): Promise<Unsubscribe>;
  /** What was committed and not yet confirmed, at most about so much; of each room in the order in which it happened. */
  feed(limit: number): Promise<FeedEntry[]>;
  /** These are read: they may be dropped, and what of the same rooms came before them. */
  confirm(entries: readonly FeedEntry[]): Promise<void>;
  /** As `BusPort.onLink`. */
  onLink(listen: (up: boolean) => void): () => void;
}

/** Events that are kept at hand for each room. */
export const RECENT_EVENTS = 256;
/** Events that wait for their subscriber, at most: then the oldest are given up. */
export const FEED_EVENTS = 200_000;
