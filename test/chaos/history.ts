/** One result at one viewer. `n` only ever rises in the database; `by` is the node that asked for it. */
export interface FrameEvent {
  readonly kind: 'frame';
  readonly at: number;
  readonly viewer: string;
  readonly channel: string;
  readonly epoch: number;
  readonly seq: number;
  readonly via: 'ack' | 'frame';
  readonly n: number;
  readonly by: string;
  /** What the viewer had been told of the channel when it came. */
  readonly state: 'live' | 'stale' | 'failed';
}

/** One accepted publish, as Redis saw it. */
export interface PublishEvent {
  readonly kind: 'publish';
  readonly at: number;
  readonly poller: string;
  readonly fence: number;
  readonly frames: readonly {
    readonly channel: string;
    readonly epoch: number;
    readonly seq: number;
    readonly n: number;
    readonly by: string;
  }[];
}

/** What a fault allows for. */
export interface Allowance {
  /** Two may trust in their leases for up to a lease time: a false alarm, or a Redis that has lost its data. */
  readonly doubt?: boolean;
  /** A node may be without Redis, and poll for its own viewers meanwhile. */
  readonly local?: boolean;
  /** A query that was sent in time may reach Postgres late. */
  readonly lateQueries?: boolean;
  /** A claim that was sent in time may reach Redis late: its fence tells whether it still counts. */
  readonly lateClaims?: boolean;
  /** Redis has lost its data. */
  readonly lost?: boolean;
  /** All pub/sub connections were cut at once, and nothing else was done. */
  readonly blip?: boolean;
}

export type ChaosEvent =
  | FrameEvent
  | PublishEvent
  | {
      readonly kind: 'status';
      readonly at: number;
      readonly viewer: string;
      readonly channel: string;
      readonly state: string;
      readonly reason: string;
    }
  /** From when on a viewer wants a topic, and until when it, or its connection, was there. */
  | { readonly kind: 'join' | 'leave'; readonly at: number; readonly viewer: string; readonly topic: string }
  | { readonly kind: 'mint'; readonly at: number; readonly fence: number }
  | {
      readonly kind: 'claim';
      readonly at: number;
      readonly name: string;
      readonly node: string;
      readonly fence: number;
    }
  /** A lease that the witness asked for; `null`: it was refused, or in doubt. */
  | {
      readonly kind: 'grant';
      readonly at: number;
      readonly name: string;
      readonly tookMs: number;
      readonly leftMs: number | null;
    }
  /** What is left of it by Redis's account (-2: it has none), and then by the witness's own. */
  | {
      readonly kind: 'kept';
      readonly at: number;
      readonly name: string;
      readonly storedMs: number;
      readonly leftMs: number;
    }
  | { readonly kind: 'lease'; readonly at: number; readonly name: string; readonly node: string }
  | { readonly kind: 'query'; readonly at: number; readonly topic: string; readonly by: string }
  | ({
      readonly kind: 'fault';
      readonly at: number;
      readonly until: number;
      readonly name: string;
      readonly target: string;
    } & Allowance)
  | {
      readonly kind: 'exit';
      readonly at: number;
      readonly node: string;
      readonly expected: boolean;
      readonly how: string;
    }
  | { readonly kind: 'complaint'; readonly at: number; readonly node: string; readonly line: string }
  /** Nothing goes wrong any more, and there was time to settle: what is not in its place then. */
  | { readonly kind: 'settled'; readonly at: number; readonly tookMs: number; readonly amiss: readonly string[] }
  /** The database stands still: these viewers are to have this as their last. */
  | {
      readonly kind: 'final';
      readonly at: number;
      readonly n: number;
      readonly viewers: readonly string[];
      readonly topic: string;
    };

export type History = readonly ChaosEvent[];

export interface Terms {
  readonly leaseMs: number;
  readonly lingerMs: number;
  readonly intervalMs: number;
  /** What notes of the same moment from Redis and from Postgres may differ by, and a message may be under way, on a busy machine. */
  readonly slackMs: number;
}

export type EventOf<K extends ChaosEvent['kind']> = Extract<ChaosEvent, { kind: K }>;

export function ofKind<K extends ChaosEvent['kind']>(history: History, ...kinds: K[]): EventOf<K>[] {
  return history
    .filter((event): event is EventOf<K> => (kinds as string[]).includes(event.kind))
    .sort((a, b) => a.at - b.at);
}
