/** Beyond this a copy costs more than what it spares. */
const MOST_JOINED = 64 * 1024;

/** Who keeps frames until the round is through. */
export interface Keeper {
  /** Everything that was kept, in one write. `join`: the frames as one piece, `null` when they are too large for that. */
  send(join: (frames: readonly Buffer[]) => Buffer | null): void;
}

/**
 * The frames of one round on their way to the sockets: what a viewer of several channels gets leaves in one write, which costs
 * little more than one frame. Most viewers of a dashboard watch the same channels, so that their frames are put together once.
 */
export class RoundWrites {
  readonly #keepers: Keeper[] = [];
  /** The last ones that were put together, by the first of them. */
  readonly #joined = new Map<Buffer, { readonly frames: readonly Buffer[]; readonly whole: Buffer }>();

  /** Somebody keeps its first frame of this round. */
  add(keeper: Keeper): void {
    this.#keepers.push(keeper);
  }

  /** The round is through. */
  send(): void {
    const join = (frames: readonly Buffer[]): Buffer | null => this.#join(frames);
    for (const keeper of this.#keepers) keeper.send(join);
    this.#keepers.length = 0;
  }

  #join(frames: readonly Buffer[]): Buffer | null {
    const [first] = frames;
    if (!first || frames.length === 1) return first ?? null;
    const known = this.#joined.get(first);
    if (known && isSame(known.frames, frames)) return known.whole;
    let bytes = 0;
    for (const frame of frames) bytes += frame.length;
    if (bytes > MOST_JOINED) return null;
    const whole = Buffer.concat(frames, bytes);
    this.#joined.set(first, { frames, whole });
    return whole;
  }
}

function isSame(one: readonly Buffer[], other: readonly Buffer[]): boolean {
  return one.length === other.length && one.every((frame, i) => frame === other[i]);
}
