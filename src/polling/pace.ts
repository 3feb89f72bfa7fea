/** Rounds in a row that must have fitted with room to spare before the pace quickens. */
const CALM_ROUNDS = 3;
/** What a round may take of the interval that it is to fit in, to count as room to spare. */
const CALM_SHARE = 0.7;
const MOST = 60;

/**
 * How many intervals a topic's poller takes for one: 1, until a round takes longer than its interval. Then as many as
 * it needs, at once; back down step by step, and only after several rounds that would have fitted with room to spare,
 * so that a topic at the edge does not change its pace all the time.
 */
export class Pace {
  #factor = 1;
  #calm = 0;

  get factor(): number {
    return this.#factor;
  }

  get slow(): boolean {
    return this.#factor > 1;
  }

  /** Works in what a round took. Returns whether the pace is another one now. */
  took(ms: number, intervalMs: number): boolean {
    const before = this.#factor;
    const needed = Math.min(MOST, Math.max(1, Math.ceil(ms / intervalMs)));
    if (needed > this.#factor) this.#factor = needed;
    this.#calm = ms <= (this.#factor - 1) * intervalMs * CALM_SHARE ? this.#calm + 1 : 0;
    if (this.#calm >= CALM_ROUNDS) {
      this.#factor = Math.max(1, Math.ceil(this.#factor / 2), Math.ceil(ms / intervalMs / CALM_SHARE));
      this.#calm = 0;
    }
    return this.#factor !== before;
  }

  /** Another statement is in force: nothing is known of it. */
  reset(): void {
    this.#factor = 1;
    this.#calm = 0;
  }
}
