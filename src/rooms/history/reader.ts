import type { RoomEvent } from '../room-state.js';
import type { RoomStore } from '../store/store.js';
import type { RoomHistory } from './history.js';

/**
 * A page of a room's past, oldest first: what is at hand in the store comes first, so that the newest is there whether or not the
 * writer has come to it; what is older is in the history.
 */
export async function pageOf(
  store: RoomStore,
  history: () => Promise<RoomHistory>,
  room: string,
  before: number,
  limit: number,
): Promise<RoomEvent[]> {
  const recent = await store.recent(room, before, limit);
  const [oldest] = recent;
  if (recent.length >= limit || oldest?.opened) return recent;
  const older = await (await history()).page(room, oldest?.version ?? before, limit - recent.length);
  return [...older, ...recent];
}
