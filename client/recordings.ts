import type { WireError } from '../src/errors.js';

export interface RecordingRequest {
  /** A path of the hub, or an address that the hub allows; either this or `topics`. */
  readonly url?: string;
  /** Channels: `name?a=1`. */
  readonly topics?: readonly string[];
  /** What happens in it comes into the timeline too. */
  readonly room?: string;
  readonly maxSeconds?: number;
}

export interface Recording {
  readonly id: string;
  readonly title: string;
  readonly room?: string;
  readonly state: 'queued' | 'starting' | 'recording' | 'finishing' | 'ready' | 'error';
  readonly node: string | null;
  readonly segments: number;
  readonly seconds: number;
  readonly requestedAt: number;
  readonly startedAt: number | null;
  readonly droppedFrames: number;
  readonly bytes?: number;
  readonly ended?: 'stopped' | 'length' | 'owner-gone' | 'operator' | 'failed';
  readonly error?: Pick<WireError, 'code' | 'message'>;
  readonly url?: string;
  readonly timelineUrl?: string;
  readonly thumbnailUrl?: string;
}
