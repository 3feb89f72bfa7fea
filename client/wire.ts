/** What travels between a viewer and the hub, word for word as the contract names it. */
import type { Ack, Call, JsonValue } from './call.js';
import type { Recording, RecordingRequest } from './recordings.js';
import type { Export, ExportLink, ExportRequest } from './exports.js';
import type { RoomCalls, RoomEvents } from './room-wire.js';

export type { Ack, JsonValue };

/** One row: Postgres's own JSON, so timestamps are ISO 8601 texts and `numeric` and `bigint` are numbers. */
export type Row = { readonly [column: string]: JsonValue };

export type ParamScalar = string | number | boolean | null;
export type Params = Readonly<Record<string, ParamScalar | readonly ParamScalar[] | undefined>>;

/** Where a channel's frames stand. Within an epoch `seq` only rises. */
export interface Position {
  readonly epoch: Epoch;
  readonly seq: number;
}

export type Epoch = number | string;

/** A moment on the hub's clock: ISO 8601, or milliseconds since 1970. */
export type Moment = string | number;

export type ChannelState = 'live' | 'stale' | 'failed';

export interface SubscribeRequest {
  readonly topic: string;
  readonly params?: Params;
  /** Slowest refresh wanted, as a duration: `5s`. */
  readonly every?: string;
  readonly presence?: boolean;
  /** Send only what changed, where the topic has a `key`. */
  readonly delta?: boolean;
  readonly since?: Position;
}

export interface Subscribed extends Position {
  readonly channel: string;
  /** Absent when `resumed`. */
  readonly rows?: readonly Row[];
  readonly polledAt: Moment;
  readonly every: string | number;
  readonly resumed?: boolean;
  /** Columns that identify a row; there when frames may come as deltas. */
  readonly key?: readonly string[];
}

export interface Frame extends Position {
  readonly channel: string;
  readonly polledAt: Moment;
  readonly rows: readonly Row[];
}

/** What changed since the frame `base` of the same epoch. */
export interface DeltaFrame extends Position {
  readonly channel: string;
  readonly polledAt: Moment;
  readonly base: number;
  readonly upsert: readonly Row[];
  /** Values of the key's column, or lists of them for a key of several. */
  readonly remove: readonly JsonValue[];
}

export interface Status {
  readonly channel: string;
  readonly state: ChannelState;
  readonly reason?: string;
  readonly since: Moment;
}

export interface PresenceChange {
  readonly channel: string;
  readonly count: number;
}

export interface Viewers {
  readonly viewers: readonly { readonly user: string; readonly count: number; readonly since: Moment }[];
  readonly count: number;
}

export interface HistoryRequest {
  readonly channel: string;
  readonly from?: Moment;
  readonly to?: Moment;
  readonly limit?: number;
}

/** A new version of the hub that is rolled out everywhere. */
export interface Release {
  readonly version: string;
  readonly since: Moment;
}

export type ClientCalls = {
  subscribe: Call<SubscribeRequest, Subscribed>;
  unsubscribe: Call<{ readonly channel: string }, object>;
  presence: Call<{ readonly channel: string }, Viewers>;
  history: Call<HistoryRequest, { readonly frames: readonly Frame[] }>;
  'export:request': Call<ExportRequest, { readonly export: Export }>;
  'export:current': Call<object, { readonly export: Export | null }>;
  'export:cancel': Call<{ readonly id?: string }, { readonly export: Export | null }>;
  'export:dismiss': Call<{ readonly id: string }, object>;
  'export:link': Call<{ readonly id: string }, ExportLink>;
  'recording:start': Call<RecordingRequest, { readonly recording: Recording }>;
  'recording:stop': Call<{ readonly id: string }, { readonly recording: Recording }>;
  'recording:list': Call<object, { readonly recordings: readonly Recording[] }>;
} & RoomCalls;

export type ServerEvents = {
  frame: (frame: Frame | DeltaFrame) => void;
  status: (status: Status) => void;
  presence: (change: PresenceChange) => void;
  release: (release: Release) => void;
  export: (change: Export) => void;
  recording: (recording: Recording) => void;
} & RoomEvents;
