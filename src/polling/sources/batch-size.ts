export interface BatchSizeOptions {
  /** How long one statement should take, in ms: long enough that its fixed cost vanishes, short enough to stay smooth. */
  readonly targetMs: number;
  /** Most channels of one statement. */
  readonly max: number;
  /** Most bytes of rows that one statement should bring back. */
  readonly targetBytes: number;
}

/** Channels of the very first statement of a topic: nothing is known of it yet. */
const FIRST = 8;
/** How much larger than any that went well a batch may be: one lucky measurement must not make a huge one. */
const GROWTH = 4;
/** Weight of the newest measurement when things get cheaper. */
const EASING = 0.3;

/** How fast a quick measurement is forgotten when none comes near it again. */
const FORGETTING = 1.05;

/** How many channels of a topic go into its next statement, from what the last ones took. */
export class BatchSize {
  #msEach: number | undefined;
  #quickestEach: number | undefined;
  #bytesEach = 0;
  #measured = 0;
  /** The largest batch that went well since the last time-out. */
  #largest: number | undefined;

  constructor(private readonly options: BatchSizeOptions) {}

  /** Channels for the next statement when `remaining` are left; the remainder is spread evenly over the statements. */
  next(remaining: number): number {
    const limit = this.limit;
    return limit >= remaining ? remaining : Math.ceil(remaining / Math.ceil(remaining / limit));
  }

  /** The most channels that one statement should have now. */
  get limit(): number {
    const grown = this.#largest === undefined ? FIRST : this.#largest * GROWTH;
    if (this.#msEach === undefined) return Math.max(1, Math.floor(Math.min(grown, this.options.max)));
    const byTime = this.options.targetMs / Math.max(this.#msEach, 1e-6);
    const byBytes = this.options.targetBytes / Math.max(this.#bytesEach, 1e-6);
    const fitting = Math.min(byTime, byBytes, grown, this.options.max);
    return Math.max(1, Math.floor(fitting));
  }

  /** What a statement for so many channels should take, in ms; undefined before the first measurement. */
  expectedMs(channels: number): number | undefined {
    return this.#msEach === undefined ? undefined : this.#msEach * channels;
  }

  /**
   * What one channel takes when nothing else is in the way: the quickest of the last measurements. A busy machine only
   * ever adds to a measurement, so this, and not the last one, says which of two forms is the cheaper.
   */
  get quickestMs(): number | undefined {
    return this.#quickestEach;
  }

  /** How many statements were measured. */
  get measured(): number {
    return this.#measured;
  }

  record(channels: number, elapsedMs: number, bytes: number): void {
    const each = elapsedMs / channels;
    this.#measured += 1;
    this.#msEach = eased(this.#msEach, each);
    this.#quickestEach = Math.min(each, (this.#quickestEach ?? Infinity) * FORGETTING);
    this.#bytesEach = eased(this.#bytesEach, bytes / channels);
    this.#largest = Math.max(this.#largest ?? 0, channels);
  }

  /**
   * A statement for so many channels took too long: the next one has at most half of them. What one channel takes is
   * not touched: the culprit is asked alone from now on, and the others are as quick as before.
   */
  shrink(channels: number): void {
    this.#largest = channels / 2 / GROWTH;
  }
}

/** Dearer counts at once, cheaper with care. */
function eased(before: number | undefined, now: number): number {
  return before === undefined || now > before ? now : before + (now - before) * EASING;
}
