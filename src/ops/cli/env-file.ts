import { readFileSync } from 'node:fs';
import { parse } from 'dotenv';
import { PollcastError } from '../../errors.js';

/**
 * Adds what a `.env` says to an environment. What is set already stays: a variable of the shell counts before the file.
 * No file is no fault.
 *
 * @throws PollcastError `BAD_REQUEST` when there is a file that cannot be read
 */
export function loadEnvFile(file: string, env: Record<string, string | undefined>): void {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return;
    throw new PollcastError(
      'BAD_REQUEST',
      `${file} cannot be read (${code}): make it readable, or remove it`,
      undefined,
      {
        cause,
      },
    );
  }
  for (const [name, value] of Object.entries(parse(text))) env[name] ??= value;
}
