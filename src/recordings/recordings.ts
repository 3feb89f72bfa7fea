import { randomBytes } from 'node:crypto';
import { PollcastError } from '../errors.js';
import { sleep } from '../kernel/clock.js';
import type { Kernel } from '../kernel/kernel.js';
import type { Library } from './library.js';
import type { PoolMessage } from './pool.js';
import { POOL_KIND, POOL_NAME, type EndReason, type Recording, type RecordingArgs } from './recording.js';

const SPEC = { name: POOL_NAME, kind: POOL_KIND, args: {} };
const TRIES = 5;
const AGAIN_MS = 100;
/** A node that hangs with the pool on it is waited for as long as its lease lasts. All that is asked may arrive twice. */
const CALL = { idempotent: true, timeoutMs: 10_000 };

/** All recordings of the cluster, from any node: those under way, of which the pool knows, and those that are over. */
export class Recordings {
  constructor(
    private readonly kernel: Pick<Kernel, 'hold' | 'unhold' | 'call' | 'processes' | 'clock'>,
    private readonly library: Library,
  ) {}

  start(asked: Omit<RecordingArgs, 'id' | 'requestedAt'>): Promise<Recording> {
    const args = { ...asked, id: randomBytes(8).toString('hex'), requestedAt: this.kernel.clock.now() };
    return this.#ask<Recording>({ do: 'start', args });
  }

  /** Rejects with `NOT_FOUND`; one that is over already is returned as it is. */
  async stop(id: string, reason: EndReason): Promise<Recording> {
    try {
      const stopped = await this.#askIfThere<Recording>({ do: 'stop', id, reason });
      if (stopped) return stopped;
    } catch (error) {
      if (!(error instanceof PollcastError) || error.code !== 'NOT_FOUND') throw error;
    }
    return this.#kept(id);
  }

  /** Newest first. `owner` absent: everybody's. */
  async list(owner?: string): Promise<Recording[]> {
    const current = await this.#current();
    const ids = new Set(current.map(({ id }) => id));
    const over = (await this.library.list(owner)).filter(({ id }) => !ids.has(id));
    const mine = current.filter((recording) => owner === undefined || recording.owner === owner);
    return [...mine, ...over].sort((a, b) => b.requestedAt - a.requestedAt);
  }

  /** Rejects with `NOT_FOUND`. */
  async get(id: string): Promise<Recording> {
    return (await this.#current()).find((recording) => recording.id === id) ?? this.#kept(id);
  }

  async #current(): Promise<Recording[]> {
    return (await this.#askIfThere<Recording[]>({ do: 'list' })) ?? [];
  }

  async #kept(id: string): Promise<Recording> {
    const kept = await this.library.get(id);
    if (kept) return kept;
    throw new PollcastError('NOT_FOUND', 'There is no such recording.');
  }

  /** For what makes sense only while there is a pool; `null`: there is none. */
  async #askIfThere<R>(message: PoolMessage): Promise<R | null> {
    const there = (await this.kernel.processes()).some(({ name }) => name === POOL_NAME);
    return there ? this.#ask<R>(message) : null;
  }

  /**
   * The pool ends when it has nothing to do, perhaps just now. Held meanwhile, it does not, or begins anew: otherwise the
   * question would wait for a process that nobody starts.
   */
  async #ask<R>(message: PoolMessage): Promise<R> {
    const ref = `ask:${randomBytes(8).toString('hex')}`;
    await this.kernel.hold(SPEC, ref);
    try {
      return await this.#insist<R>(message);
    } finally {
      await this.kernel.unhold(POOL_NAME, ref);
    }
  }

  /** Asked twice it does the same. */
  async #insist<R>(message: PoolMessage): Promise<R> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.kernel.call<R>(POOL_NAME, message, CALL);
      } catch (error) {
        // It crashed over it, or lost its name while it saved.
        const passing = error instanceof PollcastError && (error.code === 'CONFLICT' || error.details !== undefined);
        if (!passing || tries === TRIES) throw error;
        await sleep(this.kernel.clock, AGAIN_MS);
      }
    }
  }
}
