import type { Clock, Timer } from '../kernel/clock.js';
import type { Answer } from './source.js';

/** How long answers wait for the rest of their round before they are handed on without it. */
const PATIENCE_MS = 50;

/**
 * The answers of one round as they come in. Handed on all together when the round is quick, which is one publish; but what is
 * there is handed on every `PATIENCE_MS`, so that one slow channel keeps nobody else's rows waiting for its time-out.
 */
export class Gathering {
  readonly #seen = new Set<number>();
  #fresh: [number, Answer][] = [];
  #timer: Timer | null = null;
  #handing: Promise<void> = Promise.resolve();
  #lastGood: number | null = null;

  constructor(
    private readonly clock: Clock,
    /** One part after the other, never two at once. */
    private readonly hand: (part: readonly (readonly [index: number, answer: Answer])[]) => Promise<void>,
  ) {}

  /**
   * How long it took from `began` (monotonic ms) to the last answer that was no failure. A channel that runs into its time-out
   * rests by itself: it is no reason to ask the others more slowly.
   */
  goodMs(answers: readonly Answer[], began: number): number {
    if (this.#lastGood !== null) return this.#lastGood - began;
    return answers.some(isGood) ? this.clock.monotonic() - began : 0;
  }

  add(index: number, answer: Answer): void {
    if (this.#seen.has(index)) return;
    this.#seen.add(index);
    this.#fresh.push([index, answer]);
    if (isGood(answer)) this.#lastGood = this.clock.monotonic();
    this.#timer ??= this.clock.after(PATIENCE_MS, () => this.#flush());
  }

  /** All are there: hands on the rest. Rejects with the first failure of `hand`. */
  async finish(answers: readonly Answer[]): Promise<void> {
    answers.forEach((answer, index) => this.add(index, answer));
    this.#flush();
    await this.#handing;
  }

  #flush(): void {
    this.#timer?.cancel();
    this.#timer = null;
    const part = this.#fresh;
    this.#fresh = [];
    if (part.length === 0) return;
    this.#handing = this.#handing.then(() => this.hand(part));
    // It is told by `finish`; until then it must not count as unhandled.
    this.#handing.catch(() => undefined);
  }
}

function isGood({ kind }: Answer): boolean {
  return kind === 'rows' || kind === 'unchanged';
}
