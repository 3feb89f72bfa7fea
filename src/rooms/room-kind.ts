import type { ProcessKind } from '../kernel/kind.js';
import { ROOM_KIND, type RoomArgs } from './names.js';
import { Room, type RoomMessage, type RoomParts } from './room.js';

/**
 * A room keeps its state in the rooms' own store rather than in the kernel's backup: what outlives a process there ends
 * with its spec, and an empty room's state is to be kept when nothing of the process is left.
 */
export function roomKind(parts: RoomParts): ProcessKind<RoomArgs, RoomMessage, unknown, null> {
  return { kind: ROOM_KIND, start: ({ room }, context) => Room.start(room, parts, context) };
}
