import { PollcastError } from '../errors.js';
import type { Kernel } from '../kernel/kernel.js';
import type { Timer } from '../kernel/clock.js';
import type { Logger } from '../kernel/log.js';
import type { ProcessSpec } from '../kernel/ports/store.js';
import { LocalViewers, mergePresence, type NodePresence, type PresentUser } from './viewers.js';

/** Something that can be watched: a channel, and the process that must exist while somebody does. */
export interface Watchable {
  readonly key: string;
  readonly process: ProcessSpec;
  /** Whether viewers may see who else watches. */
  readonly showUsers: boolean;
}

interface Entry {
  /** With the process that is to be held; another one may be held still. */
  watchable: Watchable;
  readonly viewers: LocalViewers;
  /** The detail that the cluster has; `null`: no hold is there. */
  written: string | null;
  /** Name of the process that is held so. */
  heldAt: string | null;
  /** Names of the processes on which there is, or may be, a hold for it. */
  readonly places: Set<string>;
  /** The cluster may have forgotten it. */
  doubt: boolean;
  /** Somebody came or went since `changed` was called: this node's own readings show it already, written or not. */
  untold: boolean;
  writing: Promise<void> | null;
  timer: Timer | null;
}

/** How long changes of a count are gathered before they are told. First and last viewer are told at once. */
const GATHER_MS = 100;
const RETRY_MS = 250;

/**
 * What this node's viewers watch, written to the cluster as holds on the processes behind it: one hold for each channel
 * and node, with the number of viewers.
 *
 * Joining and leaving only change what is wanted; one writer for each channel brings the cluster in line with it, one
 * step at a time. So a leave that overtakes a join, or the other way round, can never leave the wrong one behind.
 */
export class Presence {
  readonly #entries = new Map<string, Entry>();
  readonly #unlisten: () => void;
  #closed = false;

  constructor(
    private readonly kernel: Kernel,
    private readonly log: Logger,
    /** Told when who watches a channel has changed on this node. */
    private readonly changed: (watchable: Watchable) => void = () => undefined,
    /** The cluster cannot be told for the time being, and this node does without it. */
    private readonly away: () => boolean = () => false,
  ) {
    this.#unlisten = kernel.on('rejoined', () => this.rewrite());
  }

