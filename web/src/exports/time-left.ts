/** How long an export will take, judged by how it went so far. */

export interface Pace {
  readonly id: string;
  /** Progress at moments of this page's clock, the oldest first. */
  readonly samples: readonly { readonly at: number; readonly progress: number }[];
}

/** What is older says little about how fast it goes now. */
const WINDOW_MS = 20_000;
/** Less than this is chance. */
const LEAST_MS = 1_500;
const LEAST_PROGRESS = 0.01;

/** The pace with one more look at the export; another export begins anew. */
export function paced(pace: Pace | undefined, id: string, progress: number, at: number): Pace {
  if (pace?.id !== id) return { id, samples: [{ at, progress }] };
  const recent = pace.samples.filter((sample) => sample.at >= at - WINDOW_MS);
  // One from before the window stays, so that there is always something to compare with.
  const kept = recent.length > 0 ? recent : pace.samples.slice(-1);
  return { id, samples: [...kept, { at, progress }] };
}

/** Milliseconds until it is ready; undefined while that cannot be told. */
export function timeLeftMs({ samples }: Pace): number | undefined {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined) return undefined;
  const [tookMs, made] = [last.at - first.at, last.progress - first.progress];
  if (tookMs < LEAST_MS || made < LEAST_PROGRESS) return undefined;
  return ((1 - last.progress) * tookMs) / made;
}

/** `about 5 s left`, `about 3 min left`; rounded, so that it does not flicker. */
export function timeLeftText(ms: number): string {
  const seconds = Math.max(1, Math.round(ms / 1000));
  if (seconds < 10) return `about ${seconds} s left`;
  if (seconds < 55) return `about ${Math.round(seconds / 5) * 5} s left`;
  if (seconds < 3_300) return `about ${Math.max(1, Math.round(seconds / 60))} min left`;
  return `about ${Math.max(1, Math.round(seconds / 3_600))} h left`;
}
