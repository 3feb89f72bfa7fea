/** Fit for an address, and the same whoever types it. */
export const ROOM_PATTERN = '[a-z0-9][a-z0-9._\\-]{0,63}';

export function pathOf(room: string): string {
  return `/rooms/${room}`;
}

/** The room that an address is, or `undefined` when it is none. The hub tells what is wrong with its name. */
export function roomOf(pathname: string): string | undefined {
  const [, room] = /^\/rooms\/([^/]+)\/?$/.exec(pathname) ?? [];
  return room;
}
