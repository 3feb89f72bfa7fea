import { Redis } from 'ioredis';
import { leaseOwner, nodeName } from '../../src/kernel/identity.js';
import { kernelKeys, type KernelKeys } from '../../src/kernel/redis/keys.js';
import { readRound } from '../../src/polling/frames/redis.js';
import { nodeOf } from './chaos-viewer.js';
import type { ChaosEvent } from './history.js';

type Unstamped<E> = E extends ChaosEvent ? Omit<E, 'at'> & { at?: number } : never;

/**
 * Writes down what happens: every frame at every viewer, every accepted publish, fence and claim as Redis carries them out
 * (MONITOR), every statement as Postgres logs it.
 */
export class Recorder {
  readonly events: ChaosEvent[] = [];
  readonly #keys: KernelKeys;
  #monitor: Redis | null = null;
  #logAt = 0;
  #refused = 0;
  readonly #fences = new Map<string, number>();
  /** Who had each lease last. */
  readonly #holders = new Map<string, string>();

  constructor(
    private readonly prefix: string,
    private readonly topics: readonly string[],
  ) {
    this.#keys = kernelKeys(prefix);
  }

  /** Publishes that came too late, and were refused. */
  get refused(): number {
    return this.#refused;
  }

  note(event: Unstamped<ChaosEvent>): void {
    this.events.push({ ...event, at: event.at ?? Date.now() });
  }

  async watchRedis(port: number): Promise<void> {
    const client = new Redis({ port, host: '127.0.0.1', retryStrategy: () => 5, maxRetriesPerRequest: null });
    client.on('error', () => undefined);
    const monitor = await client.monitor();
    client.disconnect();
    monitor.on('error', () => undefined);
    monitor.on('monitor', (time: string, args: string[], source: string) =>
      this.#command(Number(time) * 1000, args, source === 'lua'),
    );
    this.#monitor = monitor;
  }

  close(): void {
    this.#monitor?.disconnect();
  }

  #command(at: number, args: readonly string[], scripted: boolean): void {
    if (!scripted) {
      // Lower than one that has published already: Redis will not take it.
      if (args[0]?.toLowerCase() === 'evalsha' && Number(args[7]) < (this.#fences.get(args[6] ?? '') ?? 0))
        this.#refused += 1;
      return;
    }
    const [command = '', key = ''] = args;
    switch (command.toLowerCase()) {
      case 'spublish':
      case 'publish':
        if (key.startsWith(`{${this.prefix}:poller:`) && key.endsWith(':rounds')) this.#round(at, key, args[2] ?? '');
        return;
      case 'hset':
        if (key.startsWith(this.#keys.processPrefix) && args[2] === 'node' && args[4] === 'fence') {
          const name = key.slice(this.#keys.processPrefix.length);
          this.note({ kind: 'claim', at, name, node: nodeName(args[3] ?? ''), fence: Number(args[5]) });
        }
        return;
      case 'set':
        if (key === this.#keys.lastFence) this.note({ kind: 'mint', at, fence: Number(args[2]) });
        else if (key.startsWith(this.#keys.leasePrefix)) {
          const name = key.slice(this.#keys.leasePrefix.length);
          const node = nodeName(leaseOwner(args[2] ?? ''));
          this.#holders.set(name, node);
          this.note({ kind: 'lease', at, name, node });
        }
        return;
      case 'pexpire': {
        const name = key.slice(this.#keys.leasePrefix.length);
        const node = key.startsWith(this.#keys.leasePrefix) ? this.#holders.get(name) : undefined;
        if (node !== undefined) this.note({ kind: 'lease', at, name, node });
      }
    }
  }

  #round(at: number, key: string, text: string): void {
    const poller = key.slice(this.prefix.length + 2, key.lastIndexOf('}'));
    const { fence, frames } = readRound(Buffer.from(unescaped(text)));
    this.#fences.set(key, Math.max(fence, this.#fences.get(key) ?? 0));
    const told = frames.map(({ channel, epoch, seq, rows }) => {
      const [row] = JSON.parse(rows) as { n: number; by: string }[];
      return { channel, epoch, seq, n: row?.n ?? -1, by: nodeOf(row?.by ?? '') };
    });
    this.note({ kind: 'publish', at, poller, fence, frames: told });
  }

  /** Takes what is new in Postgres's log, whose lines begin with `%n %a|`. */
  readLog(log: readonly string[]): void {
    // A statement goes on in lines that begin with a tab: the last one may not be whole yet.
    let end = log.length - 1;
    while (end > this.#logAt && log[end]?.startsWith('\t')) end -= 1;
    let statement = '';
    for (const line of [...log.slice(this.#logAt, end), '']) {
      if (line.startsWith('\t')) statement += line;
      else {
        this.#statement(statement);
        statement = line;
      }
    }
    this.#logAt = Math.max(this.#logAt, end);
  }

  #statement(text: string): void {
    const [, seconds, application = ''] = /^(\d+\.\d+) ([^|]*)\|LOG: {2}execute /.exec(text) ?? [];
    if (seconds === undefined || !application.startsWith('pollcast:')) return;
    const topic = this.topics.find((name) => text.includes(`chaos_${name}`));
    if (topic) this.note({ kind: 'query', at: Number(seconds) * 1000, topic, by: nodeOf(application) });
  }
}

/** MONITOR shows control characters as C does. */
function unescaped(text: string): string {
  const plain: Record<string, string> = { n: '\n', r: '\r', t: '\t', a: '\x07', b: '\b' };
  return text.replace(/\\(x([0-9a-f]{2})|[nrtab])/g, (_, letter: string, hex?: string) =>
    hex === undefined ? (plain[letter] ?? letter) : String.fromCharCode(parseInt(hex, 16)),
  );
}
