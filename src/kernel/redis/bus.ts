import type { Clock } from '../clock.js';
import type { NodeId } from '../identity.js';
import type { Logger } from '../log.js';
import type { BusPort, Unsubscribe } from '../ports/bus.js';
import { unavailable, type ScriptRunner } from './connection.js';
import type { KernelKeys } from './keys.js';
import { RedisSubscriber } from './subscriber.js';

/** So soon that a dropped connection is back before anybody has seen its pulse missing twice. */
const PULSE_RECONNECT_MS = 5;

/** Messages over sharded pub/sub, and the pulse: a subscription on a connection of its own to which nobody publishes. */
export class RedisBus implements BusPort {
  #pulse: RedisSubscriber | null = null;
  #pulseSince: number | null = null;
  #closed = false;

  constructor(
    private readonly url: string,
    private readonly scripts: ScriptRunner,
    private readonly subscriber: RedisSubscriber,
    private readonly keys: KernelKeys,
    private readonly clock: Clock,
    private readonly log: Logger,
  ) {}

  get up(): boolean {
    return this.subscriber.up;
  }

  async publish(channel: string, message: string): Promise<number> {
    try {
      return Number(await this.scripts.client.spublish(this.keys.channel(channel), message));
    } catch (error) {
      throw unavailable(error);
    }
  }

  subscribe(channel: string, handle: (message: string) => void): Promise<Unsubscribe> {
    return this.subscriber.subscribe(this.keys.channel(channel), (message) => handle(message.toString()));
  }

  onLink(listen: (up: boolean) => void): () => void {
    return this.subscriber.onLink(listen);
  }

  async holdPulse(id: NodeId): Promise<void> {
    const pulse = await RedisSubscriber.open({
      url: this.url,
      name: `pulse:${id}`,
      reconnectMs: PULSE_RECONNECT_MS,
      log: this.log,
    });
    if (this.#closed) return pulse.close();
    this.#pulse = pulse;
    pulse.onLink((up) => (this.#pulseSince = up ? this.clock.monotonic() : null));
    await pulse.subscribe(this.keys.pulse(id), () => undefined);
    if (pulse.up) this.#pulseSince = this.clock.monotonic();
  }

  async pulses(ids: readonly NodeId[]): Promise<number[]> {
    if (ids.length === 0) return [];
    return (await this.scripts.run(
      'pulses',
      ids.map((id) => this.keys.pulse(id)),
    )) as number[];
  }

  pulseAgeMs(): number {
    return this.#pulseSince === null ? 0 : this.clock.monotonic() - this.#pulseSince;
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#pulse?.close();
    this.#pulseSince = null;
    return Promise.resolve();
  }
}
