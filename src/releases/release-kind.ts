import type { ProcessContext, ProcessKind } from '../kernel/kind.js';
import type { BusPort } from '../kernel/ports/bus.js';
import { nextRollout, RELEASES, RELEASES_CHANNEL, type Rollout } from './release.js';

export interface ReleaseKindParts {
  readonly bus: BusPort;
  /** Versions of all nodes that live, those that are leaving too: viewers are on them still. */
  versions(): readonly string[];
  /** Calls back when nodes came or went. Returns the way to stop that. */
  onNodes(listen: () => void): () => void;
}

/** Word of the watching process to all nodes. */
export interface Word {
  readonly rollout: Rollout;
  /** The version has just become this one: also those are told of whom nobody knows which they have. */
  readonly news: boolean;
}

/**
 * The one process in the cluster that watches which versions run. What it knows is saved before it is told, so that a
 * takeover neither tells it twice nor forgets it; every node is told again whenever a node comes or goes, for the new one
 * does not know it yet.
 */
export function releaseKind(parts: ReleaseKindParts): ProcessKind<object, object, Rollout | null, Rollout> {
  return {
    kind: RELEASES,
    restart: 'permanent',
    start(_args, context) {
      const watch = new Watch(parts, context);
      const unlisten = parts.onNodes(() => watch.look());
      watch.look();
      return { done: watch.failed, handle: () => watch.known, stop: unlisten };
    },
  };
}

class Watch {
  known: Rollout | null;
  /** Rejects when what is known cannot be kept. */
  readonly failed: Promise<void>;
  #fail!: (error: unknown) => void;
  #turn: Promise<void> = Promise.resolve();

  constructor(
    private readonly parts: ReleaseKindParts,
    private readonly context: ProcessContext<Rollout>,
  ) {
    this.known = context.saved;
    this.failed = new Promise((_resolve, reject) => (this.#fail = reject));
  }

  /** Looks after the look before has ended: what is saved and told keeps its order. */
  look(): void {
    this.#turn = this.#turn.then(() => this.#look()).catch(this.#fail);
  }

  async #look(): Promise<void> {
    const { context, parts } = this;
    if (!context.owns()) return;
    const last = this.known;
    const next = nextRollout(last, parts.versions(), context.clock.now());
    if (next === null) return;
    if (next !== last) await context.save(next);
    this.known = next;
    const news = last !== null && next.release !== last.release;
    if (news) context.log.info({ release: next.release, before: last.release?.version }, 'a release is rolled out');
    if (!context.owns()) return;
    // Not heard: whoever missed it asks when the link is back.
    await parts.bus.publish(RELEASES_CHANNEL, JSON.stringify({ rollout: next, news } satisfies Word)).catch(() => 0);
  }
}
