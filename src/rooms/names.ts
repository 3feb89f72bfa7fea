import type { ProcessSpec } from '../kernel/ports/store.js';

export const ROOM_KIND = 'room';

export interface RoomArgs {
  readonly room: string;
}

export function roomProcess(room: string): ProcessSpec {
  return { name: `${ROOM_KIND}:${room}`, kind: ROOM_KIND, args: { room } satisfies RoomArgs };
}
