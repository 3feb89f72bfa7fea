/** The recent past of one number, as it was seen: for a spark line and "how much since then". */
export interface Sample {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly value: number;
}

/** Adds a sample and lets go of what is older than the window, but for the last of it: the line starts at the edge. */
export function withSample(samples: readonly Sample[], sample: Sample, windowMs: number): readonly Sample[] {
  return trimmed(mergeSamples(samples, [sample]), sample.at - windowMs);
}

/** Both in order of time; of two at the same moment the later one in the arguments stays. */
export function mergeSamples(a: readonly Sample[], b: readonly Sample[]): readonly Sample[] {
  const byTime = new Map([...a, ...b].map((sample) => [sample.at, sample]));
  return [...byTime.values()].sort((one, other) => one.at - other.at);
}

function trimmed(samples: readonly Sample[], from: number): readonly Sample[] {
  const firstInside = samples.findIndex(({ at }) => at >= from);
  return firstInside <= 1 ? samples : samples.slice(firstInside - 1);
}

/**
 * An SVG path through the samples in a box of `width` by `height`. Values hold until the next sample (a frame comes only
 * when something changed), so the line reaches to `now`, or to a sample that is newer than the clock that draws.
 */
export function sparkPath(samples: readonly Sample[], now: number, width: number, height: number): string {
  const first = samples[0];
  const last = samples.at(-1);
  if (first === undefined || last === undefined || now <= first.at) return '';
  const end = Math.max(now, last.at);
  const values = samples.map(({ value }) => value);
  const low = Math.min(...values);
  const span = Math.max(...values) - low;
  const x = (at: number): number => ((at - first.at) / (end - first.at)) * width;
  const y = (value: number): number => (span === 0 ? height / 2 : height - ((value - low) / span) * height);
  const points = [...samples, { at: end, value: last.value }];
  return points.map(({ at, value }, n) => `${n === 0 ? 'M' : 'L'}${x(at).toFixed(1)} ${y(value).toFixed(1)}`).join('');
}
