import type { RestartHistory } from '../kernel/restarts.js';
import type { Chain } from './chain.js';
import type { StepCall } from './row-worker.decorator.js';
import type { Sleeper } from './wheel.js';

/** What a row's process has suffered since its last success. */
export interface Trouble {
  readonly history: RestartHistory;
  crashes: number;
  failed: boolean;
  /** Its write failed by itself: it is kept apart from those of others. */
  alone: boolean;
  error: string;
}

/**
 * The process of one row. Small on purpose, for there are thousands: the row itself is kept as the text that Postgres sent,
 * and parsed when it is due.
 *
 *     asleep → ready → stepping → writing → asleep …       over: ended, or its slice has left this node
 */
export class RowProcess implements Sleeper<RowProcess> {
  prev: RowProcess | null = null;
  next: RowProcess | null = null;
  chain: Chain<RowProcess> | null = null;
  tick = 0;
  state: 'asleep' | 'ready' | 'stepping' | 'writing' | 'over' = 'asleep';
  /** When its step is to be taken (monotonic), to the ms. */
  dueAt = 0;
  /** Begin of the slot in which it woke. */
  wokeAt = 0;
  trouble: Trouble | null = null;
  /** How often in a row its write was skipped because somebody else held a lock on it. */
  busy = 0;

  constructor(
    readonly slice: Slice,
    readonly key: string,
    /** The row's `xmin`: which write it was last written by. */
    public version: string,
    public json: string,
    /** When it was last read or written (monotonic). */
    public readAt: number,
  ) {}
}

/** One slice of a worker's rows while this node owns it. */
export class Slice {
  readonly rows = new Map<string, RowProcess>();
  readonly call: StepCall;
  #over = false;

  constructor(
    readonly number: number,
    /** Of the process; its fence is kept under this name. */
    readonly name: string,
    readonly fence: number,
    private readonly context: { owns(): boolean; readonly signal: AbortSignal },
    /** Its fence was overtaken. */
    readonly lost: (error: unknown) => void,
  ) {
    this.call = { signal: context.signal };
  }

  /** Whether its rows may be written at this very moment. */
  owns(): boolean {
    return !this.#over && this.context.owns();
  }

  get over(): boolean {
    return this.#over;
  }

  end(): void {
    this.#over = true;
  }
}
