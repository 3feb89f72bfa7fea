import { z } from 'zod';
import type { Mount } from '../http/mount.js';
import type { ProcessSpec } from '../kernel/ports/store.js';

export const RECORDING_KIND = 'recording';
export const POOL_KIND = 'recorder-pool';
/** The one process that keeps the queue of a cluster. */
export const POOL_NAME = 'recordings';

export const STATES = ['queued', 'starting', 'recording', 'finishing', 'ready', 'error'] as const;
export type RecordingState = (typeof STATES)[number];

/** Why a recording ended. */
export type EndReason = 'stopped' | 'length' | 'owner-gone' | 'operator' | 'failed';

/** What is recorded: a page of the hub itself (a path), or one of RECORDER_ALLOW (a whole address). */
export type Target = { readonly hub: string } | { readonly url: string };

/** Who asked for it: their rights to topics go with the recorder's browser, their name does not. */
export interface Owner {
  readonly user: string;
  readonly roles: readonly string[];
  readonly claims: Readonly<Record<string, unknown>>;
}

export interface RecordingArgs {
  readonly id: string;
  readonly owner: Owner;
  readonly target: Target;
  readonly title: string;
  /** What happens in it belongs into the timeline. */
  readonly room?: string | undefined;
  readonly maxSeconds: number;
  /** Ms since 1970. */
  readonly requestedAt: number;
}

/** A recording as people see it. */
export const recordingSchema = z.object({
  id: z.string(),
  owner: z.string(),
  title: z.string(),
  room: z.string().optional(),
  state: z.enum(STATES),
  node: z.string().nullable(),
  segments: z.number(),
  seconds: z.number(),
  requestedAt: z.number(),
  startedAt: z.number().nullable(),
  /** Pictures of the page that came too fast to be encoded. */
  droppedFrames: z.number(),
  bytes: z.number().optional(),
  ended: z.enum(['stopped', 'length', 'owner-gone', 'operator', 'failed']).optional(),
  error: z.object({ code: z.string(), message: z.string() }).optional(),
});
export type Recording = z.infer<typeof recordingSchema>;

/** What changes of a recording while it is made. */
export type Progress = Partial<
  Pick<
    Recording,
    'state' | 'node' | 'segments' | 'seconds' | 'startedAt' | 'droppedFrames' | 'bytes' | 'ended' | 'error'
  >
>;

export function isOver({ state }: Pick<Recording, 'state'>): boolean {
  return state === 'ready' || state === 'error';
}

export function queued(args: RecordingArgs): Recording {
  return {
    id: args.id,
    owner: args.owner.user,
    title: args.title,
    ...(args.room === undefined ? {} : { room: args.room }),
    state: 'queued',
    node: null,
    segments: 0,
    seconds: 0,
    requestedAt: args.requestedAt,
    startedAt: null,
    droppedFrames: 0,
  };
}

/** As the contract shows it to clients: with addresses of what can be fetched by now. */
export function toWire(
  { owner: _owner, ...recording }: Recording,
  mount: Pick<Mount, 'path'>,
): Record<string, unknown> {
  if (recording.state !== 'ready') return recording;
  const base = mount.path(`/api/recordings/${recording.id}`);
  return { ...recording, url: `${base}/video`, timelineUrl: `${base}/timeline`, thumbnailUrl: `${base}/thumbnail` };
}

export function recordingName(id: string): string {
  return `${RECORDING_KIND}:${id}`;
}

export function recordingSpec(args: RecordingArgs): ProcessSpec & { readonly args: RecordingArgs } {
  return { name: recordingName(args.id), kind: RECORDING_KIND, args };
}

/** Where a recording's files lie in the storage. */
export const files = {
  root: 'recordings',
  folder: (id: string) => `recordings/${id}`,
  segments: (id: string) => `recordings/${id}/segments`,
  video: (id: string) => `recordings/${id}/video.mp4`,
  timeline: (id: string) => `recordings/${id}/timeline.ndjson`,
  thumbnail: (id: string) => `recordings/${id}/thumbnail.jpg`,
  /** Written last: what has it is whole. */
  facts: (id: string) => `recordings/${id}/recording.json`,
};
