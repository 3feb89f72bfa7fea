import type * as DuckModule from '@duckdb/node-api';
import { describe, PollcastError } from '../../../errors.js';

export type Duck = typeof DuckModule;

/**
 * DuckDB's package, which is large, so that only who asks it has it.
 *
 * @throws PollcastError `UNAVAILABLE` that says how to get it
 */
export async function loadDuck(): Promise<Duck> {
  try {
    return await import('@duckdb/node-api');
  } catch (cause) {
    const absent = (cause as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND';
    throw new PollcastError(
      'UNAVAILABLE',
      `DATABASE_URL=duckdb:… needs the package @duckdb/node-api, ${absent ? 'which is not installed' : `which cannot be loaded (${describe(cause)})`}: run \`npm install @duckdb/node-api\`.`,
      undefined,
      { cause },
    );
  }
}

/** What DuckDB says is wrong. Its errors are made by native code, which may know another class of that name. */
export function messageOf(error: unknown): string {
  const { message } = (error ?? {}) as { message?: unknown };
  return typeof message === 'string' ? message : String(error);
}
