/** One of the hub's events, as the recorded page got it. */
export interface HubEvent {
  readonly type: string;
  readonly payload: Readonly<Record<string, unknown>>;
}

/** Events that belong into a recording's timeline: what changed, and who did what. */
const TYPES = new Set(['frame', 'status', 'presence', 'room', 'release']);

/**
 * Reads a text message of Socket.IO (protocol 5, the main namespace); `null`: none of the events that are wanted. Answers count
 * as well: that to `subscribe`, with the first rows, and that to `room:join`, with who is there and the state so far.
 */
export function readPacket(text: string): HubEvent | null {
  const [, kind, body] = /^(42|43\d+)(\[.*)$/s.exec(text) ?? [];
  if (kind === undefined || body === undefined) return null;
  try {
    const [first, second] = JSON.parse(body) as [unknown, unknown];
    if (kind !== '42') return answered(first);
    if (typeof first !== 'string' || !TYPES.has(first) || !isObject(second)) return null;
    return { type: first, payload: second };
  } catch {
    return null;
  }
}

function answered(answer: unknown): HubEvent | null {
  if (!isObject(answer)) return null;
  const { ok: _ok, ...payload } = answer;
  if (typeof payload['channel'] === 'string' && Array.isArray(payload['rows'])) return { type: 'frame', payload };
  if (typeof payload['room'] === 'string' && Array.isArray(payload['members'])) return { type: 'room', payload };
  return null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
