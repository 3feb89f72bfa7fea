import { PollcastError } from '../errors.js';
import type { Clock } from '../kernel/clock.js';
import type { Storage, StoredFile } from '../storage/storage.js';
import type { CleanOutcome, Leftover } from './leftovers.js';
import { files, RECORDING_KIND, recordingName } from './recording.js';

export interface AbandonedParts {
  readonly storage: Pick<Storage, 'list' | 'delete' | 'deleteAll'>;
  /** Names of the processes that exist, wherever they are. */
  processes(): Promise<readonly { readonly name: string }[]>;
  readonly clock: Clock;
}

/** Whoever is ended by force still joins what there is; and a cluster that has lost its memory finds its processes again. */
const GRACE_MS = 10 * 60_000;
/** A bucket is not listed anew for each look at the console. */
const KNOWN_MS = 30_000;

interface Stored {
  readonly id: string;
  readonly whole: boolean;
  readonly segments: number;
  readonly changedAt: number;
}

/** Segments in the storage that no process will ever join: of recordings that were lost with their cluster. */
export class AbandonedSegments {
  #known: { readonly at: number; readonly found: Promise<Leftover[]> } | null = null;

  constructor(private readonly parts: AbandonedParts) {}

  /** None while the storage does not answer: what else is left over is to be told all the same. */
  find(): Promise<Leftover[]> {
    const now = this.parts.clock.monotonic();
    if (this.#known === null || now - this.#known.at > KNOWN_MS) {
      const found = this.#look().catch((error: unknown) => {
        this.#known = null;
        if (error instanceof PollcastError && error.code === 'UNAVAILABLE') return [];
        throw error;
      });
      this.#known = { at: now, found };
    }
    return this.#known.found;
  }

  async clean({ name }: { readonly name: string }): Promise<CleanOutcome> {
    this.#known = null;
    const id = /^segments of recording ([a-z0-9]+)$/.exec(name)?.[1];
    const [stored] = id === undefined ? [] : await this.#abandoned(id);
    if (!stored) return { removed: false, outcome: 'it is none any more' };
    // What is whole stays: only the pieces that it was made of are too many.
    await this.parts.storage.deleteAll(stored.whole ? files.segments(stored.id) : files.folder(stored.id));
    return { removed: true, outcome: `${stored.segments} files removed from the storage` };
  }

  async #look(): Promise<Leftover[]> {
    const now = this.parts.clock.now();
    return (await this.#abandoned()).map(({ id, segments, changedAt, whole }) => ({
      kind: 'orphan-file',
      name: `segments of recording ${id}`,
      node: null,
      ageMs: now - changedAt,
      evidence: `${segments} files, ${whole ? 'of which the recording was made already' : `and no process ${recordingName(id)}`}`,
    }));
  }

  async #abandoned(only?: string): Promise<Stored[]> {
    const found = new Map<string, StoredFile[]>();
    for await (const file of this.parts.storage.list(only === undefined ? files.root : files.folder(only))) {
      const id = /^recordings\/([a-z0-9]+)\//.exec(file.path)?.[1];
      if (id !== undefined) found.set(id, [...(found.get(id) ?? []), file]);
    }
    // Read after the files: whose process is just ending has written its last by then.
    const living = new Set((await this.parts.processes()).map(({ name }) => name));
    const now = this.parts.clock.now();
    return [...found].flatMap(([id, all]) => {
      const segments = all.filter(({ path }) => path.startsWith(`${files.segments(id)}/`)).length;
      const changedAt = Math.max(...all.map(({ modifiedAt }) => modifiedAt));
      const left = segments > 0 && !living.has(`${RECORDING_KIND}:${id}`) && now - changedAt > GRACE_MS;
      return left ? [{ id, segments, changedAt, whole: all.some(({ path }) => path === files.facts(id)) }] : [];
    });
  }
}
