export interface EventuallyOptions {
  /** what is awaited, for the message when it never comes */
  what?: string;
  /** give up after this; generous, since it only costs time when something is broken */
  deadlineMs?: number;
  /** pause between two looks */
  everyMs?: number;
}

/**
 * Looks until `observe` returns something truthy, and returns that. An observation that throws counts as "not yet":
 * the last error is told when the deadline passes.
 *
 * @throws Error naming what was awaited, and what was seen last
 */
export async function eventually<T>(
  observe: () => T | Promise<T>,
  { what = 'the expected state', deadlineMs = 15_000, everyMs = 20 }: EventuallyOptions = {},
): Promise<NonNullable<Exclude<T, false | 0 | ''>>> {
  const until = Date.now() + deadlineMs;
  let last: unknown;
  let error: unknown;
  do {
    try {
      const seen = await observe();
      if (seen) return seen as NonNullable<Exclude<T, false | 0 | ''>>;
      last = seen;
      error = undefined;
    } catch (thrown) {
      error = thrown;
    }
    await pause(everyMs);
  } while (Date.now() < until);
  const seen = error instanceof Error ? error.message : JSON.stringify(last);
  throw new Error(`Waited ${deadlineMs} ms in vain for ${what}; seen last: ${seen}`, { cause: error });
}

function pause(ms: number): Promise<void> {
  return new Promise((wake) => setTimeout(wake, ms));
}
