/** What a node's pollers did for one topic since it started. */
export interface TopicSample {
  readonly polls: number;
  readonly changed: number;
  readonly asks: number;
  readonly askSeconds: number;
  readonly frames: number;
  readonly bytes: number;
  readonly stretch: number;
  /** Code of the last failure, and when (wall clock ms). */
  readonly error: string | null;
  readonly errorAt: number;
}

export const NOTHING_YET: TopicSample = {
  polls: 0,
  changed: 0,
  asks: 0,
  askSeconds: 0,
  frames: 0,
  bytes: 0,
  stretch: 1,
  error: null,
  errorAt: 0,
};

/** Topics as the console shows them; times and sizes are `null` while there is nothing to tell them from. */
export interface TopicRates {
  readonly queryMs: number | null;
  readonly pollsPerSecond: number | null;
  readonly changesPerSecond: number | null;
  readonly frameBytes: number | null;
  readonly stretch: number;
  readonly error: string | null;
}

/** Sums of what several nodes did: a poller may have moved between them. */
export function sum(samples: readonly TopicSample[]): TopicSample {
  return samples.reduce((a, b) => {
    const later = b.errorAt > a.errorAt ? b : a;
    return {
      polls: a.polls + b.polls,
      changed: a.changed + b.changed,
      asks: a.asks + b.asks,
      askSeconds: a.askSeconds + b.askSeconds,
      frames: a.frames + b.frames,
      bytes: a.bytes + b.bytes,
      stretch: Math.max(a.stretch, b.stretch),
      error: later.error,
      errorAt: later.errorAt,
    };
  }, NOTHING_YET);
}

/** What happened between two samples. Figures that fell (a node has left) say nothing. */
export function rates(before: TopicSample | undefined, now: TopicSample, seconds: number): TopicRates {
  const { stretch, error } = now;
  const per = (part: number, whole: number): number | null => (whole > 0 && part >= 0 ? part / whole : null);
  if (!before || now.polls < before.polls) {
    return {
      queryMs: per(now.askSeconds * 1000, now.asks),
      pollsPerSecond: null,
      changesPerSecond: null,
      frameBytes: per(now.bytes, now.frames),
      stretch,
      error,
    };
  }
  const asks = now.asks - before.asks;
  const frames = now.frames - before.frames;
  return {
    queryMs: asks > 0 ? per((now.askSeconds - before.askSeconds) * 1000, asks) : per(now.askSeconds * 1000, now.asks),
    pollsPerSecond: per(now.polls - before.polls, seconds),
    changesPerSecond: per(now.changed - before.changed, seconds),
    frameBytes: frames > 0 ? per(now.bytes - before.bytes, frames) : per(now.bytes, now.frames),
    stretch,
    error,
  };
}

/** Keeps a node's sample of each topic. */
export class TopicFigures {
  readonly #samples = new Map<string, TopicSample>();

  add(
    topic: string,
    more: Partial<Pick<TopicSample, 'polls' | 'changed' | 'asks' | 'askSeconds' | 'frames' | 'bytes'>>,
  ): void {
    const sample = { ...this.#of(topic) };
    for (const [name, value] of Object.entries(more) as [keyof typeof more, number][]) sample[name] += value;
    this.#samples.set(topic, sample);
  }

  note(topic: string, now: Partial<Pick<TopicSample, 'stretch' | 'error' | 'errorAt'>>): void {
    this.#samples.set(topic, { ...this.#of(topic), ...now });
  }

  get samples(): Readonly<Record<string, TopicSample>> {
    return Object.fromEntries(this.#samples);
  }

  #of(topic: string): TopicSample {
    return this.#samples.get(topic) ?? NOTHING_YET;
  }
}
