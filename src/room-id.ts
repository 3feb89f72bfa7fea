/** What a room may be called: fit for an address, and the same whoever types it. */
export const ROOM_ID = /^[a-z0-9][a-z0-9._-]{0,63}$/;

export const ROOM_ID_WORDS = 'expected 1 to 64 small letters, digits and . _ -, beginning with a letter or a digit';
