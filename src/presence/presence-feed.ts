import type { Kernel } from '../kernel/kernel.js';
import type { Timer } from '../kernel/clock.js';
import type { Logger } from '../kernel/log.js';
import type { BusPort, Unsubscribe } from '../kernel/ports/bus.js';
import type { Presence, Watchable } from './presence.js';
import { presenceDiff, type PresentUser } from './viewers.js';

export interface PresenceNews {
  readonly count: number;
  readonly joins: readonly string[];
  readonly leaves: readonly string[];
}

interface Followed {
  readonly watchable: Watchable;
  readonly tell: (news: PresenceNews) => void;
  unsubscribe: Promise<Unsubscribe>;
  before: { viewers: readonly PresentUser[]; count: number } | null;
  timer: Timer | null;
  /** Monotonic ms when `timer` fires. */
  dueAt: number;
  reading: boolean;
}

const GATHER_MS = 50;
/** A dead node's holds are taken away right after it was found dead, by whoever comes first. */
const AFTER_DEATH_MS = 300;
/** How soon it is looked again when nothing says that there is something to see: a message, or a burial, was missed. */
const AGAIN_MS = 5_000;

/**
 * News of who joins and leaves the channels that somebody here wants them of. The bus only says that there is
 * something to look at; what has happened is told by comparing two readings, so a lost message loses nothing for long.
 */
export class PresenceFeed {
  readonly #followed = new Map<string, Followed>();
  readonly #unlisten: (() => void)[];

  constructor(
    private readonly kernel: Kernel,
    private readonly bus: BusPort,
    private readonly presence: Presence,
    private readonly log: Logger,
  ) {
    const lookAtAll = (): void => this.#followed.forEach((followed) => this.#look(followed, AFTER_DEATH_MS));
    this.#unlisten = [kernel.on('node:down', lookAtAll), kernel.on('rejoined', lookAtAll)];
  }

  /** Tells the other nodes to look. */
  announce(watchable: Watchable): void {
    if (!watchable.showUsers) return;
    this.bus
      .publish(busChannel(watchable.key), '')
      .catch((error: unknown) => this.log.debug({ err: error, channel: watchable.key }, 'presence not announced'));
  }

  /** Begins to tell of a channel; the first reading is the base of what is told. Rejects with `UNAVAILABLE`. */
  async follow(watchable: Watchable, tell: (news: PresenceNews) => void): Promise<void> {
    const known = this.#followed.get(watchable.key);
    if (known) return void (await known.unsubscribe);
    const followed: Followed = {
      watchable,
      tell,
      unsubscribe: this.bus.subscribe(busChannel(watchable.key), () => this.#look(followed, GATHER_MS)),
      before: null,
      timer: null,
      dueAt: 0,
      reading: false,
    };
    this.#followed.set(watchable.key, followed);
    try {
      await followed.unsubscribe;
    } catch (error) {
      this.#followed.delete(watchable.key);
      throw error;
    }
    this.#look(followed, 0);
  }

  async unfollow(key: string): Promise<void> {
    const followed = this.#followed.get(key);
    if (!followed) return;
    this.#followed.delete(key);
    followed.timer?.cancel();
    await (
      await followed.unsubscribe
    )();
  }

  async close(): Promise<void> {
    for (const stop of this.#unlisten) stop();
    await Promise.allSettled([...this.#followed.keys()].map((key) => this.unfollow(key)));
  }

  #look(followed: Followed, ms: number): void {
    if (this.#followed.get(followed.watchable.key) !== followed) return;
    const dueAt = this.kernel.clock.monotonic() + ms;
    if (followed.timer && followed.dueAt <= dueAt) return;
    followed.timer?.cancel();
    followed.dueAt = dueAt;
    followed.timer = this.kernel.clock.after(ms, () => {
      followed.timer = null;
      if (followed.reading) return this.#look(followed, GATHER_MS);
      followed.reading = true;
      this.#read(followed)
        .catch((error: unknown) => {
          this.log.debug({ err: error, channel: followed.watchable.key }, 'presence not read');
        })
        .finally(() => {
          followed.reading = false;
          this.#look(followed, AGAIN_MS);
        });
    });
  }

  async #read(followed: Followed): Promise<void> {
    const now = await this.presence.present(followed.watchable);
    if (this.#followed.get(followed.watchable.key) !== followed) return;
    const { before } = followed;
    followed.before = now;
    const { joins, leaves } = presenceDiff(before?.viewers ?? [], now.viewers);
    // The first reading tells the count alone: nobody has joined because we began to look.
    if (!before) followed.tell({ count: now.count, joins: [], leaves: [] });
    else if (joins.length > 0 || leaves.length > 0 || now.count !== before.count)
      followed.tell({ count: now.count, joins, leaves });
  }
}

function busChannel(key: string): string {
  return `presence:${key}`;
}