  /** Viewers on this node, over all channels. */
  get viewers(): number {
    let sum = 0;
    for (const { viewers } of this.#entries.values()) sum += viewers.size;
    return sum;
  }

  get channels(): number {
    return this.#entries.size;
  }

  /**
   * A viewer joins. Resolves once the cluster knows that this channel is watched from here, and its process has an owner.
   * Rejects with `UNAVAILABLE` when it cannot know; the viewer is then not joined. While this node does without the cluster
   * that is told later, again and again until it knows.
   */
  async join(watchable: Watchable, viewer: string, user: string): Promise<void> {
    const entry = this.#entry(watchable);
    // One that is just being left may have belonged to another process.
    entry.watchable = watchable;
    if (!entry.viewers.join(viewer, user, this.kernel.clock.now())) return;
    entry.untold = true;
    try {
      // A writer that was just ending when we came has not seen us: then it is our turn.
      while (entry.heldAt !== entry.watchable.process.name && entry.viewers.size > 0) {
        if (this.#closed) throw new PollcastError('UNAVAILABLE', 'this node is stopping; connect again');
        if (this.away()) return this.#writeSoon(entry, GATHER_MS);
        await this.#write(entry);
      }
      // What was just written has us in it already.
      if (entry.untold) this.#writeSoon(entry, GATHER_MS);
    } catch (error) {
      this.leave(watchable.key, viewer);
      throw error;
    }
  }

  /** A viewer leaves. The cluster is told behind the scenes, again and again until it knows. */
  leave(key: string, viewer: string): void {
    const entry = this.#entries.get(key);
    if (!entry?.viewers.leave(viewer)) return;
    entry.untold = true;
    this.#writeSoon(entry, entry.viewers.size === 0 ? 0 : GATHER_MS);
  }

  /** Who watches a channel, over all nodes. */
  async present(watchable: Watchable): Promise<{ viewers: PresentUser[]; count: number }> {
    const entry = this.#entries.get(watchable.key);
    const holds = await this.kernel.holds((entry?.watchable ?? watchable).process.name);
    const here = entry?.viewers.describe(watchable.showUsers);
    const elsewhere = holds
      .filter((hold) => hold.ref === watchable.key && hold.node !== this.kernel.id)
      .map((hold) => JSON.parse(hold.detail) as NodePresence);
    return mergePresence(here ? [here, ...elsewhere] : elsewhere);
  }

  /**
   * Writes one channel's hold again, whatever the cluster has of it: a process that was ended under its viewers is
   * wanted still. Rejects with `UNAVAILABLE`.
   */
  async renew(key: string): Promise<void> {
    const entry = this.#entries.get(key);
    if (!entry) return;
    entry.doubt = true;
    await this.#write(entry);
  }

  /** It is another process that must exist while the channel is watched: that one is held from the next writing on, and then the former is not. */
  place(watchable: Watchable): void {
    const entry = this.#entries.get(watchable.key);
    if (!entry) return;
    entry.watchable = watchable;
    this.#writeSoon(entry, 0);
  }

  /** The cluster may have lost what was written: writes everything again. */
  rewrite(): void {
    for (const entry of this.#entries.values()) {
      entry.doubt = true;
      this.#writeSoon(entry, 0);
    }
  }

  /** Takes everything back, and waits until the cluster knows, or does not answer. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#unlisten();
    await Promise.allSettled(
      [...this.#entries.values()].map(async (entry) => {
        entry.timer?.cancel();
        // The one under way may have begun before we closed, and fail: then it is our turn.
        await entry.writing?.catch(() => undefined);
        await this.#write(entry);
      }),
    );
    this.#entries.clear();
  }

  #entry(watchable: Watchable): Entry {
    let entry = this.#entries.get(watchable.key);
    if (!entry) {
      entry = {
        watchable,
        viewers: new LocalViewers(),
        written: null,
        heldAt: null,
        places: new Set(),
        doubt: false,
        untold: false,
        writing: null,
        timer: null,
      };
      this.#entries.set(watchable.key, entry);
    }
    return entry;
  }

  #writeSoon(entry: Entry, ms: number): void {
    if (this.#closed) return;
    // The last viewer's leave does not wait for a change of the count.
    if (ms === 0) entry.timer?.cancel();
    else if (entry.timer) return;
    entry.timer = this.kernel.clock.after(ms, () => {
      entry.timer = null;
      this.#write(entry).catch((error: unknown) => {
        this.log.debug({ err: error, channel: entry.watchable.key }, 'presence not written; trying again');
        this.#writeSoon(entry, RETRY_MS);
      });
    });
  }

  #tell(entry: Entry): void {
    entry.untold = false;
    this.changed(entry.watchable);
  }

  /** Brings the cluster in line with what is wanted. Callers that come while it is at it share it, and its end is theirs. */
  #write(entry: Entry): Promise<void> {
    entry.writing ??= this.#bringInLine(entry).finally(() => (entry.writing = null));
    return entry.writing;
  }

  async #bringInLine(entry: Entry): Promise<void> {
    const { viewers, places } = entry;
    // Looked at anew after every step: viewers come and go while one is under way.
    for (;;) {
      const { watchable } = entry;
      const { key, process } = watchable;
      const wanted = viewers.size > 0 && !this.#closed ? JSON.stringify(viewers.describe(watchable.showUsers)) : null;
      const missing = wanted !== null && (wanted !== entry.written || entry.doubt || entry.heldAt !== process.name);
      // A process that is held no more is let go only once the one in its place is held.
      const surplus = [...places].find((name) => wanted === null || name !== process.name);
      if (!missing && surplus === undefined) break;
      try {
        if (missing) {
          entry.doubt = false;
          places.add(process.name);
          // When the last one leaves while a place is sought for the process, it is taken back now, not when one is found.
          await this.kernel.hold(process, key, wanted, () => viewers.size > 0 && !this.#closed);
          entry.written = wanted;
          entry.heldAt = process.name;
        } else if (surplus !== undefined) {
          await this.kernel.unhold(surplus, key);
          places.delete(surplus);
          if (entry.heldAt === surplus) entry.heldAt = entry.written = null;
        }
      } catch (error) {
        // It may or may not be there now: the next step settles it either way.
        entry.doubt = true;
        throw error;
      }
      this.#tell(entry);
    }
    // One who came and went again before it was written has left nothing to write.
    if (entry.untold) this.#tell(entry);
    if ((viewers.size === 0 || this.#closed) && places.size === 0 && this.#entries.get(entry.watchable.key) === entry) {
      this.#entries.delete(entry.watchable.key);
    }
  }
}
