import { setImmediate as turn } from 'node:timers/promises';
import { PollcastError } from '../errors.js';
import type { Clock } from '../kernel/clock.js';
import type { StopReason } from '../kernel/kind.js';
import type { Logger } from '../kernel/log.js';
import { RestartHistory } from '../kernel/restarts.js';
import { Chain } from './chain.js';
import type { WorkerDefinition } from './definition.js';
import { Figures, type NodeFigures } from './figures.js';
import { GroupWriter, type Write, type WriteEvents } from './group-writer.js';
import type { Outcome, RowMetrics } from './metrics.js';
import { RowProcess, type Slice } from './row-process.js';
import { done, Done, type Changes, type StepResult } from './row-worker.decorator.js';

import type { FoundRow, RowTable, SeenRow } from './table.js';
import { Wheel } from './wheel.js';

export interface RunnerParts {
  readonly definition: WorkerDefinition;
  readonly table: RowTable;
  readonly node: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: RowMetrics;
  /** In [0, 1). */
  readonly random: () => number;
}

/** A row that cannot go on by itself, for people. */
export interface Failing {
  readonly key: string;
  readonly crashes: number;
  readonly failed: boolean;
  readonly error: string;
}

/** Rows that are stepped before the event loop gets its turn: some 10 ms. */
const AT_ONCE = 2_000;
/** How long asks for rows wait for each other: the slices of a node share one statement. */
const GATHER_MS = 20;
/** Doubles each time, up to the row's own interval. */
const BUSY_RETRY_MS = 100;
const MOST_FAILING_TOLD = 20;

/**
 * What a node does for one worker: the processes of the rows in its slices, on one wheel, with one writer.
 *
 * Whoever touches a row after an `await` looks at its state first: its slice may have left this node meanwhile, and then it is
 * over. What is read on another connection than the writer's may be older than what was written; versions tell.
 */
export class RowRunner implements WriteEvents {
  readonly #slices = new Map<number, Slice>();
  readonly #ready = new Chain<RowProcess>();
  readonly #wheel: Wheel<RowProcess>;
  readonly #writer: GroupWriter;
  readonly #figures: Figures;
  #working = false;
  #asks = new Map<Slice, number>();
  #filling: Promise<void> | null = null;

  constructor(private readonly parts: RunnerParts) {
    const { definition, table, clock, log, metrics } = parts;
    this.#figures = new Figures(definition.name, metrics);
    this.#wheel = new Wheel<RowProcess>(clock, { due: (row) => this.#wake(row), ticked: () => this.#work() });
    this.#writer = new GroupWriter(definition.name, table, clock, log, this);
    metrics.running(definition.name, () => this.running);
  }

  /** Rows that have a process here. */
  get running(): number {
    let sum = 0;
    for (const { rows } of this.#slices.values()) sum += rows.size;
    return sum;
  }

  /** Takes a slice. Rejects with `CONFLICT` when a higher fence was seen, and while the database does not answer. */
  async attach(slice: Slice): Promise<void> {
    try {
      await this.parts.table.raiseFence(slice.name, slice.fence);
    } catch (error) {
      throw asOutage(error);
    }
    this.#slices.set(slice.number, slice);
  }

  /** Lets go of a slice. Nothing of it is written after this resolves. */
  async detach(slice: Slice, reason: StopReason): Promise<void> {
    slice.end();
    this.#asks.delete(slice);
    if (this.#slices.get(slice.number) === slice) this.#slices.delete(slice.number);
    for (const row of slice.rows.values()) this.#release(row);
    slice.rows.clear();
    // When the lease is lost nobody waits for us, and the fence refuses what is still under way.
    if (reason !== 'lease-lost') await this.#writer.settled();
  }

  /** Looks what others have done to rows that sleep, and gives up to `most` more rows of the slice a process. */
  fill(slice: Slice, most: number): Promise<void> {
    this.#asks.set(slice, Math.max(most, this.#asks.get(slice) ?? 0));
    this.#filling ??= new Promise<void>((resolve, reject) => {
      this.parts.clock.after(GATHER_MS, () => {
        this.#filling = null;
        const asks = this.#asks;
        this.#asks = new Map();
        this.#fill(asks).then(resolve, reject);
      });
    });
    return this.#filling;
  }

  /** Told once for all slices here: by the one that has been here longest; `null` to the others. */
  figures(slice: Slice): NodeFigures | null {
    const [first] = this.#slices.values();
    if (first !== slice) return null;
    const { node, clock } = this.parts;
    return this.#figures.take(node, this.running, clock.now());
  }

