import type { Logger } from '../log.js';
import type { Unsubscribe } from '../ports/bus.js';
import { connect, unavailable, type RedisClient } from './connection.js';

type Handle = (message: Buffer) => void;

/**
 * One connection that only listens: sharded subscriptions (Redis 7), shared by all who listen to the same channel.
 * After a break ioredis subscribes again by itself; what was said meanwhile is lost, and `onLink` tells so.
 */
export class RedisSubscriber {
  readonly #handlers = new Map<string, Set<Handle>>();
  readonly #listeners = new Set<(up: boolean) => void>();
  /** Settles when Redis has confirmed the subscription; shared by those who subscribe meanwhile. */
  readonly #pending = new Map<string, Promise<unknown>>();
  #up = true;
  #closed = false;

  private constructor(
    private readonly client: RedisClient,
    private readonly log: Logger,
  ) {
    client.on('smessageBuffer', (channel: Buffer, message: Buffer) => this.#dispatch(channel.toString(), message));
    client.on('close', () => this.#link(false));
    client.on('ready', () => this.#link(true));
  }

  static async open(url: string, name: string, log: Logger): Promise<RedisSubscriber> {
    const client = await connect({ url, name, commandTimeoutMs: 2_000, log, subscriber: true });
    return new RedisSubscriber(client, log);
  }

  get up(): boolean {
    return this.#up;
  }

  async subscribe(channel: string, handle: Handle): Promise<Unsubscribe> {
    const handlers = this.#handlers.get(channel) ?? new Set<Handle>();
    this.#handlers.set(channel, handlers);
    handlers.add(handle);
    try {
      if (handlers.size === 1) {
        const pending = this.client.ssubscribe(channel);
        this.#pending.set(channel, pending);
        await pending.finally(() => this.#pending.delete(channel));
      } else await this.#pending.get(channel);
    } catch (error) {
      this.#remove(channel, handle);
      throw unavailable(error);
    }
    return () => this.#unsubscribe(channel, handle);
  }

  onLink(listen: (up: boolean) => void): () => void {
    this.#listeners.add(listen);
    return () => this.#listeners.delete(listen);
  }

  close(): void {
    this.#closed = true;
    this.client.disconnect();
  }

  async #unsubscribe(channel: string, handle: Handle): Promise<void> {
    if (!this.#remove(channel, handle) || this.#closed) return;
    try {
      await this.client.sunsubscribe(channel);
      // Somebody subscribed again while Redis was told: his `ssubscribe` went first.
      if (this.#handlers.has(channel)) await this.client.ssubscribe(channel);
    } catch (error) {
      this.log.debug({ err: error, channel }, 'not unsubscribed');
    }
  }

  /** Whether that was the channel's last handler. */
  #remove(channel: string, handle: Handle): boolean {
    const handlers = this.#handlers.get(channel);
    if (!handlers?.delete(handle) || handlers.size > 0) return false;
    return this.#handlers.delete(channel);
  }

  #dispatch(channel: string, message: Buffer): void {
    for (const handle of [...(this.#handlers.get(channel) ?? [])]) {
      try {
        handle(message);
      } catch (error) {
        this.log.error({ err: error, channel }, 'a subscriber threw');
      }
    }
  }

  #link(up: boolean): void {
    if (this.#closed || up === this.#up) return;
    this.#up = up;
    for (const listen of [...this.#listeners]) listen(up);
  }
}

