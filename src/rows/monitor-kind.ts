import { sleep } from '../kernel/clock.js';
import type { NodeId } from '../kernel/identity.js';
import { Later, type ProcessContext, type ProcessKind, type Running } from '../kernel/kind.js';
import type { Kernel } from '../kernel/kernel.js';
import { candidates } from '../kernel/placement.js';
import type { ProcessRecord } from '../kernel/ports/store.js';
import { deal } from './deal.js';
import type { WorkerDefinition } from './definition.js';
import { monitorName, sliceKindName, sliceName } from './names.js';
import type { SliceMessage, SliceReport } from './slice-kind.js';
import type { RowTable } from './table.js';

/** The part of a kernel that is needed here. */
export type MonitorKernel = Pick<Kernel, 'call' | 'ensure' | 'processes' | 'stopUnlessHeld' | 'nodes' | 'move'>;

export interface MonitorParts {
  readonly definition: WorkerDefinition;
  readonly kernel: MonitorKernel;
  /** Its own connection: a look over a whole table is not to hold up a write. */
  readonly openTable: () => RowTable;
}

export type MonitorMessage = { readonly do: 'tell' };

const ANSWER_MS = 3_000;
/** Looks that a slice has nothing to do before it ends: long enough for the next wave of rows to find it there. */
const IDLE_LOOKS = 15;

/**
 * The one process in the cluster that looks for rows. It counts the rows that match, asks what runs, deals the free places to
 * the slices, and sees to it that those have a process. It keeps nothing: whatever it knows it can ask again.
 */
export function monitorKind(parts: MonitorParts): ProcessKind<object, MonitorMessage, readonly SliceReport[], null> {
  return {
    kind: monitorName(parts.definition.name),
    restart: 'permanent',
    start: (_args, context) => new RowMonitor(parts, context),
  };
}

interface ActiveSlice {
  readonly number: number;
  readonly record: ProcessRecord;
}

class RowMonitor implements Running<MonitorMessage, readonly SliceReport[]> {
  readonly done: Promise<void>;
  readonly #table: RowTable;
  /** What a slice had at most when it last answered, and looks since it had nothing to do. */
  readonly #atMost = new Map<number, number>();
  readonly #idle = new Map<number, number>();
  #nodes: string | null = null;
  #trouble = false;

  constructor(
    private readonly parts: MonitorParts,
    private readonly context: ProcessContext<null>,
  ) {
    this.#table = parts.openTable();
    this.done = this.#run();
  }

  handle(): Later<readonly SliceReport[]> {
    return new Later(this.#tell());
  }

  async stop(): Promise<void> {
    await this.#table.close();
  }

  async #run(): Promise<void> {
    const { clock, signal } = this.context;
    const { lookMs } = this.parts.definition;
    for (let due = clock.monotonic(); !signal.aborted;) {
      await this.#look();
      due = Math.max(due + lookMs, clock.monotonic());
      await sleep(clock, due - clock.monotonic(), signal);
    }
  }

  async #look(): Promise<void> {
    try {
      if (this.context.owns()) await this.#once();
      if (this.#trouble) this.context.log.info({ worker: this.parts.definition.name }, 'rows are looked for again');
      this.#trouble = false;
    } catch (error) {
      if (this.context.signal.aborted) return;
      if (!this.#trouble) {
        this.context.log.warn(
          { err: error, worker: this.parts.definition.name },
          'rows could not be looked for; it is tried again',
        );
      }
      this.#trouble = true;
    }
  }

