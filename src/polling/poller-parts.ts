import type { ProcessContext } from '../kernel/kind.js';
import type { Topic } from '../topics/topic.js';
import type { ChannelState, FramePosition, FrameStore } from './frames/frames.js';
import type { RoundTracer } from './round-tracer.js';
import type { Answer, Source } from './source.js';

/** What a node asks of a poller. */
export type PollerMessage =
  /**
   * A node's first viewer of a channel has come: answered once the channel has a frame, or cannot have one.
   * `above`: somebody has seen this position; the answer must not be older than that. `alone`: the node has polled for
   * itself and `above` is of its own making, which says nothing of whose result is the older one: the answer must be that of
   * a statement which begins after this.
   */
  { readonly do: 'watch'; readonly channel: string; readonly above?: FramePosition; readonly alone?: true };

export interface Watched extends FramePosition {
  /** Of the poller that answers: with `since` it says which of two tidings about a channel is the later one. */
  readonly fence: number;
  readonly state: ChannelState;
  readonly reason?: string;
  readonly since: number;
}

/** What a takeover by handover must know to miss nothing and repeat nothing. */
export interface PollerState {
  /** Wall clock ms: all due times up to here have had their round, and none after it. */
  readonly dueAt: number;
}

export interface PollerMetrics {
  polled(topic: string, outcome: Answer['kind'], count: number): void;
  round(topic: string, seconds: number): void;
  /** How long the source took to answer, and the store to take what was found. */
  phase?(topic: string, phase: 'ask' | 'publish', seconds: number): void;
  /** Rows in published frames. */
  rows?(topic: string, rows: number): void;
  published(topic: string, frames: number, bytes: number): void;
  skipped(topic: string): void;
  /** The topic is polled only every `factor` intervals, because its rounds take longer than one. 1: at its own pace again. */
  stretched?(topic: string, factor: number): void;
  /** A channel has failed, for this reason. */
  failed?(topic: string, code: string): void;
}

export interface PollerSettings {
  readonly lingerMs: number;
  /** How many channels one slot asks for at most, before the interval is divided further. */
  readonly perSlot: number;
  /** How often a sign of life is sent when nothing changes, and demand is read again. */
  readonly beatMs: number;
  /** A channel that nobody watches any more is kept, unpolled, until an interval after it was asked last: who comes back costs nothing. */
  readonly sparing?: boolean;
}

export interface PollerParts {
  readonly context: ProcessContext<PollerState>;
  readonly source: Source;
  readonly frames: FrameStore;
  readonly settings: PollerSettings;
  readonly metrics: PollerMetrics;
  readonly tracer?: RoundTracer;
  /** This node is cut off: nothing that is asked could be published. */
  away?(): boolean;
  /** The topic in force; throws `UNKNOWN_TOPIC` when it is gone. */
  topic(): Topic;
  /** Calls back when another version of the topic is in force. Returns the way to stop that. */
  onTopicChanged(listen: () => void): () => void;
}
