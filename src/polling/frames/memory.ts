import { systemClock, type Clock } from '../../kernel/clock.js';
import { silent, type Logger } from '../../kernel/log.js';
import type { Unsubscribe } from '../../kernel/ports/bus.js';
import {
  isNewer,
  type Findings,
  type Frame,
  type FrameHead,
  type FramePosition,
  type FrameStore,
  type FrameStoreOptions,
  type Round,
  type StatusChange,
  type StoredFrame,
} from './frames.js';

interface Shelf {
  fence: number;
  lastEpoch: number;
  polledAt: number;
  readonly newest: Map<string, StoredFrame>;
  readonly logs: Map<string, Frame[]>;
  readonly statuses: Map<string, StatusChange>;
  readonly handlers: Set<(round: Round) => void>;
}

/** What one channel's log may hold at most, whatever `retain` says: a bound on memory. */
export const MAX_LOG_FRAMES = 10_000;

/** Frames of a cluster in one process's memory. */
export class MemoryFrames implements FrameStore {
  readonly #shelves = new Map<string, Shelf>();
  readonly up = true;

  constructor(
    private readonly clock: Clock = systemClock,
    private readonly log: Logger = silent,
    /** `seq` of an epoch's first frame. */
    private readonly firstSeq = 1,
  ) {}

  /** Forgets everything, as a Redis that restarts without its data does: only who listens stays. */
  wipe(): void {
    for (const [name, { handlers }] of [...this.#shelves]) {
      this.#shelves.delete(name);
      if (handlers.size > 0) this.#shelf(name, handlers);
    }
  }

  open(poller: string, fence: number): Promise<boolean> {
    return Promise.resolve(this.#enter(poller, fence) !== null);
  }

  publish(
    poller: string,
    fence: number,
    findings: Findings,
    options: FrameStoreOptions,
  ): Promise<FramePosition[] | null> {
    const shelf = this.#shelf(poller);
    if (shelf.fence !== fence) return Promise.resolve(null);
    const frames = findings.changed.map(({ channel, rows, hash, mark, above }): StoredFrame => {
      const stored = shelf.newest.get(channel);
      const before = stored && above && isNewer(above, stored) ? undefined : stored;
      if (before && before.hash === hash) {
        shelf.newest.set(channel, { ...before, mark });
        return before;
      }
      const epoch =
        before?.epoch ?? (shelf.lastEpoch = Math.max(shelf.lastEpoch + 1, this.clock.now(), (above?.epoch ?? 0) + 1));
      const frame = {
        channel,
        epoch,
        seq: before ? before.seq + 1 : this.firstSeq,
        polledAt: findings.polledAt,
        rows,
        hash,
        mark,
      };
      shelf.newest.set(channel, frame);
      if (options.retainMs > 0) this.#log(shelf, frame, options.retainMs);
      return frame;
    });
    for (const status of findings.statuses) shelf.statuses.set(status.channel, status);
    shelf.polledAt = findings.polledAt;
    const round: Round = { fence, polledAt: findings.polledAt, frames, statuses: findings.statuses };
    for (const handle of [...shelf.handlers]) queueMicrotask(() => this.#tell(handle, round));
    return Promise.resolve(frames.map(({ epoch, seq }) => ({ epoch, seq })));
  }

  forget(poller: string, fence: number, channels: readonly string[]): Promise<boolean> {
    const shelf = this.#enter(poller, fence);
    if (!shelf) return Promise.resolve(false);
    for (const channel of channels) {
      shelf.newest.delete(channel);
      shelf.logs.delete(channel);
      shelf.statuses.delete(channel);
    }
    return Promise.resolve(true);
  }

  newest(poller: string, channel: string): Promise<StoredFrame | null> {
    return Promise.resolve(this.#shelves.get(poller)?.newest.get(channel) ?? null);
  }

  all(poller: string): Promise<StoredFrame[]> {
    return Promise.resolve([...(this.#shelves.get(poller)?.newest.values() ?? [])]);
  }

  heads(poller: string): Promise<Map<string, FrameHead>> {
    const shelf = this.#shelves.get(poller);
    const heads = new Map<string, FrameHead>();
    for (const { channel, epoch, seq, polledAt: changedAt } of shelf?.newest.values() ?? []) {
      const state = shelf?.statuses.get(channel)?.state ?? 'live';
      heads.set(channel, { epoch, seq, changedAt, polledAt: Math.max(changedAt, shelf?.polledAt ?? 0), state });
    }
    return Promise.resolve(heads);
  }

  history(poller: string, channel: string, from: number, to: number, limit: number): Promise<Frame[]> {
    const log = this.#shelves.get(poller)?.logs.get(channel) ?? [];
    return Promise.resolve(log.filter((frame) => frame.polledAt >= from && frame.polledAt <= to).slice(-limit));
  }

  after(poller: string, channel: string, position: FramePosition): Promise<Frame[] | null> {
    const frames = (this.#shelves.get(poller)?.logs.get(channel) ?? []).filter((frame) => isNewer(frame, position));
    const [first] = frames;
    return Promise.resolve(first && follows(first, position) ? frames : null);
  }

  drop(poller: string, fence: number): Promise<void> {
    const shelf = this.#enter(poller, fence);
    shelf?.newest.clear();
    shelf?.logs.clear();
    shelf?.statuses.clear();
    // The shelf itself stays, for its fence and its epoch: a late writer must still be refused.
    return Promise.resolve();
  }

  subscribe(poller: string, handle: (round: Round) => void): Promise<Unsubscribe> {
    const shelf = this.#shelf(poller);
    shelf.handlers.add(handle);
    return Promise.resolve(() => {
      shelf.handlers.delete(handle);
      return Promise.resolve();
    });
  }

  onLink(): () => void {
    return () => undefined;
  }

  #tell(handle: (round: Round) => void, round: Round): void {
    try {
      handle(round);
    } catch (error) {
      this.log.error({ err: error }, 'a subscriber threw');
    }
  }

  #log(shelf: Shelf, frame: Frame, retainMs: number): void {
    const log = shelf.logs.get(frame.channel) ?? [];
    shelf.logs.set(frame.channel, log);
    log.push(frame);
    const oldest = this.clock.now() - retainMs;
    while (log.length > MAX_LOG_FRAMES || (log[0] && log[0].polledAt < oldest)) log.shift();
  }

  #enter(poller: string, fence: number): Shelf | null {
    const shelf = this.#shelf(poller);
    if (fence < shelf.fence) return null;
    shelf.fence = fence;
    return shelf;
  }

  #shelf(poller: string, handlers = new Set<(round: Round) => void>()): Shelf {
    let shelf = this.#shelves.get(poller);
    if (!shelf) {
      shelf = {
        fence: 0,
        lastEpoch: 0,
        polledAt: 0,
        newest: new Map(),
        logs: new Map(),
        statuses: new Map(),
        handlers,
      };
      this.#shelves.set(poller, shelf);
    }
    return shelf;
  }
}

/** Whether a frame is the very next one after a position. */
export function follows(frame: FramePosition, position: FramePosition): boolean {
  return frame.epoch === position.epoch && frame.seq === position.seq + 1;
}
