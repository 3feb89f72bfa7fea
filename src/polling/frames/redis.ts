import type { RedisPorts } from '../../kernel/redis/cluster.js';
import { loadScripts, ScriptRunner, unavailable } from '../../kernel/redis/connection.js';
import type { Unsubscribe } from '../../kernel/ports/bus.js';
import {
  isNewer,
  type ChannelState,
  type Findings,
  type Frame,
  type FrameHead,
  type FramePosition,
  type FrameStore,
  type FrameStoreOptions,
  type Round,
  type StatusChange,
  type StoredFrame,
} from './frames.js';
import { follows, MAX_LOG_FRAMES } from './memory.js';
import { Netstrings } from './netstrings.js';

const scripts = loadScripts(new URL('../scripts/', import.meta.url));
/** Beyond this many arguments Lua's stack and Redis's patience are in danger. */
const CHANNELS_PER_CALL = 1_000;
const AFTER_PAGE = 64;

/** Frames in Redis. A poller's keys share a hash tag, so that pollers spread over a Redis Cluster. */
export class RedisFrames implements FrameStore {
  readonly #scripts: ScriptRunner;

  constructor(private readonly ports: RedisPorts) {
    this.#scripts = new ScriptRunner(ports.client, scripts);
  }

  get up(): boolean {
    return this.ports.subscriber.up;
  }

  async open(poller: string, fence: number): Promise<boolean> {
    return (await this.#scripts.run('open', [this.#keys(poller).meta], [fence])) === 1;
  }

  async publish(
    poller: string,
    fence: number,
    findings: Findings,
    options: FrameStoreOptions,
  ): Promise<FramePosition[] | null> {
    const positions: FramePosition[] = [];
    const most = Math.max(findings.changed.length, findings.statuses.length);
    for (let at = 0; at === 0 || at < most; at += CHANNELS_PER_CALL) {
      const changed = findings.changed.slice(at, at + CHANNELS_PER_CALL);
      const statuses = findings.statuses.slice(at, at + CHANNELS_PER_CALL);
      const told = await this.#publish(poller, fence, { ...findings, changed, statuses }, options);
      if (!told) return null;
      positions.push(...told);
    }
    return positions;
  }

  async #publish(
    poller: string,
    fence: number,
    findings: Findings,
    options: FrameStoreOptions,
  ): Promise<FramePosition[] | null> {
    const keys = this.#keys(poller);
    const args: (string | number)[] = [
      fence,
      findings.polledAt,
      options.retainMs,
      MAX_LOG_FRAMES,
      keys.logs,
      findings.changed.length,
    ];
    for (const { channel, hash, mark, above, rows } of findings.changed)
      args.push(channel, hash, encodeMark(mark), above ? `${above.epoch} ${above.seq}` : '', rows);
    for (const status of findings.statuses) args.push(status.channel, JSON.stringify(status));
    const flat = (await this.#scripts.run('publish', [keys.meta, keys.frames, keys.statuses, keys.rounds], args)) as
      string[] | null;
    return flat && findings.changed.map((_, i) => ({ epoch: Number(flat[2 * i]), seq: Number(flat[2 * i + 1]) }));
  }

  async forget(poller: string, fence: number, channels: readonly string[]): Promise<boolean> {
    const keys = this.#keys(poller);
    const logs = channels.map((channel) => keys.logs + channel);
    return (
      (await this.#scripts.run('forget', [keys.meta, keys.frames, keys.statuses, ...logs], [fence, ...channels])) === 1
    );
  }

  async newest(poller: string, channel: string): Promise<StoredFrame | null> {
    const text = await this.#ask((client) => client.hget(this.#keys(poller).frames, channel));
    return text === null ? null : stored(channel, text);
  }

  async all(poller: string): Promise<StoredFrame[]> {
    const hash = await this.#ask((client) => client.hgetall(this.#keys(poller).frames));
    return Object.entries(hash).map(([channel, text]) => stored(channel, text));
  }

  async heads(poller: string): Promise<Map<string, FrameHead>> {
    const keys = this.#keys(poller);
    const [frames, statuses, polledAt] = await this.#ask((client) =>
      Promise.all([client.hgetall(keys.frames), client.hgetall(keys.statuses), client.hget(keys.meta, 'polledAt')]),
    );
    const heads = new Map<string, FrameHead>();
    for (const [channel, text] of Object.entries(frames)) {
      const { epoch, seq, polledAt: changedAt } = stored(channel, text);
      const status = statuses[channel];
      const state: ChannelState = status ? (JSON.parse(status) as StatusChange).state : 'live';
      heads.set(channel, { epoch, seq, changedAt, polledAt: Math.max(changedAt, Number(polledAt)), state });
    }
    return heads;
  }

  async history(poller: string, channel: string, from: number, to: number, limit: number): Promise<Frame[]> {
    const key = this.#keys(poller).logs + channel;
    const entries = await this.#ask((client) => client.xrevrange(key, streamId(to), streamId(from), 'COUNT', limit));
    return entries.reverse().map((entry) => logged(channel, entry));
  }

  async after(poller: string, channel: string, position: FramePosition): Promise<Frame[] | null> {
    const key = this.#keys(poller).logs + channel;
    const frames: Frame[] = [];
    // From the end, page by page: most often only the last few were missed.
    for (let end = '+'; ;) {
      const entries = await this.#ask((client) => client.xrevrange(key, end, '-', 'COUNT', AFTER_PAGE));
      for (const entry of entries) {
        const frame = logged(channel, entry);
        if (isNewer(frame, position)) frames.push(frame);
        else end = '';
      }
      const last = entries.at(-1);
      if (end === '' || !last || entries.length < AFTER_PAGE) break;
      end = `(${last[0]}`;
    }
    frames.reverse();
    const [first] = frames;
    return first && follows(first, position) ? frames : null;
  }

  async drop(poller: string, fence: number): Promise<void> {
    const keys = this.#keys(poller);
    await this.#scripts.run('drop', [keys.meta, keys.frames, keys.statuses], [fence, keys.logs]);
  }

  subscribe(poller: string, handle: (round: Round) => void): Promise<Unsubscribe> {
    return this.ports.subscriber.subscribe(this.#keys(poller).rounds, (message) => handle(readRound(message)));
  }

  onLink(listen: (up: boolean) => void): () => void {
    return this.ports.subscriber.onLink(listen);
  }

  #keys(poller: string) {
    const tag = `{${this.ports.prefix}:${poller}}`;
    return {
      meta: `${tag}:meta`,
      frames: `${tag}:frames`,
      statuses: `${tag}:statuses`,
      rounds: `${tag}:rounds`,
      logs: `${tag}:log:`,
    };
  }

  async #ask<T>(question: (client: RedisPorts['client']) => Promise<T>): Promise<T> {
    try {
      return await question(this.ports.client);
    } catch (error) {
      throw unavailable(error);
    }
  }
}

