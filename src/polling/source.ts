import type { ErrorCode } from '../errors.js';
import type { ParamValue, Topic } from '../topics/topic.js';

/** One channel that a round asks for. */
export interface Ask {
  readonly channel: string;
  readonly values: Readonly<Record<string, ParamValue>>;
  /** Hash of the result that was last published; the source answers `unchanged` instead of the rows when it still holds. */
  readonly hash?: string;
  /** Text that the topic's `changed:` query returned last; the main query is left out while it still holds. */
  readonly mark?: string;
}

/** What became of one ask. `rows` is the JSON text of an array of rows, in Postgres's own JSON. */
export type Answer =
  | {
      readonly kind: 'rows';
      readonly rows: string;
      readonly count: number;
      readonly hash: string;
      readonly mark?: string;
    }
  | { readonly kind: 'unchanged'; readonly mark?: string }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string }
  /** The database itself is away: says nothing about the channel, never counts against it. */
  | { readonly kind: 'outage'; readonly message: string };

export interface AskOptions {
  readonly signal: AbortSignal;
  readonly mayQuery: () => boolean;
  readonly onAnswer?: (index: number, answer: Answer) => void;
}

/** Where rows come from. One source serves all topics of a node. */
export interface Source {
  /**
   * Asks for many channels of one topic; answers come in the order of the asks, one each. Never rejects but for a bug:
   * what goes wrong is an answer. `signal` ends it early (answers are then `outage`); statements are cancelled.
   * `mayQuery` is called synchronously right before each statement is sent: false means that the caller
   * lost its right to ask (its lease), and the rest is answered `outage`. `onAnswer` may be called with each answer as
   * soon as it is known: a slow channel then keeps nobody else's rows waiting.
   */
  ask(topic: Topic, asks: readonly Ask[], options: AskOptions): Promise<Answer[]>;
  /**
   * Resolves when the source answers; rejects with a coded error when it does not within `timeoutMs`. With a topic: whether what
   * that one needs answers.
   */
  ping(timeoutMs: number, topic?: Topic): Promise<void>;
  close(): Promise<void>;
}
