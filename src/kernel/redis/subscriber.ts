import type { Logger } from '../log.js';
import type { Unsubscribe } from '../ports/bus.js';
import { connect, unavailable, type RedisClient } from './connection.js';

type Handle = (message: Buffer) => void;

const RETRY_MS = 50;

export interface SubscriberOptions {
  readonly url: string;
  /** Its name in Redis's list of clients. */
  readonly name: string;
  readonly log: Logger;
  readonly reconnectMs?: number;
}

/**
 * One connection that only listens: sharded subscriptions (Redis 7), shared by all who listen to the same channel.
 *
 * After a break it subscribes again by itself, and `up` only when Redis has confirmed every channel: a connection that
 * is merely ready hears nothing yet. (ioredis could do it too, but does not tell when it is through, and leaves a
 * rejected promise behind when it fails.) What was said meanwhile is lost, and `onLink` tells so.
 */
export class RedisSubscriber {
  readonly #handlers = new Map<string, Set<Handle>>();
  readonly #listeners = new Set<(up: boolean) => void>();
  /** Settles when Redis has confirmed the subscription; shared by those who subscribe meanwhile. */
  readonly #pending = new Map<string, Promise<unknown>>();
  /** Rises with every break: an attempt that began before one is void. */
  #breaks = 0;
  #up = true;
  #closed = false;

  private constructor(
    private readonly client: RedisClient,
    private readonly log: Logger,
  ) {
    client.on('smessageBuffer', (channel: Buffer, message: Buffer) => this.#dispatch(channel.toString(), message));
    client.on('close', () => this.#broken());
    client.on('ready', () => void this.#recover());
    // A Redis Cluster listens on connections of its own, one per shard, and says so by these.
    client.on('-subscriber', () => this.#broken());
    client.on('subscribersReady', () => void this.#recover());
  }

  static async open({ url, name, log, reconnectMs }: SubscriberOptions): Promise<RedisSubscriber> {
    const client = await connect({ url, name, commandTimeoutMs: 2_000, reconnectMs, log, subscriber: true });
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

  #broken(): void {
    this.#breaks += 1;
    this.#link(false);
  }

  /** Subscribes to everything again, until Redis has confirmed all of it or the connection breaks once more. */
  async #recover(): Promise<void> {
    if (this.#up) return;
    const since = this.#breaks;
    const current = (): boolean => since === this.#breaks && !this.#closed && !this.#up;
    while (current()) {
      try {
        await Promise.all([...this.#handlers.keys()].map((channel) => this.client.ssubscribe(channel)));
        if (current()) this.#link(true);
      } catch (error) {
        this.log.debug({ err: error }, 'not subscribed again yet');
        await new Promise((wake) => setTimeout(wake, RETRY_MS));
      }
    }
  }

  async #unsubscribe(channel: string, handle: Handle): Promise<void> {
    if (!this.#remove(channel, handle) || this.#closed) return;
    try {
      // Who subscribes again meanwhile asks after this one on the same connection, and so comes last.
      await this.client.sunsubscribe(channel);
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
    for (const listen of [...this.#listeners]) {
      try {
        listen(up);
      } catch (error) {
        this.log.error({ err: error, up }, 'a listener to the link threw');
      }
    }
  }
}
