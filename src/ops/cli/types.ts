import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type pg from 'pg';
import type { NodeConfig } from '../../config.js';
import { describe, PollcastError } from '../../errors.js';
import { checkTopics } from '../../topics/check.js';
import { listTopicFiles, parseRead, readTopicFile } from '../../topics/files.js';
import { dialectOf } from '../../topics/policy.js';
import { resultTypes } from '../../topics/result-types.js';
import { typeFile, type TypedTopic } from '../../topics/type-file.js';
import type { Progress } from './progress.js';
import type { Paint } from './terminal.js';
import { checked, faultLine, withDatabase } from './topics.js';

/**
 * The type file of all topics of a folder.
 *
 * @param tell     gets a line when something takes a while, and for each fault
 * @param progress says how far it is
 * @throws PollcastError `BAD_REQUEST` when a topic has an error: types that leave one out would break what uses it
 */
export function typesOf(
  config: NodeConfig,
  paint: Paint,
  tell: (line: string) => void,
  progress: Progress,
): Promise<string> {
  if (dialectOf(config.databaseUrl) === 'duckdb') {
    throw new PollcastError(
      'BAD_REQUEST',
      'Types are written from what Postgres says of a statement: with DuckDB, declare them by hand (docs/client.md, Types).',
    );
  }
  return withDatabase(config, tell, progress, async (pool) => {
    const faults = await checkTopics(config.topicsDir, pool, checked(progress));
    progress.end();
    const errors = faults.filter(({ severity }) => severity === 'error');
    for (const fault of errors) tell(faultLine(fault, paint));
    if (errors.length > 0) {
      throw new PollcastError(
        'BAD_REQUEST',
        `Errors: ${errors.length}. No types are written before every topic is right.`,
      );
    }
    return typeFile(await typedTopics(config.topicsDir, pool));
  });
}

async function typedTopics(dir: string, pool: pg.Pool): Promise<TypedTopic[]> {
  const client = await pool.connect();
  const typed: TypedTopic[] = [];
  try {
    for (const file of await listTopicFiles(dir)) {
      const read = await readTopicFile(dir, file);
      const { topic, origin } = read === undefined ? {} : parseRead(file, read);
      if (topic && origin) typed.push({ topic, columns: await resultTypes(client, origin.select) });
    }
    return typed;
  } catch (cause) {
    throw new PollcastError(
      'UNAVAILABLE',
      `The database stopped answering (${describe(cause)}): nothing was written, try again.`,
      undefined,
      { cause },
    );
  } finally {
    client.release(true);
  }
}

/**
 * Its folder is made if need be.
 *
 * @returns a sentence for the terminal
 * @throws PollcastError `UNAVAILABLE` when the file cannot be written
 */
export async function writeTypes(file: string, text: string): Promise<string> {
  if ((await read(file)) === text) return `${file} is up to date.`;
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  } catch (cause) {
    throw new PollcastError('UNAVAILABLE', `--out: expected a file that can be written, got ${file} (${why(cause)})`);
  }
  return `Wrote ${file}.`;
}

/**
 * @returns a sentence for the terminal
 * @throws PollcastError `CONFLICT` when the file says something else
 */
export async function checkTypes(file: string, text: string): Promise<string> {
  const found = await read(file);
  if (found === text) return `${file} is up to date.`;
  throw new PollcastError(
    'CONFLICT',
    `${file} ${found === undefined ? 'does not exist' : 'is not what the topics are now'}: run \`pollcast types --out ${file}\`.`,
  );
}

async function read(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new PollcastError('UNAVAILABLE', `--out: expected a file that can be read, got ${file} (${why(error)})`);
  }
}

const NO_FOLDER = 'what it is to lie in is no folder';
const MAY_NOT = 'you may not do that there';
const REASONS: Readonly<Record<string, string>> = {
  EISDIR: 'it is a folder: name a file in it',
  ENOTDIR: NO_FOLDER,
  EEXIST: NO_FOLDER,
  EACCES: MAY_NOT,
  EPERM: MAY_NOT,
  EROFS: 'nothing can be written there',
  ENOSPC: 'the disk is full',
};

function why(error: unknown): string {
  const { code = '' } = error as NodeJS.ErrnoException;
  return REASONS[code] ?? describe(error);
}
