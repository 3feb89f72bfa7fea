import { mergePatch, type Json, type JsonObject } from '../../src/merge-patch.js';
import type { Member, RoomEvent } from '../../src/rooms/room-state.js';

/** A room as the contract's events make it. */
export interface View {
  readonly version: number;
  readonly state: JsonObject;
  readonly status: Json;
  readonly members: readonly Member[];
}

export const EMPTY: View = { version: 0, state: {}, status: null, members: [] };

/** What an event makes of a room: written down a second time, so that it is no witness of itself. */
export function after(view: View, event: RoomEvent): View {
  const base = event.opened ? EMPTY : view;
  const gone = new Set([...(event.leaves ?? []), ...(event.joins ?? []).map(({ user }) => user)]);
  return {
    version: event.version,
    state: event.patch ? (mergePatch(base.state, event.patch) as JsonObject) : base.state,
    status: event.status === undefined ? base.status : event.status,
    members: [...base.members.filter(({ user }) => !gone.has(user)), ...(event.joins ?? [])],
  };
}

/** The same text for the same value: jsonb keeps no order of keys. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
