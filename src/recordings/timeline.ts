import type { HubEvent } from './packets.js';

/** What lies in the storage of one segment. `why`: what ended the stretch before it. */
export interface StoredSegment {
  readonly stem: string;
  /** Wall clock ms. */
  readonly from: number;
  readonly ms: number;
  readonly why?: string;
}

/** One line of a timeline. `time`: wall clock ms; `at`: seconds of the video, filled in when it is joined. */
export interface TimelineLine {
  readonly time: number;
  readonly type: string;
  readonly [field: string]: unknown;
}

/** Rows of one frame beyond this are counted, not kept: the video shows them. */
const MAX_ROWS_BYTES = 16 * 1024;
/** Shorter ones are the pause between two frames. */
const GAP_MS = 250;

export function lineOf(event: HubEvent, time: number): TimelineLine {
  const { type, payload } = event;
  if (type !== 'frame') {
    // A room tells its own time, under the name that is the video's here.
    const { at: _at, time: _time, type: _type, ...rest } = payload;
    return { time, type, ...rest };
  }
  const { channel, epoch, seq, polledAt, rows, upsert, remove } = payload;
  const head = { time, type, channel, epoch, seq, polledAt };
  if (Array.isArray(rows)) return { ...head, count: rows.length, ...small('rows', rows) };
  return {
    ...head,
    changed: Array.isArray(upsert) ? upsert.length : 0,
    removed: Array.isArray(remove) ? remove.length : 0,
    ...small('upsert', upsert),
    ...small('remove', remove),
  };
}

function small(name: string, value: unknown): Record<string, unknown> {
  return value !== undefined && JSON.stringify(value).length <= MAX_ROWS_BYTES ? { [name]: value } : {};
}

/** In the order in which they were recorded, without what an overtaken owner recorded at the same time. */
export function inOrder(segments: readonly StoredSegment[]): StoredSegment[] {
  const kept: StoredSegment[] = [];
  for (const segment of [...segments].sort((a, b) => a.from - b.from)) {
    const before = kept.at(-1);
    if (before === undefined || segment.from >= before.from + before.ms - GAP_MS) kept.push(segment);
  }
  return kept;
}

export function secondsOf(segments: readonly Pick<StoredSegment, 'ms'>[]): number {
  return segments.reduce((sum, { ms }) => sum + ms, 0) / 1_000;
}

/**
 * The timeline of the joined video: each line gets its second in the video, and where the recording was interrupted a line
 * `gap` says for how long and why. `read` gives the lines of one segment.
 */
export async function* joinedTimeline(
  segments: readonly StoredSegment[],
  read: (segment: StoredSegment) => AsyncIterable<string>,
): AsyncIterable<string> {
  let offsetMs = 0;
  let before: StoredSegment | undefined;
  for (const segment of segments) {
    const gapMs = before === undefined ? 0 : segment.from - (before.from + before.ms);
    if (segment.why !== undefined || gapMs > GAP_MS) {
      const lostMs = Math.max(0, gapMs);
      const gap = {
        time: segment.from - lostMs,
        type: 'gap',
        seconds: lostMs / 1_000,
        reason: segment.why ?? 'unknown',
      };
      yield placed(gap, offsetMs / 1_000);
    }
    for await (const text of read(segment)) {
      const line = JSON.parse(text) as TimelineLine;
      const inside = Math.min(segment.ms, Math.max(0, line.time - segment.from));
      yield placed(line, (offsetMs + inside) / 1_000);
    }
    offsetMs += segment.ms;
    before = segment;
  }
}

function placed({ time, type, ...rest }: TimelineLine, at: number): string {
  return `${JSON.stringify({ at: Math.round(at * 1_000) / 1_000, time, type, ...rest })}\n`;
}
