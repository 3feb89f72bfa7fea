import { readdir, readFile } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { PollcastError } from '../errors.js';
import type { Dialect } from './policy.js';
import { parseTopic, type ParsedTopic } from './topic-file.js';

/**
 * The `.sql` files below a folder, relative to it with `/`, sorted. Names that start with a dot are left out, and with them
 * what editors and mounted configuration keep beside the files.
 *
 * @throws PollcastError `NOT_FOUND` when there is no such folder
 */
export async function listTopicFiles(dir: string): Promise<string[]> {
  let entries: string[];
  try {
    entries = await readdir(dir, { recursive: true });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const why =
      code === 'ENOENT'
        ? 'it does not exist. `pollcast init` writes a first topic; TOPICS_DIR names another folder'
        : code === 'ENOTDIR'
          ? 'it is a file'
          : 'it cannot be read';
    throw new PollcastError('NOT_FOUND', `TOPICS_DIR: expected a folder of .sql files, got ${dir}: ${why}`, undefined, {
      cause,
    });
  }
  return entries
    .map((entry) => entry.split(sep).join('/'))
    .filter((entry) => entry.endsWith('.sql') && !entry.split('/').some((segment) => segment.startsWith('.')))
    .sort();
}

/** The text of a file of the list; undefined when it is gone meanwhile (or is a folder). */
export async function readTopicFile(
  dir: string,
  file: string,
): Promise<{ text: string } | { error: string } | undefined> {
  try {
    return { text: await readFile(join(dir, file), 'utf8') };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'EISDIR' ? undefined : { error: `the file cannot be read (${code})` };
  }
}

/** Reads and parses one file; undefined when it is gone. */
export function parseRead(
  file: string,
  read: { text: string } | { error: string },
  dialect: Dialect = 'postgres',
): ParsedTopic {
  if ('text' in read) return parseTopic(file, read.text, dialect);
  return { faults: [{ file, line: 1, severity: 'error', message: read.error }] };
}
