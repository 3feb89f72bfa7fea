import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PollcastError } from '../../errors.js';
import type { Paint } from './terminal.js';

const STARTER = fileURLToPath(new URL('../../../starter', import.meta.url));

/** Names that npm would not pack as they are. */
const DOTTED: Readonly<Record<string, string>> = { env: '.env', gitignore: '.gitignore' };

/** What each file of a new folder is for, in the order in which a newcomer reads them. */
const PURPOSES: Readonly<Record<string, string>> = {
  'topics/orders/by_region.sql': 'a topic: a header, and a SELECT',
  'schema.sql': 'the table that it asks, with some rows, and a role that may only read',
  'compose.yaml': 'Postgres with that schema, and Redis',
  '.env': 'the settings of the hub',
  '.gitignore': 'what does not belong into git',
};

/**
 * Writes a new project's files: all of them, or none.
 *
 * @returns their names, relative to the folder
 * @throws PollcastError `CONFLICT` when one of them is there already: nothing is overwritten, nor anything written then
 */
export async function initFolder(folder: string): Promise<string[]> {
  const files = await starterFiles();
  const names = Object.keys(PURPOSES);
  const present = await existing(folder, names);
  if (present.length > 0) {
    throw new PollcastError(
      'CONFLICT',
      `nothing was written, for ${folder} has ${present.join(', ')} already: move it away, or name a new folder, ` +
        'such as `pollcast init my-hub`',
    );
  }
  for (const name of names) {
    const path = join(folder, name);
    const text = files.get(name);
    if (text === undefined) throw new Error(`the package has no ${name}`);
    await attempt(folder, async () => {
      await mkdir(dirname(path), { recursive: true });
      // Never over what has come since we looked.
      await writeFile(path, text, { flag: 'wx' });
    });
  }
  return names;
}

async function starterFiles(): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const entry of await readdir(STARTER, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const name = relative(STARTER, path).replaceAll('\\', '/');
    files.set(DOTTED[name] ?? name, await readFile(path, 'utf8'));
  }
  return files;
}

async function existing(folder: string, names: readonly string[]): Promise<string[]> {
  const present = await attempt(folder, async (): Promise<string[]> => {
    try {
      return await readdir(folder);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  });
  // A folder `topics` of one's own counts as a whole: an example among real topics would be a surprise.
  return [...new Set(names.map((name) => name.split('/')[0] ?? name))].filter((name) => present.includes(name));
}

const REASONS: Readonly<Record<string, string>> = {
  EEXIST: 'something of that name is there and is no folder, or was made meanwhile',
  ENOTDIR: 'it, or what it lies in, is no folder',
  EACCES: 'you may not write there',
  EPERM: 'you may not write there',
  EROFS: 'it cannot be written to',
  ENOSPC: 'the disk is full',
};

async function attempt<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const { code = 'unknown' } = cause as NodeJS.ErrnoException;
    throw new PollcastError(
      'UNAVAILABLE',
      `${folder} cannot be made a project: ${REASONS[code] ?? code}. Name another folder: \`pollcast init my-hub\``,
      undefined,
      { cause },
    );
  }
}

/** What was made, and what to do next. */
export function nextSteps(folder: string, names: readonly string[], paint: Paint): string {
  const width = Math.max(...names.map((name) => name.length)) + 2;
  const steps: (readonly [string, string])[] = [
    ...(resolve(folder) === process.cwd() ? [] : [[`cd ${folder}`, ''] as const]),
    ['docker compose up --wait', 'Postgres and Redis'],
    ['npx pollcast topics check', 'is every topic right?'],
    ['npx pollcast start', 'a node, at http://127.0.0.1:3000'],
    ['npx pollcast types --out pollcast.d.ts', 'types of the topics'],
  ];
  return [
    `Made in ${folder}:`,
    ...names.map((name) => `  ${name.padEnd(width)}${paint('dim', PURPOSES[name] ?? '')}`),
    '',
    paint('bold', 'Next:'),
    ...steps.map(([command, why]) => `  ${command.padEnd(41)}${paint('dim', why)}`.trimEnd()),
    '',
    'A database of your own: write its address into .env as DATABASE_URL. No Docker: take the lines DATABASE_URL and',
    'REDIS_URL out of .env, and the hub starts with an embedded Postgres that has such a table too.',
    '',
  ].join('\n');
}
