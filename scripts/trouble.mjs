/** An expected failure: its message is the whole sentence for the terminal, and no stack helps. */
export class Trouble extends Error {}

/** One clear sentence for what went wrong; the whole stack where it is a bug of ours. */
export function sentence(error) {
  if (error instanceof Trouble) return error.message;
  if (error?.code === 'ENOSPC')
    return `No space left on the disk (${error.path ?? 'while writing'}): free some and try again.`;
  if (error?.code === 'EACCES' || error?.code === 'EROFS') {
    return `No permission to write ${error.path ?? 'a file'}: change that, or use a copy of the project of your own.`;
  }
  return error?.stack ?? String(error);
}
