import type { Recording } from '../../../client/index.js';

/** `0:07`, `12:03`, `1:02:03`. */
export function lengthOf(seconds: number): string {
  const whole = Math.floor(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value: number): string => String(value).padStart(2, '0');
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

export const STATE_WORDS: Record<Recording['state'], string> = {
  queued: 'Waits for a recorder',
  starting: 'Starting',
  recording: 'Recording',
  finishing: 'Finishing',
  ready: 'Ready',
  error: 'Failed',
};

export interface TimelineLine {
  readonly at: number;
  readonly time: number;
  readonly type: string;
  readonly [field: string]: unknown;
}

/** What a line of the timeline says, in words. */
export function tellLine(line: TimelineLine): { readonly title: string; readonly detail: string } {
  const text = (field: string): string => plain(line[field]);
  const list = (field: string): string =>
    Array.isArray(line[field]) ? (line[field] as unknown[]).map(nameOf).join(', ') : '';
  switch (line.type) {
    case 'frame': {
      const changed =
        line['changed'] === undefined ? `${text('count')} rows` : `${text('changed')} changed, ${text('removed')} gone`;
      return { title: text('channel'), detail: changed };
    }
    case 'gap':
      return {
        title: 'Interrupted',
        detail: `${Number(line['seconds']).toFixed(1)} s: ${text('reason').replaceAll('-', ' ')}`,
      };
    case 'status':
      return { title: text('channel'), detail: `is ${text('state')}` };
    case 'presence':
      return { title: text('channel'), detail: `${text('count')} watch` };
    case 'room':
      return {
        title: text('room'),
        detail: [
          nameOf(line['by']),
          list('joins') && `joined: ${list('joins')}`,
          list('leaves') && `left: ${list('leaves')}`,
          line['patch'] ? 'changed it' : '',
        ]
          .filter(Boolean)
          .join(' · '),
      };
    default:
      return { title: line.type, detail: '' };
  }
}

function nameOf(value: unknown): string {
  if (typeof value === 'object' && value !== null) {
    const { name, user } = value as { name?: unknown; user?: unknown };
    return plain(name ?? user);
  }
  return plain(value);
}

export function readTimeline(text: string): readonly TimelineLine[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as TimelineLine);
}

function plain(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}
