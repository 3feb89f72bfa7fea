import { sleep, type Clock } from '../kernel/clock.js';
import type { Logger } from '../kernel/log.js';
import type { RowProcess, Slice } from './row-process.js';

import { TableError, type RowTable, type SeenRow } from './table.js';

/** A step's write, in the shape in which a group takes it. */
export interface Write {
  readonly row: RowProcess;
  readonly columns: string;
  readonly values: readonly (string | null)[];
  /** The row's process ends with it. */
  readonly ends: boolean;
}

/** What is told of each row, once it is known. */
export interface WriteEvents {
  written(write: Write, seen: SeenRow): void;
  /** It is not there any more. */
  gone(row: RowProcess): void;
  /** Not written, for it is another row than the step was taken from. */
  changed(row: RowProcess, seen: SeenRow): void;
  /** Not written, for somebody holds a lock on it. */
  busy(row: RowProcess): void;
  /** The database does not take the write; `alone`: of this very row. */
  failed(row: RowProcess, error: unknown, alone: boolean): void;
  /** Another owner has raised the slice's fence. */
  overtaken(slice: Slice): void;
  statement(rows: number, ms: number): void;
}

/** Rows in one statement: the answer to 10,000 comes in about 100 ms, and everybody waits for the whole of it. */
const MOST = 10_000;
const OUTAGE_LOOK_MS = 250;
/** Statements that may fail while those to blame in a group are sought; whoever is not cleared by then is tried again later. */
const TRIES = 64;

/**
 * Writes steps in groups. While one group is being written the next one gathers, so rows that are due together travel
 * together, and there is one statement at a time: whatever is written was made from what the last one answered.
 *
 * An outage keeps a group until the database answers again. Whether it was written then nobody knows, so the rows are looked at: one
 * that is as it was is written again, any other has been written, by this or by somebody else.
 */
export class GroupWriter {
  #next: Write[] = [];
  #busy = false;
  #statement: Promise<unknown> = Promise.resolve();
  #outage = false;
  readonly #closed = new AbortController();

  constructor(
    private readonly worker: string,
    private readonly table: RowTable,
    private readonly clock: Clock,
    private readonly log: Logger,
    private readonly events: WriteEvents,
  ) {}

  add(write: Write): void {
    this.#next.push(write);
  }

  /** Begins to write what was added, unless it is doing so already. */
  flush(): void {
    if (this.#busy || this.#next.length === 0) return;
    this.#busy = true;
    void this.#run();
  }

  /** Resolves when the statement under way has been answered. Those of rows that are over are never begun. */
  async settled(): Promise<void> {
    await this.#statement;
  }

  close(): void {
    this.#closed.abort();
  }

  async #run(): Promise<void> {
    try {
      while (this.#next.length > 0 && !this.#closed.signal.aborted) {
        const group = this.#next;
        this.#next = [];
        for (const alike of byColumns(group)) await this.#write(alike, { left: TRIES });
      }
    } finally {
      this.#busy = false;
    }
  }

