import { createHash } from 'node:crypto';
import type { Answer, Ask, AskOptions, Source } from '../../src/polling/source.js';
import type { Topic } from '../../src/topics/topic.js';

export interface AskedRound {
  readonly topic: Topic;
  readonly asks: readonly Ask[];
  readonly mayQuery: () => boolean;
  readonly signal: AbortSignal;
}

export function rows(text: string, mark?: string): Answer {
  return { kind: 'rows', rows: text, count: 1, hash: createHash('sha1').update(text).digest('hex'), mark };
}

/**
 * A database that answers what a test says. It compares hashes and marks as the real source does: what has not
 * changed is answered `unchanged`.
 */
export class ScriptedSource implements Source {
  readonly rounds: AskedRound[] = [];
  readonly results = new Map<string, Answer>();
  /** What a channel without a result of its own answers. */
  otherwise: Answer = rows('[{"n":0}]');
  pings = 0;
  down = false;
  readonly #slow = new Map<string, Promise<void>>();
  #gate: Promise<void> | null = null;
  #open: () => void = () => undefined;

  /** From here on rounds wait until `release`. */
  hold(): void {
    this.#gate = new Promise((open) => (this.#open = open));
  }

  release(): void {
    this.#gate = null;
    this.#open();
  }

  /** From here on this channel has no answer until the function that is returned is called; the others have. */
  slow(channel: string): () => void {
    let end = (): void => undefined;
    this.#slow.set(channel, new Promise((resolve) => (end = resolve)));
    return () => {
      this.#slow.delete(channel);
      end();
    };
  }

  /** Channels of each round so far. */
  get asked(): string[][] {
    return this.rounds.map(({ asks }) => asks.map(({ channel }) => channel));
  }

  async ask(topic: Topic, asks: readonly Ask[], options: AskOptions): Promise<Answer[]> {
    this.rounds.push({ topic, asks, ...options });
    const away: Answer = { kind: 'outage', message: 'away' };
    await this.#gate;
    if (this.down || options.signal.aborted || !options.mayQuery()) return asks.map(() => away);
    return Promise.all(
      asks.map(async (ask, index) => {
        await this.#slow.get(ask.channel);
        const answer = this.#answer(ask);
        options.onAnswer?.(index, answer);
        return answer;
      }),
    );
  }

  #answer({ channel, hash, mark }: Ask): Answer {
    const answer = this.results.get(channel) ?? this.otherwise;
    if (answer.kind !== 'rows') return answer;
    const still = answer.mark === undefined ? answer.hash === hash : answer.mark === mark || answer.hash === hash;
    return still && hash !== undefined ? { kind: 'unchanged', mark: answer.mark } : answer;
  }

  ping(): Promise<void> {
    this.pings += 1;
    return this.down ? Promise.reject(new Error('away')) : Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
