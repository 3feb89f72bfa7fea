import { PollcastError } from '../errors.js';
import { mergePatch, type Json, type JsonObject } from '../merge-patch.js';

/** Somebody in a room: one entry for a user, however many windows. */
export interface Member {
  readonly user: string;
  /** What they want to be called. */
  readonly name: string;
  /** Wall clock ms when they came. */
  readonly since: number;
}

/** All that a room is. Never changed in place: a new one takes its place. */
export interface RoomState {
  readonly schema: typeof SCHEMA;
  /** Of the newest event. */
  readonly version: number;
  /** Of the newest event that changed `state`: a change that was made before it is stale. */
  readonly patched: number;
  readonly state: JsonObject;
  readonly status: Json;
  /** In the order in which they came. */
  readonly members: readonly Member[];
}

/** The shape that this release writes; `migrations.ts` knows the older ones. */
export const SCHEMA = 2;

/** One thing that happened. A room is the fold of its events, from `opened` on. */
export interface RoomEvent {
  readonly room: string;
  readonly version: number;
  /** The first one of a room that did not exist, or had been forgotten: what was before does not count any more. */
  readonly opened?: true;
  readonly patch?: JsonObject;
  readonly status?: Json;
  /** Somebody who is there already has another name. */
  readonly joins?: readonly Member[];
  /** Users. */
  readonly leaves?: readonly string[];
  /** The user; `null`: the hub. */
  readonly by: string | null;
  /** Wall clock ms. */
  readonly at: number;
}

export type Change =
  | { readonly do: 'open'; readonly version: number }
  | { readonly do: 'patch'; readonly version: number; readonly patch: JsonObject; readonly by: string }
  | { readonly do: 'status'; readonly status: Json; readonly by: string }
  | { readonly do: 'join'; readonly member: Member }
  | { readonly do: 'leave'; readonly user: string };

export const NOTHING: RoomState = { schema: SCHEMA, version: 0, patched: 0, state: {}, status: null, members: [] };

/** What a change makes happen. Throws `CONFLICT` when it was made on a state that is not the present one any more. */
export function eventOf(room: string, before: RoomState, change: Change, at: number): RoomEvent {
  const head = { room, version: before.version + 1, at };
  switch (change.do) {
    case 'open':
      return { ...head, version: change.version, opened: true, by: null };
    case 'patch':
      if (change.version < before.patched || change.version > before.version)
        throw staleVersion(before, change.version);
      return { ...head, patch: change.patch, by: change.by };
    case 'status':
      return { ...head, status: change.status, by: change.by };
    case 'join':
      return { ...head, joins: [change.member], by: change.member.user };
    case 'leave':
      return { ...head, leaves: [change.user], by: change.user };
  }
}

/** The room after an event. */
export function fold(before: RoomState, event: RoomEvent): RoomState {
  const { version, opened, patch, status, joins = [], leaves = [] } = event;
  const base = opened ? { ...NOTHING, patched: version } : before;
  const touched = new Set([...leaves, ...joins.map(({ user }) => user)]);
  return {
    ...base,
    version,
    ...(patch && { state: mergePatch(base.state, patch) as JsonObject, patched: version }),
    ...(status !== undefined && { status }),
    ...(touched.size > 0 && { members: [...base.members.filter(({ user }) => !touched.has(user)), ...joins] }),
  };
}

function staleVersion(before: RoomState, got: number): PollcastError {
  const { version, patched } = before;
  return new PollcastError(
    'CONFLICT',
    `the room is at version ${version} and last changed with ${patched}, the change was made on ${got}: look at what changed, and make it again`,
    { version },
  );
}
