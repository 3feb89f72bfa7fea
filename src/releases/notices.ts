import type { Release, Rollout } from './release.js';
import type { Word } from './release-kind.js';

/** The part of a viewer's socket that is needed here. */
export interface Noticed {
  emit(event: 'release', release: Release): unknown;
}

const MAX_VERSION_LENGTH = 64;

/** The version that a client says it knows, of the `auth` of its handshake: of a stranger's making, it may be anything. */
export function saidVersion(auth: unknown): string | undefined {
  const { version } = (auth ?? {}) as { version?: unknown };
  return typeof version === 'string' && version.length <= MAX_VERSION_LENGTH ? version : undefined;
}

/**
 * The viewers of one node and which version each has been told of: what makes it exactly one notice each.
 *
 * A client says in its handshake the newest version that it knows: the one that it was built with, or has been told of
 * since. So one that moves between nodes during a rollout is told once, wherever it was, and one that was away is told on
 * its return. A client that says nothing is taken to know what this node knew when it came.
 */
export class Notices {
  #rollout: Rollout | null = null;
  readonly #known = new Map<Noticed, string | undefined>();

  add(socket: Noticed, said: string | undefined): void {
    this.#known.set(socket, said ?? this.#rollout?.release?.version);
    this.#offer(socket, false);
  }

  remove(socket: Noticed): void {
    this.#known.delete(socket);
  }

  learn({ rollout, news }: Word): void {
    if (this.#rollout !== null && rollout.revision <= this.#rollout.revision) return;
    this.#rollout = rollout;
    for (const socket of this.#known.keys()) this.#offer(socket, news);
  }

  #offer(socket: Noticed, news: boolean): void {
    const { release, rolling } = this.#rollout ?? { release: null, rolling: [] };
    if (release === null) return;
    const known = this.#known.get(socket);
    if (known === undefined ? news : known !== release.version && !rolling.includes(known))
      socket.emit('release', release);
    // One of a version that is on its way here waits for how the rollout ends.
    else if (known !== undefined) return;
    this.#known.set(socket, release.version);
  }
}
