import type { Spread } from '../support/stats.js';

/** What is at the other end: the hub or a plain Socket.IO peer, a bare websocket that is sent things unasked, or HTTP. */
export type Kind = 'socketio' | 'ws' | 'rest';

/** What connection number `i` of an opening watches: each topic once for each of its values of `param`. */
export interface Watch {
  readonly topics: readonly string[];
  /**
   * Takes the `per` values from `first + i * per` on; with `of`, there are only so many values, and they come round again.
   * Absent: topics without parameters.
   */
  readonly param?: { readonly name: string; readonly first: number; readonly per: number; readonly of?: number };
}

export interface OpenOrder {
  readonly do: 'open';
  readonly kind: Kind;
  readonly port: number;
  readonly count: number;
  readonly watch: Watch;
  /** Every n-th connection's messages are read; those of the others only counted. */
  readonly sample: number;
  /**
   * The generator looks at its sockets once in so many ms. Real viewers are elsewhere; here every write would wake the
   * generator on the other core, and the server be charged for that. Latencies are longer by up to as much.
   */
  readonly napMs?: number;
  /** `rest`: how often each asks. */
  readonly everyMs?: number;
  /** Where those go whose node dies, with the last position that they have; they wait up to `jitterMs` before. */
  readonly fallback?: { readonly port: number; readonly jitterMs: number };
}

export type Order =
  | OpenOrder
  | { readonly do: 'begin' }
  | { readonly do: 'end' }
  | { readonly do: 'returned' }
  | { readonly do: 'close' };

export interface Load {
  /** Messages that carried data, one for each viewer that got it. */
  readonly messages: number;
  readonly bytes: number;
  readonly seconds: number;
  /** From the change in the database (`at`, ms since 1970, in the first row) to its arrival here, in ms. */
  readonly latency: Spread;
  /** Kind of error and how often. A run with any does not count. */
  readonly errors: Readonly<Record<string, number>>;
  /** Of the generator itself. */
  readonly cpuSeconds: number;
  /** Those who went to the fallback and were let in there: ms since the first lost its node. */
  readonly returned: Spread;
  readonly resumed: number;
}

export interface Opened {
  readonly seconds: number;
  readonly errors: Readonly<Record<string, number>>;
}
