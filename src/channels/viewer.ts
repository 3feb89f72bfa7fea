import type { StatusChange } from '../polling/frames/frames.js';
import type { RoundWrites } from './round-writes.js';
import type { SharedFrame } from './shared-frame.js';

export interface PresenceChange {
  readonly channel: string;
  readonly count: number;
  readonly joins: readonly string[];
  readonly leaves: readonly string[];
}

/** Somebody who watches channels on this node: a socket, an event stream, a request. */
export interface Viewer {
  /** Unique in the cluster. */
  readonly id: string;
  readonly user: string;
  /** It left, while something was under way for it. */
  readonly gone: boolean;
  /** `writes`: others of the same round may follow, and are to leave together. */
  frame(frame: SharedFrame, writes?: RoundWrites): void;
  status(status: StatusChange): void;
  presence?(change: PresenceChange): void;
}
