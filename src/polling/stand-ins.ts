import type { Timer } from '../kernel/clock.js';
import type { Kernel } from '../kernel/kernel.js';
import type { Logger } from '../kernel/log.js';
import type { ProcessSpec } from '../kernel/ports/store.js';
import type { CutOff } from './cut-off.js';
import type { PollerArgs } from './names.js';
import { StandIn, type Demander, type StandInParts } from './stand-in.js';

/** What a node does while it is cut off: it polls for its own viewers. */
export interface Emergency {
  readonly cutOff: CutOff;
  readonly standIns: StandIns;
}

interface Entry {
  readonly standIn: StandIn;
  timer: Timer | null;
}

/**
 * A node's stand-ins, one for each poller. One that nobody needs any more rests for an interval before it ends: viewers who go and
 * come, or a line that breaks again, find what it had asked for, and do not make the node ask more than once an interval.
 */
export class StandIns {
  readonly #entries = new Map<string, Entry>();
  #made = 0;

  constructor(
    private readonly kernel: Pick<Kernel, 'clock' | 'id'>,
    private readonly parts: StandInParts,
    private readonly log: Logger,
  ) {}

  /** The stand-in for a poller, which asks for `demander` from now on. One demander at a time. */
  serve(process: ProcessSpec, demander: Demander): StandIn {
    const { name } = process;
    let entry = this.#entries.get(name);
    if (!entry) {
      entry = { standIn: new StandIn(process, this.kernel, this.parts, this.log, this.#made++), timer: null };
      this.#entries.set(name, entry);
    }
    entry.timer?.cancel();
    entry.timer = null;
    entry.standIn.serve(demander);
    return entry.standIn;
  }

  /** It is not needed any more, for now. */
  rest(process: ProcessSpec): void {
    const { name } = process;
    const entry = this.#entries.get(name);
    if (!entry) return;
    entry.standIn.rest();
    entry.timer ??= this.kernel.clock.after(this.#intervalMs(process), () => {
      this.#entries.delete(name);
      void entry.standIn.stop();
    });
  }

  async close(): Promise<void> {
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    await Promise.all(
      entries.map(({ standIn, timer }) => {
        timer?.cancel();
        return standIn.stop();
      }),
    );
  }

  #intervalMs(process: ProcessSpec): number {
    try {
      return this.parts.topics.get((process.args as PollerArgs).topic).intervalMs;
    } catch {
      // There is no such topic any more: nobody comes back to it.
      return 0;
    }
  }
}
