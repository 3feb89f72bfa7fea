import { sleep, type Clock } from '../kernel/clock.js';
import type { Logger } from '../kernel/log.js';
import type { StorePort } from '../kernel/ports/store.js';
import type { Storage, StoredFile } from '../storage/storage.js';
import type { ExportState } from './export-process.js';
import { EXPORT_KIND, fenceOf, isUnderWay, type ExportRecord } from './record.js';

/** Files that no export knows, in the shape that the zombie hunter takes. */
export interface OrphanFile {
  readonly kind: 'orphan-file';
  /** A folder of the storage, or a file in one. */
  readonly name: string;
  readonly node: null;
  readonly ageMs: number;
  readonly evidence: string;
}

type Outcome = { removed: boolean; outcome: string };

interface Known {
  readonly record: ExportRecord;
  /** Of the process that has it now. */
  readonly fence: number;
}

/** Between two looks: longer than the removal of an export, whose record goes first. */
const CONFIRM_MS = 400;

/**
 * Files of exports that nobody will serve or remove: those of an export that no record names (it expired, or was dismissed,
 * while the storage did not answer; its process was stopped while no node was there), and in a known one what an earlier
 * owner left that was killed before it had noted it. Only files below this cluster's own folder are looked at.
 *
 * Files are listed before the records are read: a record is there before its first file, so that what has none afterwards has
 * lost it. Ids are not used twice: it never gets one again.
 */
export class OrphanFiles {
  /** @param root the folder of this cluster's exports */
  constructor(
    private readonly storage: Pick<Storage, 'list' | 'unfinished' | 'delete' | 'deleteAll'>,
    private readonly store: Pick<StorePort, 'processes' | 'load'>,
    private readonly root: string,
    private readonly clock: Clock,
    private readonly log: Pick<Logger, 'warn'>,
  ) {}

  /** Looks twice, if there is anything to see. While the storage does not answer there is nothing to be said of files. */
  async find(): Promise<OrphanFile[]> {
    const first = await this.#lookIfPossible();
    if (first.length === 0) return [];
    await sleep(this.clock, CONFIRM_MS);
    const names = new Set(first.map(({ name }) => name));
    return (await this.#lookIfPossible()).filter(({ name }) => names.has(name));
  }

  /** Looks again. */
  async clean(zombie: { readonly name: string }): Promise<Outcome> {
    const still = (await this.#look()).find(({ name }) => name === zombie.name);
    if (!still) return { removed: false, outcome: 'it is none any more' };
    if (still.name.slice(this.root.length + 1).includes('/')) {
      await this.storage.delete(still.name);
      return { removed: true, outcome: 'file removed' };
    }
    await this.storage.deleteAll(still.name);
    return { removed: true, outcome: 'removed, with all files in it' };
  }

  async #lookIfPossible(): Promise<OrphanFile[]> {
    try {
      return await this.#look();
    } catch (error) {
      this.log.warn({ err: error }, 'files of exports cannot be looked through now');
      return [];
    }
  }

  async #look(): Promise<OrphanFile[]> {
    const files = await this.#files();
    if (files.size === 0) return [];
    const known = await this.#known();
    const now = this.clock.now();
    return [...files].flatMap(([folder, inIt]) => {
      const owner = known.get(folder);
      return owner ? leftIn(inIt, owner, now) : [unknown(folder, inIt, now)];
    });
  }

  async #files(): Promise<Map<string, StoredFile[]>> {
    const byFolder = new Map<string, StoredFile[]>();
    for (const files of [this.storage.list(this.root), this.storage.unfinished(this.root)]) {
      for await (const file of files) {
        const folder = file.path.slice(0, file.path.indexOf('/', this.root.length + 1));
        byFolder.set(folder, [...(byFolder.get(folder) ?? []), file]);
      }
    }
    return byFolder;
  }

  async #known(): Promise<Map<string, Known>> {
    const processes = (await this.store.processes()).filter(({ kind }) => kind === EXPORT_KIND);
    const saved = await Promise.all(processes.map(({ name }) => this.store.load(name)));
    return new Map(
      saved.flatMap((text, i) => {
        const record = text === null ? null : (JSON.parse(text) as ExportState).export;
        return record ? [[record.folder, { record, fence: processes[i]?.fence ?? 0 }] as const] : [];
      }),
    );
  }
}

function unknown(folder: string, files: readonly StoredFile[], now: number): OrphanFile {
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  const what = `${files.length} ${files.length === 1 ? 'file' : 'files'}, ${bytes} bytes`;
  return {
    kind: 'orphan-file',
    name: folder,
    node: null,
    ageMs: Math.max(0, now - Math.max(...files.map(({ modifiedAt }) => modifiedAt))),
    evidence: `${what}, of an export that no record names`,
  };
}

/**
 * What its present owner writes is not noted before it is whole, and what is unfinished does not say whose it is: both are
 * let be, and go with the export.
 */
function leftIn(files: readonly StoredFile[], { record, fence }: Known, now: number): OrphanFile[] {
  const noted = new Set(record.pieces.map(({ path }) => path));
  return files.flatMap(({ path, size, modifiedAt }) => {
    const own = fenceOf(path);
    if (own === undefined || own >= fence || noted.has(path)) return [];
    const state = isUnderWay(record) ? `goes on under fence ${fence}` : `is ${record.state}`;
    const evidence = `${size} bytes, left by an owner with fence ${own}; its export ${state} without it`;
    return [{ kind: 'orphan-file', name: path, node: null, ageMs: Math.max(0, now - modifiedAt), evidence }];
  });
}
