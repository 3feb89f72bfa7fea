import { systemClock, type Clock, type Timer } from '../kernel/clock.js';

/** How often the wall clock is looked at: it may be stepped, and node's timers count at most 2^31 ms. */
const LOOK_MS = 60_000;

/**
 * Calls `end` once when the wall clock reaches `expiresAt` (ms since 1970); never for undefined. Cancel it with the
 * session: it holds on to `end`.
 */
export function onExpiry(expiresAt: number | undefined, end: () => void, clock: Clock = systemClock): Timer {
  let timer: Timer | null = null;
  const look = (): void => {
    const left = (expiresAt ?? Infinity) - clock.now();
    if (left <= 0) end();
    else timer = clock.after(Math.min(left, LOOK_MS), look);
  };
  if (expiresAt !== undefined) timer = clock.after(Math.min(Math.max(0, expiresAt - clock.now()), LOOK_MS), look);
  return { cancel: () => timer?.cancel() };
}