  async #write(given: readonly Write[], tries: { left: number }): Promise<void> {
    const group = given.filter(mayWrite);
    const [first] = group;
    if (!first) return;
    const began = this.clock.monotonic();
    try {
      const seen = await this.#asked(
        this.table.write(
          first.columns,
          group.map(({ row, values }) => ({ slice: row.slice, key: row.key, version: row.version, values })),
        ),
      );
      this.events.statement(group.length, this.clock.monotonic() - began);
      await this.#tell(group, seen);
    } catch (error) {
      const kind = error instanceof TableError ? error.fault.kind : 'failed';
      if (kind === 'outage') {
        this.#outageBegins(error);
        await this.#explain(group, true);
      } else if (kind === 'again' && tries.left > 0) {
        tries.left -= 1;
        await this.#write(group, tries);
      } else if (group.length === 1 || kind === 'structural' || tries.left <= 0) {
        // A statement that is not accepted as such fails for all alike.
        for (const { row } of group) if (row.state === 'writing') this.events.failed(row, error, group.length === 1);
      } else {
        tries.left -= 1;
        const half = Math.ceil(group.length / 2);
        await this.#write(group.slice(0, half), tries);
        await this.#write(group.slice(half), tries);
      }
    }
  }

  async #tell(group: readonly Write[], seen: readonly SeenRow[]): Promise<void> {
    for (const one of seen) {
      const write = group[one.at] as Write;
      if (write.row.state === 'writing') this.events.written(write, one);
    }
    if (seen.length === group.length) return;
    const told = new Set(seen.map(({ at }) => at));
    await this.#explain(
      group.filter((_, at) => !told.has(at)),
      false,
    );
  }

  /** Finds out why rows were not written, or (`doubt`) whether they were. */
  async #explain(group: readonly Write[], doubt: boolean): Promise<void> {
    const fences = await this.#answered(() => this.table.fences(namesOf(group)));
    if (!fences) return;
    for (const slice of new Set(group.map(({ row }) => row.slice))) {
      if (fences.get(slice.name) !== slice.fence && !slice.over) this.events.overtaken(slice);
    }
    const mine = group.filter(mayWrite);
    const seen = mine.length === 0 ? [] : await this.#answered(() => this.table.look(mine.map(({ row }) => row)));
    if (!seen) return;
    const other = new Map(seen.map((one) => [mine[one.at] as Write, one]));
    const again: Write[] = [];
    for (const write of mine) {
      const { row } = write;
      if (row.state !== 'writing') continue;
      const now = other.get(write);
      if (now?.version === null) this.events.gone(row);
      else if (now && now.version !== row.version) {
        if (doubt) this.events.written(write, now);
        else this.events.changed(row, now);
      } else if (doubt) again.push(write);
      // As it was when the step was taken, and it may not even match now: its write decides.
      else this.events.busy(row);
    }
    if (again.length > 0) for (const alike of byColumns(again)) await this.#write(alike, { left: TRIES });
  }

  /** Asks until there is an answer; `null`: it is not wanted any more. */
  async #answered<T>(ask: () => Promise<T>): Promise<T | null> {
    while (!this.#closed.signal.aborted) {
      try {
        const answer = await this.#asked(ask());
        this.#outageEnds();
        return answer;
      } catch (error) {
        this.#outageBegins(error);
        await sleep(this.clock, OUTAGE_LOOK_MS, this.#closed.signal);
      }
    }
    return null;
  }

  #asked<T>(asked: Promise<T>): Promise<T> {
    // Without its answer: that is thousands of rows, and would be kept until the next one.
    this.#statement = asked.then(
      () => undefined,
      () => undefined,
    );
    return asked;
  }

  #outageBegins(error: unknown): void {
    if (this.#outage) return;
    this.#outage = true;
    this.log.warn({ err: error, worker: this.worker }, 'rows can not be written: the database does not answer');
  }

  #outageEnds(): void {
    if (!this.#outage) return;
    this.#outage = false;
    this.log.info({ worker: this.worker }, 'rows are written again');
  }
}

const mayWrite = ({ row }: Write): boolean => row.state === 'writing' && row.slice.owns();

const namesOf = (group: readonly Write[]): string[] => [...new Set(group.map(({ row }) => row.slice.name))];

/** Writes that fit into one statement: of the same columns, and without those that have failed before, each of which goes alone. */
function byColumns(group: readonly Write[]): Write[][] {
  const alike = new Map<string, Write[]>();
  const alone: Write[][] = [];
  for (const write of group) {
    if (write.row.trouble?.alone) {
      alone.push([write]);
      continue;
    }
    const same = alike.get(write.columns);
    if (!same) alike.set(write.columns, [write]);
    else same.push(write);
  }
  const groups = [...alike.values()].flatMap((same) => chunks(same));
  return [...groups, ...alone];
}

function chunks(group: Write[]): Write[][] {
  if (group.length <= MOST) return [group];
  return Array.from({ length: Math.ceil(group.length / MOST) }, (_, i) => group.slice(i * MOST, (i + 1) * MOST));
}
