/** What all peers share: settings from the command line, word of where they listen, and their end with the bench. */
export function settingsOf<T>(): T {
  return JSON.parse(process.argv[2] ?? '{}') as T;
}

export function listening(port: number): void {
  process.send?.({ port });
}

/** Calls `tick` every `everyMs` between the messages `run` and `pause`. */
export function ticking(everyMs: number, tick: () => void): void {
  let timer: NodeJS.Timeout | undefined;
  process.on('message', (message) => {
    clearInterval(timer);
    if (message === 'run') timer = setInterval(tick, everyMs);
  });
}

/** The rows of a message that is about as long as the hub's in the same scenario. */
export function rowsOf(n: number, padding: string): object[] {
  return [{ at: Date.now(), n, padding }];
}

process.on('disconnect', () => process.exit(0));
