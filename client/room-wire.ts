/** Rooms as they travel. */
import type { JsonObject } from '../src/merge-patch.js';
import type { Call, JsonValue } from './call.js';

/** One entry for a user, however many windows. */
export interface RoomMember {
  readonly user: string;
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly since: number;
}

export interface RoomView {
  readonly version: number;
  readonly state: JsonObject;
  readonly status: JsonValue;
  /** In the order in which they came. */
  readonly members: readonly RoomMember[];
}

export interface RoomEvent {
  readonly room: string;
  readonly version: number;
  /** The room began anew with this one. */
  readonly opened?: true;
  readonly patch?: JsonObject;
  readonly status?: JsonValue;
  readonly joins?: readonly RoomMember[];
  /** Users. */
  readonly leaves?: readonly string[];
  /** The user; `null`: the hub. */
  readonly by: string | null;
  /** Milliseconds since 1970. */
  readonly at: number;
}

export type RoomCalls = {
  'room:join': Call<{ readonly room: string; readonly name?: string }, RoomView & { readonly room: string }>;
  'room:leave': Call<{ readonly room: string }, object>;
  'room:change': Call<
    { readonly room: string; readonly version: number; readonly patch: JsonObject },
    { readonly version: number }
  >;
  'room:status': Call<{ readonly room: string; readonly status: JsonValue }, { readonly version: number }>;
  'room:history': Call<
    { readonly room: string; readonly before?: number; readonly limit?: number },
    { readonly events: readonly RoomEvent[] }
  >;
};

export type RoomEvents = { room: (event: RoomEvent) => void };
