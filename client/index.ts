export { ExportWatch, isUnderWay, watchExport, type ExportSnapshot, type ExportWatchOptions } from './export-watch.js';
export type { Export, ExportFormat, ExportLink, ExportRequest } from './exports.js';
export { createHub, Hub, type HubOptions, type TopicHandle, type TopicOptions } from './hub.js';
export * from './topic-types.js';
export type { ConnectionStatus, TokenSource } from './connection.js';
export { joinRoom, type Room, type RoomOptions, type RoomPatch, type RoomSnapshot } from './rooms.js';
export type { RoomEvent, RoomMember } from './room-wire.js';
export type { Snapshot } from './snapshot.js';
export type { WatchOptions } from './watch.js';
export type {
  ChannelState,
  Frame,
  HistoryRequest,
  JsonValue,
  Params,
  ParamScalar,
  Position,
  Release,
  Row,
} from './wire.js';
export { PollcastError, type ErrorCode } from '../src/errors.js';
export type { Recording, RecordingRequest } from './recordings.js';
