import { systemClock } from '../../src/kernel/clock.js';
import { newNodeId } from '../../src/kernel/identity.js';
import { silent } from '../../src/kernel/log.js';
import { connect, loadScripts, ScriptRunner, type RedisClient } from '../../src/kernel/redis/connection.js';
import { kernelKeys } from '../../src/kernel/redis/keys.js';
import { RedisLeases } from '../../src/kernel/redis/leases.js';
import { pause } from './faults.js';
import type { Recorder } from './recorder.js';

const EVERY_MS = 40;
/** As the hub's own. */
const LOCK_TIMEOUT_MS = 300;

/**
 * Takes leases of its own, one after the other, from the Redis that everything is done to, and writes down what it was
 * given: how long it took, how much time is left by its own account, and by Redis's.
 */
export class LeaseWitness {
  #open = true;
  #over: Promise<void> = Promise.resolve();

  private constructor(
    private readonly client: RedisClient,
    private readonly leases: RedisLeases,
    private readonly keys: ReturnType<typeof kernelKeys>,
    private readonly recorder: Recorder,
    private readonly leaseMs: number,
  ) {}

  static async start(port: number, prefix: string, leaseMs: number, recorder: Recorder): Promise<LeaseWitness> {
    const keys = kernelKeys(prefix);
    const url = `redis://127.0.0.1:${port}`;
    const client = await connect({ url, name: 'lease witness', commandTimeoutMs: LOCK_TIMEOUT_MS, log: silent });
    const runner = new ScriptRunner(client, loadScripts(new URL('../../src/kernel/scripts/', import.meta.url)));
    const leases = new RedisLeases([runner], newNodeId('witness'), keys, systemClock);
    const witness = new LeaseWitness(client, leases, keys, recorder, leaseMs);
    witness.#over = witness.#run();
    return witness;
  }

  async close(): Promise<void> {
    this.#open = false;
    await this.#over;
    this.client.disconnect();
  }

  async #run(): Promise<void> {
    for (let n = 0; this.#open; n++) {
      await this.#once(`witness${n}`);
      await pause(EVERY_MS);
    }
  }

  async #once(name: string): Promise<void> {
    const began = performance.now();
    try {
      const grant = await this.leases.acquire(name, this.leaseMs);
      const left = (): number =>
        grant === null ? 0 : Math.min(grant.untilMono - systemClock.monotonic(), grant.untilWall - systemClock.now());
      const [tookMs, leftMs] = [performance.now() - began, left()];
      this.recorder.note({ kind: 'grant', name, tookMs, leftMs: grant === null ? null : leftMs });
      if (grant === null) return;
      // Asked before it is looked at again: Redis must not have forgotten what we still trust in.
      const storedMs = await this.client.pttl(this.keys.lease(name));
      this.recorder.note({ kind: 'kept', name, storedMs, leftMs: left() });
      await this.leases.release(grant);
    } catch {
      // In doubt it is not given: that is the promise.
      this.recorder.note({ kind: 'grant', name, tookMs: performance.now() - began, leftMs: null });
    }
  }
}