/** Ms as the time part of a stream's ids, which takes no fractions, signs or exponents. */
function streamId(ms: number): string {
  return String(Math.min(Math.max(0, Math.floor(ms)), Number.MAX_SAFE_INTEGER));
}

/** The head is split at spaces and ends at a newline: a mark, which may be any text, must have neither. */
function encodeMark(mark: string | undefined): string {
  return mark === undefined ? '' : `=${encodeURIComponent(mark)}`;
}

function stored(channel: string, text: string): StoredFrame {
  const end = text.indexOf('\n');
  const [epoch, seq, polledAt, hash = '', mark = ''] = text.slice(0, end).split(' ');
  return {
    channel,
    epoch: Number(epoch),
    seq: Number(seq),
    polledAt: Number(polledAt),
    hash,
    mark: mark === '' ? undefined : decodeURIComponent(mark.slice(1)),
    rows: text.slice(end + 1),
  };
}

function logged(channel: string, [, fields]: [string, string[]]): Frame {
  const [, epoch, , seq, , polledAt, , rows = '[]'] = fields;
  return { channel, epoch: Number(epoch), seq: Number(seq), polledAt: Number(polledAt), rows };
}

export function readRound(message: Buffer): Round {
  const parts = new Netstrings(message);
  const fence = parts.number();
  const polledAt = parts.number();
  const frames: Frame[] = [];
  for (let left = parts.number(); left > 0; left--) {
    frames.push({ channel: parts.text(), epoch: parts.number(), seq: parts.number(), polledAt, rows: parts.text() });
  }
  const statuses: StatusChange[] = [];
  while (!parts.ended) {
    parts.text();
    statuses.push(JSON.parse(parts.text()) as StatusChange);
  }
  return { fence, polledAt, frames, statuses };
}
