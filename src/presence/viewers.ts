/** Who watches a channel, as viewers are told: one entry for a user, however many windows. */
export interface PresentUser {
  readonly user: string;
  /** Viewers (sockets) of this user. */
  readonly count: number;
  /** Wall clock ms when the first of them came. */
  readonly since: number;
}

/** What a node writes under presence for one channel: its viewers, and for topics that show them, by user. */
export interface NodePresence {
  readonly n: number;
  readonly users?: Readonly<Record<string, { readonly count: number; readonly since: number }>>;
}

/**
 * One node's viewers of one channel. Invariant: `users` counts exactly the viewers in `viewers`; no user with none.
 */
export class LocalViewers {
  readonly #viewers = new Map<string, string>();
  readonly #users = new Map<string, { count: number; since: number }>();

  get size(): number {
    return this.#viewers.size;
  }

  /** `false`: this viewer is there already. */
  join(viewer: string, user: string, now: number): boolean {
    if (this.#viewers.has(viewer)) return false;
    this.#viewers.set(viewer, user);
    const entry = this.#users.get(user);
    if (entry) entry.count += 1;
    else this.#users.set(user, { count: 1, since: now });
    return true;
  }

  leave(viewer: string): boolean {
    const user = this.#viewers.get(viewer);
    if (user === undefined) return false;
    this.#viewers.delete(viewer);
    const entry = this.#users.get(user);
    if (entry && --entry.count === 0) this.#users.delete(user);
    return true;
  }

  describe(withUsers: boolean): NodePresence {
    return withUsers ? { n: this.size, users: Object.fromEntries(this.#users) } : { n: this.size };
  }
}

/** All nodes' presence of a channel as one list, the earliest first. */
export function mergePresence(nodes: readonly NodePresence[]): { viewers: PresentUser[]; count: number } {
  const users = new Map<string, { count: number; since: number }>();
  let count = 0;
  for (const node of nodes) {
    count += node.n;
    for (const [user, entry] of Object.entries(node.users ?? {})) {
      const known = users.get(user);
      users.set(user, {
        count: (known?.count ?? 0) + entry.count,
        since: Math.min(known?.since ?? Infinity, entry.since),
      });
    }
  }
  const viewers = [...users].map(([user, entry]) => ({ user, ...entry }));
  viewers.sort((a, b) => a.since - b.since || (a.user < b.user ? -1 : 1));
  return { viewers, count };
}

/** Users who came and went between two lists. */
export function presenceDiff(
  before: readonly PresentUser[],
  after: readonly PresentUser[],
): { joins: string[]; leaves: string[] } {
  const had = new Set(before.map(({ user }) => user));
  const has = new Set(after.map(({ user }) => user));
  return { joins: [...has].filter((user) => !had.has(user)), leaves: [...had].filter((user) => !has.has(user)) };
}
