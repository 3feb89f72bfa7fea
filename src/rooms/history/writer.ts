import type { Timer } from '../../kernel/clock.js';
import type { ProcessContext, ProcessKind, Running } from '../../kernel/kind.js';
import type { ProcessSpec } from '../../kernel/ports/store.js';
import type { Unsubscribe } from '../../kernel/ports/bus.js';
import type { RoomStore } from '../store/store.js';
import type { Retention, RoomHistory } from './history.js';

const WRITER_KIND = 'room-history';
export const WRITER: ProcessSpec = { name: WRITER_KIND, kind: WRITER_KIND, args: {} };

const BATCH = 500;
/** Fewer than these: there is hardly more, and what comes may gather. */
const FEW = 30;
/** How long there must have been nothing to write before it ends. */
const IDLE_MS = 30_000;
/** What happens meanwhile is written together. Nobody waits for it: the newest is at hand in the store. */
const GATHER_MS = 100;
/** Word of something new may be lost: it is looked now and then. */
const LOOK_MS = 1_000;
const PRUNE_MS = 3_600_000;

interface WriterParts {
  readonly store: RoomStore;
  /** Where the past lies; rejects with `UNAVAILABLE` while that cannot be told. */
  history(): Promise<RoomHistory>;
  readonly retention: Retention;
}

/**
 * The one process in the cluster that writes what happens in rooms into their history. Rooms know nothing of it: it reads
 * the feed that each commit leaves behind, and confirms what it has written. Killed in between, its successor writes the
 * same again, which is writing it once; while there is none, the feed waits.
 */
export function historyWriterKind(parts: WriterParts): ProcessKind<object, never, never, null> {
  return { kind: WRITER_KIND, start: (_args, context) => new HistoryWriter(parts, context) };
}

class HistoryWriter implements Running<never, never> {
  #timer: Timer | null = null;
  #working = false;
  /** Somebody has said that there is something. */
  #heard = false;
  #stopped = false;
  #prunedAt = -Infinity;
  #wroteAt: number;
  readonly #following: Promise<Unsubscribe | null>;
  #run: Promise<void> = Promise.resolve();

  constructor(
    private readonly parts: WriterParts,
    private readonly context: ProcessContext<null>,
  ) {
    this.#wroteAt = context.clock.monotonic();
    // Only to be quick: what it does not hear of, it finds by looking.
    this.#following = parts.store.follow(() => this.#hear()).catch(() => null);
    this.#work();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await (
      await this.#following
    )?.();
    await this.#run;
  }

  #hear(): void {
    if (this.#heard) return;
    this.#heard = true;
    if (!this.#working) this.#workLater();
  }

  #workLater(): void {
    this.#timer?.cancel();
    if (!this.#stopped) this.#timer = this.context.clock.after(this.#heard ? GATHER_MS : LOOK_MS, () => this.#work());
  }

  #work(): void {
    this.#heard = false;
    this.#working = true;
    this.#run = this.#drain().finally(() => {
      this.#working = false;
      this.#workLater();
    });
  }

  async #drain(): Promise<void> {
    const { parts, context } = this;
    try {
      const history = await parts.history();
      for (let more = true; more && !this.#stopped;) {
        const entries = await parts.store.feed(BATCH);
        more = entries.length >= FEW;
        if (entries.length === 0) break;
        if (this.#stopped || !context.owns()) return;
        await history.append(entries.map(({ event }) => event));
        if (this.#stopped || !context.owns()) return;
        await parts.store.confirm(entries);
        this.#wroteAt = context.clock.monotonic();
      }
      const now = context.clock.monotonic();
      if (now - this.#prunedAt >= PRUNE_MS && context.owns()) {
        this.#prunedAt = now;
        await history.prune(parts.retention, context.clock.now());
      }
      if (now - this.#wroteAt > IDLE_MS && !this.#stopped) await this.#endIfUnused();
    } catch (error) {
      // The feed waits; so does nobody else.
      context.log.debug({ err: error }, 'the history of rooms is not written now; it will be');
    }
  }

  /** Somebody may come into a room in this very moment: their node looks whether there is a writer, and starts one. */
  async #endIfUnused(): Promise<void> {
    const heads = await this.parts.store.heads();
    if (heads.every(({ members }) => members === 0)) await this.context.retire();
  }
}