  failing(slice: Slice): Failing[] {
    const failing: Failing[] = [];
    for (const { key, trouble } of slice.rows.values()) {
      if (!trouble) continue;
      failing.push({ key, crashes: trouble.crashes, failed: trouble.failed, error: trouble.error });
      if (failing.length === MOST_FAILING_TOLD) break;
    }
    return failing;
  }

  close(): void {
    this.#wheel.close();
    this.#writer.close();
  }

  async #fill(asks: ReadonlyMap<Slice, number>): Promise<void> {
    await this.#refresh([...asks.keys()]);
    const slices = [...asks.keys()].filter((slice) => !slice.over);
    const most = slices.reduce((sum, slice) => sum + (asks.get(slice) as number), 0);
    if (most === 0) return;
    const known = slices.flatMap((slice) => [...slice.rows.keys()]);
    const found = await this.parts.table.find(
      slices.map(({ number }) => number),
      known,
      most,
    );
    // One time for all: those that are found together are due together.
    const now = this.parts.clock.monotonic();
    for (const row of found) this.#start(row, slices, now);
  }

  #start({ slice: number, key, version, json }: FoundRow, slices: readonly Slice[], now: number): void {
    const slice = this.#slices.get(number);
    // It was asked for by one that has left meanwhile, or was started by another ask.
    if (!slice || !slices.includes(slice) || slice.rows.has(key)) return;
    const { definition, random } = this.parts;
    const row = new RowProcess(slice, key, version, json, now);
    slice.rows.set(key, row);
    this.#figures.started();
    this.#sleep(row, now + (definition.spread ? random() : 1) * definition.everyMs);
  }

  /** Those that were neither read nor written for a while: of all others it is known what they are. */
  async #refresh(slices: readonly Slice[]): Promise<void> {
    const { clock, definition, table } = this.parts;
    const before = clock.monotonic() - definition.lookMs;
    const rows = slices.flatMap(({ rows }) =>
      [...rows.values()].filter((row) => row.readAt <= before && row.state === 'asleep'),
    );
    if (rows.length === 0) return;
    const asked = rows.map(({ key, version }) => ({ key, version }));
    const readAt = clock.monotonic();
    const seen = new Map((await table.look(asked)).map((one) => [one.at, one]));
    rows.forEach((row, at) => {
      // Read while it was being written: the writer knows better.
      if (row.state !== 'asleep' || row.version !== asked[at]?.version) return;
      row.readAt = readAt;
      const now = seen.get(at);
      if (!now) return;
      if (now.version === null || !now.matches) return this.gone(row);
      this.#learn(row, now);
    });
  }

  #learn(row: RowProcess, { version, json }: SeenRow): void {
    row.version = version as string;
    row.json = json;
    row.readAt = this.parts.clock.monotonic();
    row.busy = 0;
  }

  #sleep(row: RowProcess, at: number): void {
    row.state = 'asleep';
    row.dueAt = at;
    this.#wheel.add(row, at);
  }

  #wake(row: RowProcess): void {
    row.state = 'ready';
    row.wokeAt = this.#wheel.timeOf(row.tick);
    this.#ready.push(row);
  }

  #work(): void {
    if (this.#working || this.#ready.size === 0) return;
    this.#working = true;
    void this.#stepAll();
  }

  async #stepAll(): Promise<void> {
    for (;;) {
      for (let count = 0; count < AT_ONCE; count++) {
        const row = this.#ready.shift();
        if (!row) break;
        this.#step(row);
      }
      if (this.#ready.size === 0) break;
      await turn();
    }
    this.#working = false;
    this.#writer.flush();
  }

  #step(row: RowProcess): void {
    row.state = 'stepping';
    let result: StepResult | Promise<StepResult>;
    try {
      result = this.parts.definition.steps.step(JSON.parse(row.json) as never, row.slice.call);
    } catch (error) {
      return this.#crashed(row, error);
    }
    if (!isPromise(result)) return this.#stepped(row, result);
    result.then(
      (later) => {
        if (row.state !== 'stepping') return;
        this.#stepped(row, later);
        this.#writer.flush();
      },
      (error: unknown) => row.state === 'stepping' && this.#crashed(row, error),
    );
  }

  #stepped(row: RowProcess, result: StepResult): void {
    const ends = result === done || result instanceof Done;
    const changes = (result instanceof Done ? result.changes : ends ? null : result) as Changes;
    try {
      if (changes !== undefined && changes !== null && (typeof changes !== 'object' || Array.isArray(changes))) {
        throw new PollcastError('BAD_REQUEST', `expected step to return changes or done, got ${typeof changes}`);
      }
      const { columns, values } = this.parts.table.encode(changes ?? {});
      if (values.length === 0) return this.#tookNothing(row, ends);
      row.state = 'writing';
      this.#writer.add({ row, columns, values, ends });
    } catch (error) {
      this.#crashed(row, error);
    }
  }

  #tookNothing(row: RowProcess, ends: boolean): void {
    row.trouble = null;
    this.#count('nothing');
    if (ends) this.#end(row);
    else this.#sleep(row, this.#nextDue(row));
  }

  written({ row, ends }: Write, seen: SeenRow): void {
    const now = this.parts.clock.monotonic();
    this.#learn(row, seen);
    row.trouble = null;
    this.#count('written');
    this.#figures.late(now - row.dueAt, now - row.wokeAt);
    if (ends || !seen.matches) this.#end(row);
    else this.#sleep(row, this.#nextDue(row));
  }

  gone(row: RowProcess): void {
    this.#count('gone');
    this.#end(row);
  }

  changed(row: RowProcess, seen: SeenRow): void {
    this.#count('conflict');
    this.#learn(row, seen);
    if (!seen.matches) return this.gone(row);
    // Its step is still due, from what the row is now.
    this.#again(row, 0);
  }

  busy(row: RowProcess): void {
    this.#count('busy');
    this.#again(row, Math.min(BUSY_RETRY_MS * 2 ** row.busy, Math.max(BUSY_RETRY_MS, this.parts.definition.everyMs)));
    row.busy += 1;
  }

  failed(row: RowProcess, error: unknown, alone: boolean): void {
    this.#crashed(row, error, alone);
  }

  overtaken(slice: Slice): void {
    slice.lost(new PollcastError('CONFLICT', `another owner of ${slice.name} has a higher fence than ${slice.fence}`));
  }

  statement(rows: number, ms: number): void {
    this.#figures.statement(rows, ms);
  }

  /** The row's process starts again, alone and later, from what is known of the row. */
  #crashed(row: RowProcess, error: unknown, alone = false): void {
    const { clock, definition, log, random } = this.parts;
    this.#count('crashed');
    const trouble = (row.trouble ??= { history: new RestartHistory(), crashes: 0, failed: false, alone, error: '' });
    trouble.crashes += 1;
    trouble.alone = alone;
    trouble.error = error instanceof Error ? error.message : String(error);
    // What a step throws is its own failure, whatever it calls it.
    const { failed, delayMs } = trouble.history.next(null, clock.monotonic(), random());
    if (trouble.crashes === 1 || failed !== trouble.failed) {
      const fate = failed ? 'crashed too often, and is tried again later' : 'crashed, and starts again';
      log.warn(
        { err: error, worker: definition.name, key: row.key, crashes: trouble.crashes },
        `the process of a row ${fate}`,
      );
    }
    trouble.failed = failed;
    this.#again(row, delayMs);
  }

  /** Later, without moving the time from which its lateness counts. */
  #again(row: RowProcess, delayMs: number): void {
    row.state = 'asleep';
    this.#wheel.add(row, this.parts.clock.monotonic() + delayMs);
  }

  /** On its own grid; what could not be taken in time is skipped, not caught up with. */
  #nextDue({ dueAt }: RowProcess): number {
    const { everyMs } = this.parts.definition;
    const late = this.parts.clock.monotonic() - dueAt;
    return dueAt + Math.max(1, Math.ceil(late / everyMs)) * everyMs;
  }

  #end(row: RowProcess): void {
    this.#release(row);
    row.slice.rows.delete(row.key);
  }

  #release(row: RowProcess): void {
    if (!this.#wheel.remove(row)) this.#ready.remove(row);
    row.state = 'over';
    this.#figures.ended();
  }

  #count(outcome: Outcome): void {
    this.#figures.count(outcome);
  }
}

function isPromise<T>(given: T | Promise<T>): given is Promise<T> {
  return typeof (given as { then?: unknown } | null | undefined)?.then === 'function';
}

/** What the database does not answer is an outage: the kernel tries again, and holds it against nobody. */
export function asOutage(error: unknown): unknown {
  if (error instanceof PollcastError) return error;
  return new PollcastError('UNAVAILABLE', 'the database does not answer; it is tried again', undefined, {
    cause: error,
  });
}
