import type { ProcessSpec } from '../kernel/ports/store.js';

export const ROOM_KIND = 'room';

/** Fit for an address, and the same whoever types it. */
export const ROOM_ID = /^[a-z0-9][a-z0-9._-]{0,63}$/;

export interface RoomArgs {
  readonly room: string;
}

export function roomProcess(room: string): ProcessSpec {
  return { name: `${ROOM_KIND}:${room}`, kind: ROOM_KIND, args: { room } satisfies RoomArgs };
}
