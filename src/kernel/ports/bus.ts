import type { NodeId } from '../identity.js';

export type Unsubscribe = () => Promise<void>;

/**
 * Messages between nodes: at most once, in order per channel and sender, lost while the connection is down.
 * Whatever must not be lost is read again from the store when `onLink` tells of a gap.
 */
export interface BusPort {
  /** Resolves with how many listeners it was handed to: 0 is certain, nobody will ever get it. */
  publish(channel: string, message: string): Promise<number>;
  /** Resolves once messages arrive. One handler per call; a throwing handler harms nobody. */
  subscribe(channel: string, handle: (message: string) => void): Promise<Unsubscribe>;
  /** `up` tells whether messages arrive now; called at every change. After `up: true` following `false` messages may have been missed. */
  onLink(listen: (up: boolean) => void): () => void;
  readonly up: boolean;

  /** Holds this node's pulse, on a connection of its own that dies with the process. */
  holdPulse(id: NodeId): Promise<void>;
  /** How many hold each node's pulse: 0 or 1. */
  pulses(ids: readonly NodeId[]): Promise<number[]>;
  /** Ms (monotonic) since this node's own pulse has been held without interruption; 0 while it is not. */
  pulseAgeMs(): number;
  /** Lets go of the pulse and of all subscriptions. */
  close(): Promise<void>;
}
