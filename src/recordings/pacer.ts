/** A picture of the page, and when it was shown there (monotonic ms). */
export interface Picture {
  readonly at: number;
  readonly jpeg: Buffer;
}

/**
 * Turns pictures that come when something changes into frames at a steady rate. Frame n shows what was on the page at
 * `start + n / rate`, however late the frame is asked for: a busy event loop moves nothing in the video's time.
 */
export class Pacer {
  readonly #periodMs: number;
  #waiting: Picture[] = [];
  #shown: Buffer | null = null;
  #startedAt: number | null = null;
  #frames = 0;
  #dropped = 0;

  constructor(readonly framesPerSecond: number) {
    this.#periodMs = 1_000 / framesPerSecond;
  }

  /** When the first picture was on the page; the video's zero. */
  get startedAt(): number | null {
    return this.#startedAt;
  }

  get frames(): number {
    return this.#frames;
  }

  /** Pictures that a newer one replaced before their frame. */
  get dropped(): number {
    return this.#dropped;
  }

  /**
   * The video begins at `at`, though the first picture is older: what was shown before belongs to whoever recorded then. Not before
   * a picture was offered.
   */
  begin(at: number): void {
    if (this.#frames > 0 || this.#startedAt === null || at <= this.#startedAt) return;
    this.#startedAt = at;
    const seen = this.#waiting.findLastIndex((picture) => picture.at <= at);
    this.#waiting = this.#waiting.slice(Math.max(0, seen));
  }

  offer(picture: Picture): void {
    this.#startedAt ??= picture.at;
    this.#waiting.push(picture);
  }

  /** How many frames are due and not taken. */
  owed(now: number): number {
    if (this.#startedAt === null) return 0;
    return Math.max(0, Math.floor((now - this.#startedAt) / this.#periodMs) + 1 - this.#frames);
  }

  /** The next frame if it is due. */
  next(now: number): Buffer | null {
    if (this.#startedAt === null || this.owed(now) === 0) return null;
    const at = this.#startedAt + this.#frames * this.#periodMs;
    let taken = 0;
    // One that is a moment late still belongs to its frame rather than to the next.
    while (taken < this.#waiting.length && (this.#waiting[taken] as Picture).at <= at + 0.5) taken += 1;
    if (taken > 0) {
      this.#shown = (this.#waiting[taken - 1] as Picture).jpeg;
      this.#dropped += taken - 1;
      this.#waiting = this.#waiting.slice(taken);
    }
    this.#frames += 1;
    return this.#shown;
  }
}
