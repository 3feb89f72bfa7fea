import type { RedisPorts } from '../../kernel/redis/cluster.js';
import { unavailable } from '../../kernel/redis/connection.js';
import type { RoomEvent } from '../room-state.js';
import type { Retention, RoomHistory } from './history.js';

/** The past in Redis, where no database may be written: a stream for each room, whose ids are the versions. */
export class RedisHistory implements RoomHistory {
  constructor(private readonly ports: Pick<RedisPorts, 'client' | 'prefix'>) {}

  async append(events: readonly RoomEvent[]): Promise<void> {
    for (const event of events) {
      await this.#ask(async (client) => {
        await client.sadd(this.#rooms, event.room);
        try {
          await client.xadd(this.#past(event.room), `${event.version}-0`, 'e', JSON.stringify(event), 't', event.at);
        } catch (error) {
          // An id that is not above the last one: it is there already.
          if (!/equal or smaller/.test(String(error))) throw error;
        }
      });
    }
  }

  async page(room: string, before: number, limit: number): Promise<RoomEvent[]> {
    // The first of all ids: Redis takes nothing before it for a mistake.
    if (before <= 0) return [];
    const end = before > Number.MAX_SAFE_INTEGER - 1 ? '+' : `(${before}-0`;
    const entries = await this.#ask((client) => client.xrevrange(this.#past(room), end, '-', 'COUNT', limit));
    return entries.map(([, fields]) => JSON.parse(fields[1] ?? '') as RoomEvent).reverse();
  }

  async prune({ maxAgeMs, maxEvents }: Retention, now: number): Promise<void> {
    const rooms = await this.#ask((client) => client.smembers(this.#rooms));
    for (const room of rooms) {
      const past = this.#past(room);
      await this.#ask(async (client) => {
        await client.xtrim(past, 'MAXLEN', maxEvents);
        for (;;) {
          const [oldest] = await client.xrange(past, '-', '+', 'COUNT', 1);
          if (!oldest) return void (await client.srem(this.#rooms, room));
          if (Number(oldest[1][3]) >= now - maxAgeMs) return;
          await client.xdel(past, oldest[0]);
        }
      });
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  get #rooms(): string {
    return `{${this.ports.prefix}:room-history}`;
  }

  /** A hash tag of its own: the past of rooms spreads over a Redis Cluster. */
  #past(room: string): string {
    return `{${this.ports.prefix}:room-history:${room}}`;
  }

  async #ask<T>(question: (client: RedisPorts['client']) => Promise<T>): Promise<T> {
    try {
      return await question(this.ports.client);
    } catch (error) {
      throw unavailable(error);
    }
  }
}
