/** The kind of the one process that watches the nodes' versions, and its name. */
export const RELEASES = 'releases';

/** The bus channel on which it tells every node what it knows. */
export const RELEASES_CHANNEL = 'releases';

/** What the contract's `release` event carries. */
export interface Release {
  readonly version: string;
  /** Wall clock ms since when it is rolled out everywhere. */
  readonly since: number;
}

/** What is known of versions in the cluster; the watching process's backup. */
export interface Rollout {
  /** The version that all nodes had when they last agreed; `null`: they never have since they are watched. */
  readonly release: Release | null;
  /** Other versions that run now: a rollout is under way, or was given up half-way. */
  readonly rolling: readonly string[];
  /** Rises with each change: an older word is not believed after a newer one. */
  readonly revision: number;
}

/**
 * What is known after a look at the versions that run now. Returns `last` itself when nothing changed.
 *
 * The first agreement that is ever seen is where things stand, not news; one that follows disagreement is.
 */
export function nextRollout(last: Rollout | null, versions: readonly string[], now: number): Rollout | null {
  const running = [...new Set(versions)].sort();
  const [only] = running;
  if (only === undefined) return last;
  const release = last?.release ?? null;
  const agreed = running.length === 1;
  const next =
    agreed && only !== release?.version
      ? { release: { version: only, since: Math.max(now, (release?.since ?? 0) + 1) }, rolling: [] }
      : { release, rolling: running.filter((version) => version !== release?.version) };
  const same = last !== null && next.release === release && next.rolling.join() === last.rolling.join();
  return same ? last : { ...next, revision: (last?.revision ?? 0) + 1 };
}
