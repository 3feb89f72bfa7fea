/** Rows of the console's topics. */
export type NodeRow = {
  readonly name: string;
  readonly version: string;
  readonly startedAt: number;
  readonly state: 'live' | 'draining' | 'cordoned' | 'suspect' | 'dead';
  readonly processes: number;
  readonly viewers: number;
  readonly slots: number;
};

export type ProcessRow = {
  readonly name: string;
  readonly kind: string;
  readonly node: string | null;
  readonly fence: number;
  readonly state: string;
  readonly since: number;
  readonly restarts: number;
  readonly leaseLeftMs: number | null;
  readonly error: string | null;
};

export type ViewerRow = {
  readonly channel: string;
  readonly viewers: number;
  readonly nodes: Readonly<Record<string, number>>;
  readonly seq: number | null;
  readonly changedAt: number | null;
  readonly polledAt: number | null;
  readonly state: string | null;
};

export type ZombieRow = {
  readonly kind: string;
  readonly name: string;
  readonly node: string | null;
  readonly ageMs: number;
  readonly evidence: string;
};

export type TopicRow = {
  readonly name: string;
  readonly title: string;
  readonly file: string;
  readonly interval: string;
  readonly sql: boolean;
  readonly channels: number;
  readonly viewers: number;
  readonly failed: number;
  readonly queryMs: number | null;
  readonly pollsPerSecond: number | null;
  readonly changesPerSecond: number | null;
  readonly frameBytes: number | null;
  readonly stretch: number;
  readonly error: string | null;
};

export type EventRow = {
  readonly id: string;
  readonly at: number;
  readonly node: string;
  readonly event: string;
  readonly about: string;
  readonly detail: string;
};
