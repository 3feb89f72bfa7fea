/**
 * Newest values as an async iterator: who is slow skips to the newest one, and never finds a queue.
 */
export interface Feed<T> {
  /** Takes the place of a value that nobody has fetched yet. */
  next(value: T): void;
  fail(error: Error): void;
}

/**
 * @param start begins to feed, when the first value is asked for; what it returns is called at the end, however that comes
 * @param signal ends the iterator, without an error
 */
export async function* newest<T>(start: (feed: Feed<T>) => () => void, signal?: AbortSignal): AsyncGenerator<T, void> {
  let waiting: { readonly value: T } | undefined;
  let failure: Error | undefined;
  let wake = (): void => undefined;
  const ended = (): void => wake();
  const stop = start({
    next(value) {
      waiting = { value };
      wake();
    },
    fail(error) {
      failure = error;
      wake();
    },
  });
  signal?.addEventListener('abort', ended);
  try {
    while (signal?.aborted !== true) {
      const { value, error } = take();
      if (error !== undefined) throw error;
      if (value !== undefined) yield value.value;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    signal?.removeEventListener('abort', ended);
    stop();
  }

  function take(): { value?: { readonly value: T } | undefined; error?: Error | undefined } {
    const value = waiting;
    waiting = undefined;
    return value === undefined ? { error: failure } : { value };
  }
}
