import { resolve } from 'node:path';

/** `DATABASE_URL=duckdb:PATH?…`: a database file, or a folder whose files are tables. */
export interface DuckLocation {
  readonly path: string;
  /** Folders whose files topics may read by name, besides `path` if that is a folder. */
  readonly files: readonly string[];
  readonly threads?: number;
  /** As DuckDB writes it: `1GB`. */
  readonly memory?: string;
}

export const DUCKDB_FORM = 'duckdb:PATH, with ?files=FOLDER,FOLDER&threads=N&memory=1GB if need be';

/** Undefined when it is not of that form. */
export function duckLocation(url: string): DuckLocation | undefined {
  const [, path, query = ''] = /^duckdb:(?:\/\/(?=\/))?([^?]+)(?:\?(.*))?$/.exec(url) ?? [];
  if (path === undefined) return undefined;
  const options = new URLSearchParams(query);
  if ([...options.keys()].some((name) => !['files', 'threads', 'memory'].includes(name))) return undefined;
  const threads = options.get('threads') ?? undefined;
  const memory = options.get('memory') ?? undefined;
  if (threads !== undefined && !/^[1-9]\d{0,2}$/.test(threads)) return undefined;
  if (memory !== undefined && !/^[1-9]\d*(\.\d+)?[KMGT]i?B$/.test(memory)) return undefined;
  const files = (options.get('files') ?? '').split(',').filter((folder) => folder !== '');
  return {
    path: resolve(path),
    files: files.map((folder) => resolve(folder)),
    ...(threads === undefined ? {} : { threads: Number(threads) }),
    ...(memory === undefined ? {} : { memory }),
  };
}
