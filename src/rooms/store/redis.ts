import { createHash } from 'node:crypto';
import type { Unsubscribe } from '../../kernel/ports/bus.js';
import type { RedisPorts } from '../../kernel/redis/cluster.js';
import { loadScripts, ScriptRunner, unavailable } from '../../kernel/redis/connection.js';
import type { RoomEvent } from '../room-state.js';
import { FEED_EVENTS, RECENT_EVENTS, type Commit, type FeedEntry, type RoomHead, type RoomStore } from './store.js';

const scripts = loadScripts(new URL('../scripts/', import.meta.url));

/** More than a Redis Cluster has masters, and few enough to look at all of them every second. Part of the keys: never to change. */
const PARTS = 16;

/**
 * Rooms in Redis. A commit writes the room and its part of the feed in one step, so that both share a hash tag: rooms are
 * dealt out over parts, each with a feed, a list of heads and a tag of its own, and the parts spread over a Redis Cluster.
 */
export class RedisRooms implements RoomStore {
  readonly #scripts: ScriptRunner;
  readonly #parts: readonly string[];

  constructor(private readonly ports: Pick<RedisPorts, 'client' | 'subscriber' | 'prefix'>) {
    this.#scripts = new ScriptRunner(ports.client, scripts);
    this.#parts = Array.from({ length: PARTS }, (_, part) => `{${ports.prefix}:rooms:${part}}`);
  }

  async open(room: string, fence: number): Promise<{ saved: string | null } | 'refused'> {
    const saved = (await this.#scripts.run('open', [this.#room(room)], [fence])) as string | null;
    return saved === null ? 'refused' : { saved: saved || null };
  }

  async commit(room: string, fence: number, { head, state, events, keepMs }: Commit): Promise<boolean> {
    const part = this.#partOf(room);
    const keys = [this.#room(room), this.#recent(room), headsOf(part), feedOf(part), this.#live(room), lobbyOf(part)];
    const keep = keepMs === null ? '' : Math.max(1, keepMs);
    const most = Math.ceil(FEED_EVENTS / PARTS);
    const args = [room, fence, head.version, state, JSON.stringify(head), keep, RECENT_EVENTS, most];
    for (const event of events) args.push(event.version, JSON.stringify(event));
    return (await this.#scripts.run('commit', keys, args)) === 1;
  }

  async recent(room: string, before: number, limit: number): Promise<RoomEvent[]> {
    // The first of all ids: Redis takes nothing before it for a mistake.
    if (before <= 0) return [];
    const end = `(${Math.min(before, Number.MAX_SAFE_INTEGER)}-0`;
    const entries = await this.#ask((client) => client.xrevrange(this.#recent(room), end, '-', 'COUNT', limit));
    return entries.reverse().map(eventOf);
  }

  async after(room: string, version: number): Promise<RoomEvent[]> {
    const entries = await this.#ask((client) => client.xrange(this.#recent(room), `(${version}-0`, '+'));
    return entries.map(eventOf);
  }

  async heads(): Promise<RoomHead[]> {
    return (await Promise.all(this.#parts.map((part) => this.#headsOf(part)))).flat();
  }

  async versions(rooms: readonly string[]): Promise<(number | null)[]> {
    const found = await this.#ask((client) =>
      Promise.all(rooms.map((room) => client.hget(this.#room(room), 'version'))),
    );
    return found.map((version) => (version === null ? null : Number(version)));
  }

  subscribe(room: string, handle: (events: RoomEvent[]) => void): Promise<Unsubscribe> {
    return this.ports.subscriber.subscribe(this.#live(room), (message) =>
      handle(JSON.parse(message.toString()) as RoomEvent[]),
    );
  }

  async follow(handle: (head: RoomHead) => void): Promise<Unsubscribe> {
    const listen = (message: Buffer): void => handle(JSON.parse(message.toString()) as RoomHead);
    const asked = this.#parts.map((part) => this.ports.subscriber.subscribe(lobbyOf(part), listen));
    const stops = (await Promise.allSettled(asked)).flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    const unsubscribe = async (): Promise<void> => {
      await Promise.all(stops.map((stop) => stop()));
    };
    if (stops.length === PARTS) return unsubscribe;
    await unsubscribe();
    // All or none: rejects with what the first one rejected with.
    return Promise.all(asked).then(() => unsubscribe);
  }

  async feed(limit: number): Promise<FeedEntry[]> {
    const most = Math.ceil(limit / PARTS);
    const parts = await this.#ask((client) =>
      Promise.all(this.#parts.map((part) => client.xrange(feedOf(part), '-', '+', 'COUNT', most))),
    );
    return parts.flatMap((entries, part) =>
      entries.map((entry) => ({ id: `${part}/${entry[0]}`, event: eventOf(entry) })),
    );
  }

  async confirm(entries: readonly FeedEntry[]): Promise<void> {
    // They come in order: the last one of a part is its newest.
    const last = new Map(entries.map(({ id }) => id.split('/') as [string, string]));
    await this.#ask((client) =>
      Promise.all(
        [...last].map(([part, id]) => {
          const [time = '0', nth = '0'] = id.split('-');
          return client.xtrim(feedOf(this.#parts[Number(part)] ?? ''), 'MINID', `${time}-${Number(nth) + 1}`);
        }),
      ),
    );
  }

  onLink(listen: (up: boolean) => void): () => void {
    return this.ports.subscriber.onLink(listen);
  }

  /** Those of rooms that are not kept any more are removed on the way. */
  async #headsOf(part: string): Promise<RoomHead[]> {
    const texts = await this.#ask((client) => client.hgetall(headsOf(part)));
    const versions = await this.versions(Object.keys(texts));
    const gone: string[] = [];
    const heads: RoomHead[] = [];
    for (const [i, [room, text]] of Object.entries(texts).entries()) {
      if (versions[i] === null) gone.push(room, text);
      else heads.push(JSON.parse(text) as RoomHead);
    }
    if (gone.length > 0) await this.#scripts.run('forget-heads', [headsOf(part)], gone);
    return heads;
  }

  #partOf(room: string): string {
    const [first = 0] = createHash('sha1').update(room).digest();
    return this.#parts[first % PARTS] as string;
  }

  #room(room: string): string {
    return `${this.#partOf(room)}:room:${room}`;
  }

  #recent(room: string): string {
    return `${this.#partOf(room)}:recent:${room}`;
  }

  #live(room: string): string {
    return `${this.#partOf(room)}:live:${room}`;
  }

  async #ask<T>(question: (client: RedisPorts['client']) => Promise<T>): Promise<T> {
    try {
      return await question(this.ports.client);
    } catch (error) {
      throw unavailable(error);
    }
  }
}

const headsOf = (part: string): string => `${part}:heads`;
const feedOf = (part: string): string => `${part}:feed`;
/** The channel of the heads of a part. */
const lobbyOf = (part: string): string => `${part}:lobby`;

function eventOf([, fields]: [string, string[]]): RoomEvent {
  return JSON.parse(fields[1] ?? '') as RoomEvent;
}
