import type { Moment } from './wire.js';

/**
 * The hub's clock as seen from here. A phone's clock may be minutes off, which would make fresh rows look old (or yet to
 * come). A frame is sent right after it was polled, so the smallest gap ever seen between its arrival and its `polledAt`
 * is the difference of the clocks plus the shortest way here.
 */
export class HubClock {
  #aheadMs: number | undefined;

  constructor(private readonly now: () => number = Date.now) {}

  /** Learns from a frame that has just arrived. */
  observe(polledAt: Moment): void {
    const gapMs = this.now() - hubMs(polledAt);
    if (Number.isNaN(gapMs)) return;
    if (this.#aheadMs === undefined || gapMs < this.#aheadMs) this.#aheadMs = gapMs;
  }

  /** A moment on the hub's clock, in milliseconds of this machine's; never in the future. */
  toLocal(moment: Moment): number {
    const localMs = hubMs(moment) + (this.#aheadMs ?? 0);
    return Number.isNaN(localMs) ? this.now() : Math.min(this.now(), localMs);
  }

  /** The hub's time now, in milliseconds since 1970. */
  hubNow(): number {
    return this.now() - (this.#aheadMs ?? 0);
  }
}

export function hubMs(moment: Moment): number {
  return typeof moment === 'number' ? moment : Date.parse(moment);
}
