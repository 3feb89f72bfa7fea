import type { Unsubscribe } from '../../kernel/ports/bus.js';

export type ChannelState = 'live' | 'stale' | 'failed';

/** Where in a channel's life a frame stands. Ordered by epoch, then seq; neither ever goes back. */
export interface FramePosition {
  readonly epoch: number;
  readonly seq: number;
}

/** One published result of a channel. */
export interface Frame extends FramePosition {
  readonly channel: string;
  /** Wall clock ms of the poll that found it. */
  readonly polledAt: number;
  /** JSON text of an array of rows, just as the source wrote it. */
  readonly rows: string;
}

export interface StatusChange {
  readonly channel: string;
  readonly state: ChannelState;
  /** A code of the catalogue, or `database`, `cluster`, `slow`. Safe to show. */
  readonly reason?: string;
  /** Wall clock ms. */
  readonly since: number;
}

/** The newest frame with what the next poll compares it to. */
export interface StoredFrame extends Frame {
  readonly hash: string;
  readonly mark?: string;
}

/** What one round found out. */
export interface Findings {
  readonly polledAt: number;
  readonly changed: readonly {
    channel: string;
    rows: string;
    hash: string;
    mark?: string;
    /** Somebody has seen this position: an older channel begins a new epoch above it. */
    above?: FramePosition;
  }[];
  readonly statuses: readonly StatusChange[];
}

/** What a round's message tells the nodes. Also sent empty, as a sign of life. */
export interface Round {
  readonly fence: number;
  readonly polledAt: number;
  readonly frames: readonly Frame[];
  readonly statuses: readonly StatusChange[];
}

export interface FrameHead extends FramePosition {
  readonly changedAt: number;
  readonly polledAt: number;
  readonly state: ChannelState;
}

export interface FrameStoreOptions {
  /** How long frames are kept for resume and history; 0: only the newest. */
  readonly retainMs: number;
}

export function isNewer(a: FramePosition, b: FramePosition): boolean {
  return a.epoch > b.epoch || (a.epoch === b.epoch && a.seq > b.seq);
}

/**
 * The channels' frames, shared by the cluster, one set for each poller. Everything that a poller writes goes with its
 * fence and is refused in the same step when a higher one was seen. Rejects with `UNAVAILABLE` when the store does not answer.
 */
export interface FrameStore {
  /** Raises the poller's fence: from here on nothing of a former owner is accepted. `false`: ours is too low itself. */
  open(poller: string, fence: number): Promise<boolean>;
  /**
   * Stores each changed channel's frame under the next seq, and tells all nodes in one message. A channel that is new
   * gets an epoch larger than any before; one whose stored hash is the same keeps its position, so that a publish whose
   * answer was lost can be sent again. One that stands below its `above` begins an epoch that is larger than that. Positions come in the order of `changed`; `null`: the poller is not open
   * under this fence (a higher one was opened, or the store has lost its data), and nothing was stored or told.
   */
  publish(
    poller: string,
    fence: number,
    findings: Findings,
    options: FrameStoreOptions,
  ): Promise<FramePosition[] | null>;
  /** Removes channels that nobody watches any more. `false` as above. */
  forget(poller: string, fence: number, channels: readonly string[]): Promise<boolean>;
  newest(poller: string, channel: string): Promise<StoredFrame | null>;
  /** The newest frames of all channels: what a new owner goes on from. */
  all(poller: string): Promise<StoredFrame[]>;
  heads(poller: string): Promise<Map<string, FrameHead>>;
  /** Kept frames, oldest first, published between `from` and `to` (wall clock ms of the store), the newest `limit` of them. */
  history(poller: string, channel: string, from: number, to: number, limit: number): Promise<Frame[]>;
  /** Kept frames after a position of the same epoch, oldest first; `null` when the next one is not kept any more. */
  after(poller: string, channel: string, position: FramePosition): Promise<Frame[] | null>;
  /** Removes all of a poller's channels: it ended. */
  drop(poller: string, fence: number): Promise<void>;

  subscribe(poller: string, handle: (round: Round) => void): Promise<Unsubscribe>;
  /** Whether messages arrive; after `true` following `false` some may have been missed. */
  onLink(listen: (up: boolean) => void): () => void;
  readonly up: boolean;
}
