import { createHash } from 'node:crypto';

/** How long it is remembered what crashed a room, in ms. */
const MEMORY_MS = 60_000;
/** Crashes of a room within that time, after which none of its changes may crash it any more. */
const PATIENCE = 3;

/**
 * Changes that crashed rooms of this node. The first crash of a change is the supervisor's; when the same one fails again
 * it is refused. A room that crashes over and over, by ever other changes, gets no more crashes: else the supervisor
 * would give it up, and everybody in it would suffer.
 */
export class Offenders {
  readonly #crashes = new Map<string, Map<string, number>>();

  /** A change has just failed. Returns whether the room may crash of it; else it is to be refused. `now`: monotonic ms. */
  mayCrash(room: string, change: unknown, now: number): boolean {
    const crashes = this.#recent(room, now);
    const digest = createHash('sha1').update(JSON.stringify(change)).digest('base64');
    if (crashes.has(digest) || crashes.size >= PATIENCE) return false;
    crashes.set(digest, now);
    this.#crashes.set(room, crashes);
    return true;
  }

  #recent(room: string, now: number): Map<string, number> {
    for (const [name, crashes] of this.#crashes) {
      for (const [digest, at] of crashes) if (now - at > MEMORY_MS) crashes.delete(digest);
      if (crashes.size === 0) this.#crashes.delete(name);
    }
    return this.#crashes.get(room) ?? new Map<string, number>();
  }
}
