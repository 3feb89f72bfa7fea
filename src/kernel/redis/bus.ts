import type { Clock } from '../clock.js';
import type { NodeId } from '../identity.js';
import type { Logger } from '../log.js';
import type { BusPort, Unsubscribe } from '../ports/bus.js';
import { connect, unavailable, type RedisClient, type ScriptRunner } from './connection.js';
import type { KernelKeys } from './keys.js';
import type { RedisSubscriber } from './subscriber.js';

/** So soon that a dropped connection is back before anybody has seen its pulse missing twice. */
const PULSE_RECONNECT_MS = 5;

/** Messages over sharded pub/sub, and the pulse: a subscription on a connection of its own to which nobody publishes. */
export class RedisBus implements BusPort {
  #pulse: RedisClient | null = null;
  #pulseSince: number | null = null;

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

  async publish(channel: string, message: string): Promise<void> {
    try {
      await this.scripts.client.spublish(this.keys.channel(channel), message);
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
    const pulse = await connect({
      url: this.url,
      name: `pulse:${id}`,
      commandTimeoutMs: 2_000,
      reconnectMs: PULSE_RECONNECT_MS,
      log: this.log,
      subscriber: true,
    });
    this.#pulse = pulse;
    pulse.on('close', () => (this.#pulseSince = null));
    // ioredis subscribes again on `ready`; the first count that includes us tells that it is through.
    pulse.on('ready', () => (this.#pulseSince = this.clock.monotonic()));
    try {
      await pulse.ssubscribe(this.keys.pulse(id));
    } catch (error) {
      throw unavailable(error);
    }
    this.#pulseSince = this.clock.monotonic();
  }

  async pulses(ids: readonly NodeId[]): Promise<number[]> {
    if (ids.length === 0) return [];
    return (await this.scripts.run('pulses', ids.map((id) => this.keys.pulse(id)))) as number[];
  }

  pulseAgeMs(): number {
    return this.#pulseSince === null ? 0 : this.clock.monotonic() - this.#pulseSince;
  }

  close(): Promise<void> {
    this.#pulse?.disconnect();
    this.#pulseSince = null;
    return Promise.resolve();
  }
}
