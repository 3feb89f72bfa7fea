import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isMinded, killTree, markedProcesses, markOf, parseMark, type Mark } from './mark.js';
import { MARK_FILE, STUDIOS_FOLDER, type Studios } from './studio.js';

/** Something of a recorder that nobody minds any more, in the shape that the zombie hunter takes. */
export interface Leftover {
  readonly kind: 'orphan-browser' | 'orphan-file';
  readonly name: string;
  readonly node: string | null;
  readonly ageMs: number;
  readonly evidence: string;
}

export type CleanOutcome = { removed: boolean; outcome: string };

/**
 * Browsers, encoders, and folders with profiles and half-written segments, on this machine, that their hub does not mind any
 * more: it has died, or has no such recording. They are known by the mark that they carry, never by their names, and what
 * carries another cluster's mark is let be.
 */
export class Leftovers {
  /** @param studios of this node; absent for a tool beside the nodes */
  constructor(
    private readonly cluster: string,
    private readonly studios?: Pick<Studios, 'isOpen' | 'minds'>,
  ) {}

  async find(): Promise<Leftover[]> {
    return [...this.#processes(), ...(await this.#folders())];
  }

  /** Looks again: its mark may be somebody else's by now, for pids are used again. */
  async clean(zombie: { readonly name: string }): Promise<CleanOutcome> {
    const still = (await this.find()).find(({ name }) => name === zombie.name);
    if (!still) return { removed: false, outcome: 'it is none any more' };
    const pid = /^process (\d+) /.exec(still.name)?.[1];
    if (pid !== undefined) {
      const mark = markOf(Number(pid));
      if (!mark || !this.#isLeft(mark)) return { removed: false, outcome: 'it is none any more' };
      killTree(Number(pid));
      return { removed: true, outcome: 'ended, with all that came from it' };
    }
    const folder = /^folder (\S+) /.exec(still.name)?.[1] ?? '';
    await rm(join(STUDIOS_FOLDER, folder), { recursive: true, force: true, maxRetries: 5 });
    return { removed: true, outcome: 'removed, with all that lay in it' };
  }

  /** Removes all there is. Resolves with how many. */
  async cleanAll(): Promise<number> {
    let removed = 0;
    // Processes first: what still runs in a folder writes into it.
    for (const leftover of await this.find()) if ((await this.clean(leftover)).removed) removed += 1;
    return removed;
  }

  #processes(): Leftover[] {
    return markedProcesses().flatMap(({ pid, mark }) =>
      this.#isLeft(mark) ? [leftover(`process ${pid} of recording ${mark.id}`, mark, 0)] : [],
    );
  }

  async #folders(): Promise<Leftover[]> {
    const names = await readdir(STUDIOS_FOLDER).catch(() => []);
    const found = await Promise.all(
      names.map(async (name) => {
        const folder = join(STUDIOS_FOLDER, name);
        const mark = await this.#markIn(folder);
        if (!mark || !this.#isLeft(mark, folder)) return [];
        const ageMs = await stat(folder).then(
          ({ mtimeMs }) => Math.max(0, Date.now() - mtimeMs),
          () => 0,
        );
        return [leftover(`folder ${name} of recording ${mark.id}`, mark, ageMs)];
      }),
    );
    return found.flat();
  }

  async #markIn(folder: string): Promise<Mark | null> {
    try {
      return parseMark(await readFile(join(folder, MARK_FILE), 'utf8'));
    } catch {
      // Just being made, just removed, or somebody else's.
      return null;
    }
  }

  #isLeft(mark: Mark, folder?: string): boolean {
    if (mark.cluster !== this.cluster) return false;
    if (!isMinded(mark)) return true;
    if (mark.pid !== process.pid || !this.studios) return false;
    return folder === undefined ? !this.studios.minds(mark.id) : !this.studios.isOpen(folder);
  }
}

function leftover(name: string, mark: Mark, ageMs: number): Leftover {
  const why = isMinded(mark) ? 'which has no such recording' : 'which is not there any more';
  return {
    kind: 'orphan-browser',
    name,
    node: mark.node,
    ageMs,
    evidence: `it carries the mark of ${mark.node} (pid ${mark.pid}), ${why}`,
  };
}
