import { randomUUID } from 'node:crypto';
import { sleep, type Clock } from '../../kernel/clock.js';
import type { Logger } from '../../kernel/log.js';
import type { BusPort, Unsubscribe } from '../../kernel/ports/bus.js';

interface Question {
  readonly id: string;
  readonly what: string;
  readonly to: string;
}

interface Reply {
  readonly id: string;
  readonly node: string;
  readonly answer: unknown;
}

export interface Gathered<T> {
  readonly node: string;
  readonly answer: T;
}

const QUESTIONS = 'console:ask';
/** What a node that hangs may cost; the others' answers are there long before. */
const PATIENCE_MS = 500;

/**
 * Asks every node for what only it knows: its events, its topics' figures. Nothing is sent while nobody asks, so a
 * console that nobody looks at costs nothing.
 */
export class Gather {
  readonly #answers = new Map<string, () => unknown>();
  readonly #open = new Map<string, (reply: Reply) => void>();
  readonly #inbox: string;
  #closing: Unsubscribe[] = [];

  constructor(
    private readonly bus: BusPort,
    private readonly node: string,
    private readonly clock: Clock,
    private readonly log: Logger,
  ) {
    this.#inbox = `console:${randomUUID()}`;
  }

  /** What this node says when it is asked for `what`: anything that JSON carries. */
  offer(what: string, answer: () => unknown): void {
    this.#answers.set(what, answer);
  }

  async open(): Promise<void> {
    this.#closing = [
      await this.bus.subscribe(QUESTIONS, (message) => this.#reply(JSON.parse(message) as Question)),
      await this.bus.subscribe(this.#inbox, (message) => this.#take(JSON.parse(message) as Reply)),
    ];
  }

  async close(): Promise<void> {
    for (const unsubscribe of this.#closing.splice(0)) await unsubscribe();
  }

  /** The answers of all nodes that gave one in time. Rejects with `UNAVAILABLE` when the cluster does not answer. */
  async ask<T>(what: string, signal?: AbortSignal): Promise<Gathered<T>[]> {
    const id = randomUUID();
    const replies = new Map<string, Gathered<T>>();
    const all = new AbortController();
    let expected = Infinity;
    const settle = (): void => {
      if (replies.size >= expected) all.abort();
    };
    this.#open.set(id, ({ node, answer }) => {
      replies.set(node, { node, answer: answer as T });
      settle();
    });
    try {
      expected = await this.bus.publish(QUESTIONS, JSON.stringify({ id, what, to: this.#inbox } satisfies Question));
      settle();
      await sleep(this.clock, PATIENCE_MS, signal ? AbortSignal.any([all.signal, signal]) : all.signal);
      return [...replies.values()];
    } finally {
      this.#open.delete(id);
    }
  }

  #take(reply: Reply): void {
    this.#open.get(reply.id)?.(reply);
  }

  #reply({ id, what, to }: Question): void {
    const reply = { id, node: this.node, answer: this.#answers.get(what)?.() ?? null } satisfies Reply;
    this.bus.publish(to, JSON.stringify(reply)).catch((error: unknown) => {
      this.log.debug({ err: error, what }, 'an answer for the console is not sent');
    });
  }
}
