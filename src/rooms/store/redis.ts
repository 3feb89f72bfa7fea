import type { Unsubscribe } from '../../kernel/ports/bus.js';
import type { RedisPorts } from '../../kernel/redis/cluster.js';
import { loadScripts, ScriptRunner, unavailable } from '../../kernel/redis/connection.js';
import type { RoomEvent } from '../room-state.js';
import { FEED_EVENTS, RECENT_EVENTS, type Commit, type FeedEntry, type RoomHead, type RoomStore } from './store.js';

const scripts = loadScripts(new URL('../scripts/', import.meta.url));

/**
 * Rooms in Redis. One hash tag for all of them: the feed is one for all rooms, and a commit writes both in one step. In a
 * Redis Cluster rooms therefore live on one shard.
 */
export class RedisRooms implements RoomStore {
  readonly #scripts: ScriptRunner;
  readonly #tag: string;

  constructor(private readonly ports: RedisPorts) {
    this.#scripts = new ScriptRunner(ports.client, scripts);
    this.#tag = `{${ports.prefix}:rooms}`;
  }

  async open(room: string, fence: number): Promise<{ saved: string | null } | 'refused'> {
    const saved = (await this.#scripts.run('open', [this.#room(room)], [fence])) as string | null;
    return saved === null ? 'refused' : { saved: saved || null };
  }

  async commit(room: string, fence: number, { head, state, events, keepMs }: Commit): Promise<boolean> {
    const keys = [
      this.#room(room),
      this.#recent(room),
      this.#heads,
      this.#feed,
      this.#channel(room),
      this.#channel(''),
    ];
    const keep = keepMs === null ? '' : Math.max(1, keepMs);
    const args = [room, fence, head.version, state, JSON.stringify(head), keep, RECENT_EVENTS, FEED_EVENTS];
    for (const event of events) args.push(event.version, JSON.stringify(event));
    return (await this.#scripts.run('commit', keys, args)) === 1;
  }

  async recent(room: string, before: number, limit: number): Promise<RoomEvent[]> {
    const end = `(${Math.min(before, Number.MAX_SAFE_INTEGER)}-0`;
    const entries = await this.#ask((client) => client.xrevrange(this.#recent(room), end, '-', 'COUNT', limit));
    return entries.reverse().map(eventOf);
  }

  async after(room: string, version: number): Promise<RoomEvent[]> {
    const entries = await this.#ask((client) => client.xrange(this.#recent(room), `(${version}-0`, '+'));
    return entries.map(eventOf);
  }

  async heads(): Promise<RoomHead[]> {
    const texts = await this.#ask((client) => client.hgetall(this.#heads));
    const versions = await this.versions(Object.keys(texts));
    const gone: string[] = [];
    const heads: RoomHead[] = [];
    for (const [i, [room, text]] of Object.entries(texts).entries()) {
      if (versions[i] === null) gone.push(room, text);
      else heads.push(JSON.parse(text) as RoomHead);
    }
    if (gone.length > 0) await this.#scripts.run('forget-heads', [this.#heads], gone);
    return heads;
  }

  async versions(rooms: readonly string[]): Promise<(number | null)[]> {
    const found = await this.#ask((client) =>
      Promise.all(rooms.map((room) => client.hget(this.#room(room), 'version'))),
    );
    return found.map((version) => (version === null ? null : Number(version)));
  }

  subscribe(room: string, handle: (events: RoomEvent[]) => void): Promise<Unsubscribe> {
    return this.ports.subscriber.subscribe(this.#channel(room), (message) =>
      handle(JSON.parse(message.toString()) as RoomEvent[]),
    );
  }

  follow(handle: (head: RoomHead) => void): Promise<Unsubscribe> {
    return this.ports.subscriber.subscribe(this.#channel(''), (message) =>
      handle(JSON.parse(message.toString()) as RoomHead),
    );
  }

  async feed(limit: number): Promise<FeedEntry[]> {
    const entries = await this.#ask((client) => client.xrange(this.#feed, '-', '+', 'COUNT', limit));
    return entries.map((entry) => ({ id: entry[0], event: eventOf(entry) }));
  }

  async confirm(id: string): Promise<void> {
    const [time = '0', nth = '0'] = id.split('-');
    await this.#ask((client) => client.xtrim(this.#feed, 'MINID', `${time}-${Number(nth) + 1}`));
  }

  onLink(listen: (up: boolean) => void): () => void {
    return this.ports.subscriber.onLink(listen);
  }

  get #heads(): string {
    return `${this.#tag}:heads`;
  }

  get #feed(): string {
    return `${this.#tag}:feed`;
  }

  #room(room: string): string {
    return `${this.#tag}:room:${room}`;
  }

  #recent(room: string): string {
    return `${this.#tag}:recent:${room}`;
  }

  /** Ids of rooms are never empty: that is the heads' channel. */
  #channel(room: string): string {
    return `${this.#tag}:live:${room}`;
  }

  async #ask<T>(question: (client: RedisPorts['client']) => Promise<T>): Promise<T> {
    try {
      return await question(this.ports.client);
    } catch (error) {
      throw unavailable(error);
    }
  }
}

function eventOf([, fields]: [string, string[]]): RoomEvent {
  return JSON.parse(fields[1] ?? '') as RoomEvent;
}
