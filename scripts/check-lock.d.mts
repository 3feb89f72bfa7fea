export interface LockFile {
  packages?: Record<string, { resolved?: string; version?: string; optionalDependencies?: Record<string, string> }>;
}

/** One sentence for each address and each optional dependency without an entry. */
export function lockFaults(lock: LockFile): string[];
