import { randomUUID } from 'node:crypto';
import { PollcastError } from '../errors.js';
import { sleep, systemClock } from '../kernel/clock.js';
import type { Logger } from '../kernel/log.js';
import type { ClusterPorts } from '../kernel/ports/cluster.js';

/** Something that a node cannot do its work without. */
export interface HealthCheck {
  /** As the reason of a 503: `database: …`. */
  readonly name: string;
  /** Rejects when it is not well. */
  run(): Promise<void>;
}

const CHECK_MS = 2_000;
/** Less than a check may take, so that its reason is the one that is told. */
const CANARY_MS = 1_500;

/**
 * Whether this node should be sent viewers: it does not leave, and what it needs answers. A node that is not ready
 * lives all the same, and keeps those viewers that it has.
 */
export class Readiness {
  #looking: Promise<string[]> | null = null;

  /** @param leaving whether the node takes leave of its cluster */
  constructor(
    private readonly checks: readonly HealthCheck[],
    private readonly leaving: () => boolean,
    private readonly log: Logger,
    private readonly checkMs = CHECK_MS,
  ) {}

  /** Why not; empty when it is ready. Who asks while it looks shares the answer. */
  reasons(): Promise<string[]> {
    this.#looking ??= this.#look().finally(() => (this.#looking = null));
    return this.#looking;
  }

  async #look(): Promise<string[]> {
    if (this.leaving()) return ['draining'];
    const reasons = (await Promise.all(this.checks.map((check) => this.#run(check)))).filter(
      (reason) => reason !== null,
    );
    // It may have begun to leave while it was looking.
    return this.leaving() ? ['draining'] : reasons;
  }

  async #run(check: HealthCheck): Promise<string | null> {
    try {
      await within(this.checkMs, check.run(), `no answer within ${this.checkMs} ms`);
      return null;
    } catch (error) {
      this.log.debug({ err: error, check: check.name }, 'not ready');
      // Anybody may ask: a driver's own words, which name hosts, stay in the log.
      return `${check.name}: ${error instanceof PollcastError ? error.message : 'does not answer'}`;
    }
  }
}

/** Rejects with `UNAVAILABLE` and `late` when `work` takes longer than `ms`. */
async function within(ms: number, work: Promise<void>, late: string): Promise<void> {
  const done = new AbortController();
  const timeout = sleep(systemClock, ms, done.signal).then(() => {
    if (!done.signal.aborted) throw new PollcastError('UNAVAILABLE', late);
  });
  try {
    await Promise.race([work, timeout]);
  } finally {
    done.abort();
  }
}

/** The cluster's store answers, and messages can arrive. */
export function clusterCheck({ store, bus }: ClusterPorts): HealthCheck {
  return {
    name: 'cluster',
    run: async () => {
      await store.time();
      if (!bus.up) throw new PollcastError('UNAVAILABLE', 'messages do not arrive');
    },
  };
}

/**
 * A canary: a message to ourselves goes the way of all messages and comes back. Finds what every single part's
 * answer hides, such as a subscription that the server has forgotten.
 */
export function canaryCheck({ node, bus }: ClusterPorts): HealthCheck {
  const channel = `canary:${node}`;
  const awaited = new Map<string, () => void>();
  let subscribed: Promise<unknown> | null = null;
  return {
    name: 'canary',
    run: async () => {
      subscribed ??= bus.subscribe(channel, (message) => awaited.get(message)?.());
      try {
        await subscribed;
      } catch (error) {
        subscribed = null;
        throw error;
      }
      const token = randomUUID();
      const back = new Promise<void>((resolve) => awaited.set(token, resolve));
      try {
        await bus.publish(channel, token);
        await within(CANARY_MS, back, 'a message to this node itself did not arrive');
      } finally {
        awaited.delete(token);
      }
    },
  };
}
