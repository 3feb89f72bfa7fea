/** Runs `action` while no other process runs one under the same lock file; a dead keeper's lock is taken over. */
export function withLock<T>(file: string, action: () => Promise<T> | T, onWait?: (pid: number) => void): Promise<T>;
