import type { Clock, Timer } from '../kernel/clock.js';
import type { Logger } from '../kernel/log.js';
import type { Member } from './room-state.js';

export interface RollParts {
  readonly clock: Clock;
  /** How long somebody may be gone before they have left: a refresh, or another node, is no leave. */
  readonly lingerMs: number;
  /** Whoever is connected now, one entry for each window. */
  present(): Promise<readonly Member[]>;
  /** The members, as far as is known. */
  known(): readonly Member[];
  /** Must not throw, as all of these. */
  join(member: Member): void;
  leave(user: string): void;
  /** The roll was called to its end. */
  settled(): void;
  readonly log: Logger;
}

const RETRY_MS = 250;

/**
 * Calls the roll: compares who is connected with who is known to be in. One reading at a time; what happened while one
 * was under way makes it void, and it is read again.
 */
export class Roll {
  /** Members without a window, and when (monotonic ms) they will have left. */
  readonly #missing = new Map<string, number>();
  /** Those who said goodbye: no reason to wait for them. */
  readonly #goodbyes = new Set<string>();
  #present = 0;
  #wanted = false;
  #calling = false;
  #closed = false;
  #timer: Timer | null = null;

  constructor(private readonly parts: RollParts) {}

  /** Windows, when they were counted last. */
  get size(): number {
    return this.#present;
  }

  /** Somebody is here for certain. */
  came(user: string): void {
    this.#missing.delete(user);
    this.#goodbyes.delete(user);
    this.#present += 1;
  }

  goodbye(user: string): void {
    this.#goodbyes.add(user);
    this.call();
  }

  call(): void {
    this.#wanted = true;
    if (this.#calling || this.#closed) return;
    void this.#call();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  async #call(): Promise<void> {
    this.#calling = true;
    while (this.#wanted && !this.#closed) {
      this.#wanted = false;
      try {
        const present = await this.parts.present();
        if (!this.#wanted && !this.#closed) this.#compare(present);
      } catch (error) {
        this.parts.log.debug({ err: error }, 'the holds of a room could not be read');
        this.#again(RETRY_MS);
        break;
      }
    }
    // In the same turn as the last look: whoever calls now begins anew.
    this.#calling = false;
  }

  #compare(present: readonly Member[]): void {
    const { parts } = this;
    const now = parts.clock.monotonic();
    const here = new Set(present.map(({ user }) => user));
    this.#present = present.length;
    const members = new Set(parts.known().map(({ user }) => user));
    for (const member of present) {
      this.#missing.delete(member.user);
      if (members.has(member.user)) continue;
      members.add(member.user);
      parts.join(member);
    }
    for (const user of members) {
      if (here.has(user)) continue;
      const until = this.#goodbyes.has(user) ? now : (this.#missing.get(user) ?? now + parts.lingerMs);
      this.#missing.set(user, until);
      if (until > now) continue;
      this.#missing.delete(user);
      parts.leave(user);
    }
    this.#goodbyes.clear();
    const next = Math.min(...this.#missing.values());
    if (next < Infinity) this.#again(next - now);
    parts.settled();
  }

  #again(ms: number): void {
    this.#timer?.cancel();
    this.#timer = this.parts.clock.after(ms, () => this.call());
  }
}
