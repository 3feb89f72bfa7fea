/** One of the hub's events, as the recorded page got it. */
export interface HubEvent {
  readonly type: string;
  readonly payload: Readonly<Record<string, unknown>>;
}

/** Events that belong into a recording's timeline: what changed, and who did what. */
const TYPES = new Set(['frame', 'status', 'presence', 'room', 'release']);

/** Reads a text message of Socket.IO (protocol 5, the main namespace); `null`: none of the events that are wanted. */
export function readPacket(text: string): HubEvent | null {
  if (!text.startsWith('42[')) return null;
  try {
    const [type, payload] = JSON.parse(text.slice(2)) as [unknown, unknown];
    if (typeof type !== 'string' || !TYPES.has(type) || typeof payload !== 'object' || payload === null) return null;
    return { type, payload: payload as Record<string, unknown> };
  } catch {
    return null;
  }
}
