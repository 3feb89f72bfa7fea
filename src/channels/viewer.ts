import type { StatusChange } from '../polling/frames/frames.js';
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
  frame(frame: SharedFrame): void;
  status(status: StatusChange): void;
  presence?(change: PresenceChange): void;
  /** Frames of one round come between these two. */
  cork?(): void;
  uncork?(): void;
}
