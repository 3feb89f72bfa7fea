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

/** All recordings of the cluster, from any node: those under way, of which the pool knows, and those that are over. */
export class Recordings {
  constructor(
    private readonly kernel: Pick<Kernel, 'ensure' | 'call' | 'cast' | 'processes' | 'clock'>,
    private readonly library: Library,
  ) {}

  start(asked: Omit<RecordingArgs, 'id' | 'requestedAt'>): Promise<Recording> {
    const args = { ...asked, id: randomBytes(8).toString('hex'), requestedAt: this.kernel.clock.now() };
    return this.#insist<Recording>({ do: 'start', args });
  }

  /** Rejects with `NOT_FOUND`; one that is over already is returned as it is. */
  async stop(id: string, reason: EndReason): Promise<Recording> {
    if (await this.#isPoolThere()) {
      try {
        return await this.kernel.call<Recording>(POOL_NAME, { do: 'stop', id, reason } satisfies PoolMessage);
      } catch (error) {
        if (!(error instanceof PollcastError) || error.code !== 'NOT_FOUND') throw error;
      }
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
    if (!(await this.#isPoolThere())) return [];
    return this.kernel.call<Recording[]>(POOL_NAME, { do: 'list' } satisfies PoolMessage);
  }

  async #isPoolThere(): Promise<boolean> {
    return (await this.kernel.processes()).some(({ name }) => name === POOL_NAME);
  }

  async #kept(id: string): Promise<Recording> {
    const kept = await this.library.get(id);
    if (kept) return kept;
    throw new PollcastError('NOT_FOUND', 'There is no such recording.');
  }

  /** The pool ends when it has nothing to do, perhaps just now: then it is made anew. Asked twice it does the same. */
  async #insist<R>(message: PoolMessage): Promise<R> {
    for (let tries = 1; ; tries++) {
      try {
        await this.kernel.ensure(SPEC);
        return await this.kernel.call<R>(POOL_NAME, message);
      } catch (error) {
        const passing = error instanceof PollcastError && (error.code === 'CONFLICT' || error.details !== undefined);
        if (!passing || tries === TRIES) throw error;
        await sleep(this.kernel.clock, AGAIN_MS);
      }
    }
  }
}
