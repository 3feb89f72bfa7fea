/** What identifies the publish of a round everywhere in the cluster: a poller tells nothing twice with the same of these. */
export interface RoundId {
  readonly poller: string;
  readonly fence: number;
  /** Wall clock ms. */
  readonly polledAt: number;
}

export interface AskedRound extends RoundId {
  readonly topic: string;
  readonly channels: number;
  /** Wall clock ms at which the source was asked. */
  readonly askedAt: number;
}

/** Follows what a round finds on its way to viewers, on all nodes. Absent: nobody wants to know. */
export interface RoundTracer {
  /** Runs the publish of what was asked for. */
  publishing<T>(round: AskedRound, publish: () => Promise<T>): Promise<T>;
  /** Runs the delivery of a round's frames to the viewers of one node. */
  delivering(round: RoundId, frames: number, deliver: () => void): void;
  /** Runs a viewer's way from its call to its first rows. */
  joining<T>(topic: string, join: () => Promise<T>): Promise<T>;
}