  async #once(): Promise<void> {
    const { definition } = this.parts;
    const [demand, active] = await Promise.all([this.#table.demand(definition.limit * 2), this.#active()]);
    await this.#spread(active);
    const running = await this.#running(active);
    if (!this.context.owns()) return;
    const taken = [...running.values()].reduce((sum, count) => sum + count, 0);
    const waiting = new Map([...demand].map(([slice, count]) => [slice, count - (running.get(slice) ?? 0)]));
    const dealt = deal(definition.limit - taken, waiting);
    const all = new Set([...dealt.keys(), ...active.map(({ number }) => number)]);
    await Promise.all([...all].map((slice) => this.#fill(slice, dealt.get(slice) ?? 0, running.get(slice) ?? 0)));
    await this.#endIdle(active, demand);
  }

  /** Slices that have a process, or are to have one. */
  async #active(): Promise<ActiveSlice[]> {
    const kind = sliceKindName(this.parts.definition.name);
    return (await this.parts.kernel.processes())
      .filter((record) => record.kind === kind)
      .map((record) => ({ number: Number(record.name.slice(kind.length)), record }));
  }

  /** How many rows run in each slice, at most: one that does not answer may have as many as it ever can have since it did. */
  async #running(active: readonly ActiveSlice[]): Promise<Map<number, number>> {
    const running = new Map<number, number>();
    await Promise.all(
      active.map(async ({ number }) => {
        const report = await this.#ask(number, { do: 'tell' }).catch(() => null);
        if (report) this.#atMost.set(number, report.running);
        running.set(number, this.#atMost.get(number) ?? 0);
      }),
    );
    return running;
  }

  async #fill(slice: number, most: number, running: number): Promise<void> {
    this.#atMost.set(slice, running + most);
    const { kernel, definition } = this.parts;
    const name = sliceName(definition.name, slice);
    try {
      if (most > 0) await kernel.ensure({ name, kind: sliceKindName(definition.name), args: { slice } });
      if (!this.context.owns()) return;
      this.#atMost.set(slice, (await this.#ask(slice, { do: 'fill', most })).running);
    } catch (error) {
      this.context.log.debug({ err: error, name }, 'not filled; the next look does it');
    }
  }

  #ask(slice: number, message: SliceMessage): Promise<SliceReport> {
    const { kernel, definition } = this.parts;
    return kernel.call<SliceReport>(sliceName(definition.name, slice), message, { timeoutMs: ANSWER_MS });
  }

  async #endIdle(active: readonly ActiveSlice[], demand: ReadonlyMap<number, number>): Promise<void> {
    for (const { number, record } of active) {
      const busy = (demand.get(number) ?? 0) > 0 || (this.#atMost.get(number) ?? 0) > 0;
      const looks = busy ? 0 : (this.#idle.get(number) ?? 0) + 1;
      this.#idle.set(number, looks);
      if (looks < IDLE_LOOKS || !this.context.owns()) continue;
      this.#idle.delete(number);
      await this.parts.kernel.stopUnlessHeld(record.name).catch((error: unknown) => {
        this.context.log.debug({ err: error, name: record.name }, 'an idle slice was not ended; it is tried again');
      });
    }
  }

  /** When nodes have come, slices move to where they belong among those that are there now; else they are left where they are. */
  async #spread(active: readonly ActiveSlice[]): Promise<void> {
    const nodes = this.parts.kernel.nodes();
    const kind = sliceKindName(this.parts.definition.name);
    const able = nodes.filter((node) => node.state === 'live' && node.kinds.includes(kind)).map(({ id }) => id);
    const known = able.sort().join();
    const before = this.#nodes;
    this.#nodes = known;
    if (before === null || before === known) return;
    for (const { record } of active) {
      const [to] = candidates(record.name, nodes, kind);
      if (to === undefined || record.node === null || record.node === to || !this.context.owns()) continue;
      await this.#move(record.name, to);
    }
  }

  async #move(name: string, to: NodeId): Promise<void> {
    try {
      await this.parts.kernel.move(name, to);
    } catch (error) {
      this.context.log.debug({ err: error, name, to }, 'a slice was not moved');
    }
  }

  async #tell(): Promise<readonly SliceReport[]> {
    const reports = await Promise.all(
      (await this.#active()).map(({ number }) => this.#ask(number, { do: 'tell', figures: true }).catch(() => null)),
    );
    return reports.filter((report) => report !== null);
  }
}
