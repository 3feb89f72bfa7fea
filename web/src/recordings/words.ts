import type { Recording, RoomEvent, RoomMember } from '../../../client/index.js';
import { formatValue } from '../format.js';
import { wordsOf } from '../rooms/shared.js';

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

/** What a recording is of, in words: pages of the hub are known by their names. */
export function titleOf({ title }: Pick<Recording, 'title'>): string {
  if (!title.startsWith('/')) return title;
  const { pathname, searchParams } = new URL(title, 'http://hub');
  const room = /^\/rooms\/([^/]+)$/.exec(pathname)?.[1];
  const page = pathname === '/' ? 'Dashboard' : room === undefined ? pathname : `Room ${room}`;
  return [page, ...searchParams.values()].join(' · ');
}

/** When and where it was made, and what came of it that is worth saying. */
export function factsOf({ requestedAt, node, ended }: Recording): string {
  const when = formatValue(new Date(requestedAt).toISOString(), undefined, Date.now());
  return [when, node ?? '', ended === undefined ? '' : END_WORDS[ended]].filter(Boolean).join(' · ');
}

const END_WORDS: Record<NonNullable<Recording['ended']>, string> = {
  stopped: '',
  length: 'ended at its longest',
  'owner-gone': 'ended when its owner had gone',
  operator: 'ended by an operator',
  failed: '',
};

/** Whether it was made of this page, whatever is chosen on it. */
export function isOf({ title }: Pick<Recording, 'title'>, pathname: string): boolean {
  return title.startsWith('/') && new URL(title, 'http://hub').pathname === pathname;
}

export interface TimelineLine {
  readonly at: number;
  readonly time: number;
  readonly type: string;
  readonly [field: string]: unknown;
}

/** What a line of the timeline says, in words. */
export function tellLine(
  line: TimelineLine,
  names: ReadonlyMap<string, string> = new Map(),
): { readonly title: string; readonly detail: string } {
  const text = (field: string): string => plain(line[field]);
  const list = (field: string): string =>
    Array.isArray(line[field]) ? (line[field] as unknown[]).map(nameOf).join(', ') : '';
  const ofChannel = (what: string) => {
    const [title = '', params = ''] = text('channel').split('?');
    const given = [...new URLSearchParams(params)].filter(([, value]) => value !== '');
    return { title, detail: [what, ...given.map((pair) => pair.join(' '))].join(' · ') };
  };
  switch (line.type) {
    case 'frame': {
      const rows = text('count') === '1' ? '1 row' : `${text('count')} rows`;
      return ofChannel(line['changed'] === undefined ? rows : `${text('changed')} changed, ${text('removed')} gone`);
    }
    case 'gap':
      return tellGap(Number(line['seconds']), text('reason'));
    case 'status':
      return ofChannel(`is ${text('state')}`);
    case 'presence':
      return ofChannel(text('count') === '1' ? '1 watches' : `${text('count')} watch`);
    case 'room':
      return {
        title: `Room ${text('room')}`,
        detail:
          line['members'] === undefined ? tellRoom(line as unknown as RoomEvent, names) : `here: ${list('members')}`,
      };
    default:
      return { title: line.type, detail: '' };
  }
}

const REASONS: Readonly<Record<string, string>> = {
  'browser-crash': 'the browser crashed',
  'browser-hung': 'the browser hung',
  'browser-memory': 'the browser took too much memory',
  'encoder-death': 'the encoder ended',
  'encoder-hung': 'the encoder hung',
  paused: 'the node stood still',
  handover: 'another node took it on',
  takeover: 'its node was lost',
  restart: 'it was begun anew',
};

function tellGap(seconds: number, reason: string): { readonly title: string; readonly detail: string } {
  const why = REASONS[reason] ?? reason;
  if (seconds < 0.05) return { title: 'Goes on without a gap', detail: why };
  return { title: 'Interrupted', detail: `${seconds.toFixed(1)} s are missing: ${why}` };
}

function tellRoom(event: RoomEvent, names: ReadonlyMap<string, string>): string {
  const who = event.by === null ? 'the hub' : (names.get(event.by) ?? event.by);
  return `${who} ${wordsOf(event)}`;
}

/** What those are called who appear in rooms. */
export function namesIn(lines: readonly TimelineLine[]): ReadonlyMap<string, string> {
  const people = lines.flatMap(({ members, joins }) => [members, joins]).filter(Array.isArray) as RoomMember[][];
  return new Map(people.flat().map(({ user, name }) => [user, name]));
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
