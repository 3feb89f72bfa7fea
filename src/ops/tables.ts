import { nodeName } from '../kernel/identity.js';
import type { ClusterPorts } from '../kernel/ports/cluster.js';
import type { Hold, ProcessState } from '../kernel/ports/store.js';
import type { FrameHead, FrameStore } from '../polling/frames/frames.js';
import { POLLER_KIND } from '../polling/names.js';
import type { NodePresence } from '../presence/viewers.js';
import type { Survey } from './survey.js';

/** Rows of the tables that the CLI prints and the admin API answers. Times are ms since 1970. */
export interface NodeRow {
  readonly name: string;
  readonly version: string;
  readonly startedAt: number;
  readonly state: 'live' | 'draining' | 'cordoned' | 'suspect' | 'dead';
  readonly processes: number;
  readonly viewers: number;
  readonly slots: number;
}

export interface ProcessRow {
  readonly name: string;
  readonly kind: string;
  /** `null`: it has no owner now. */
  readonly node: string | null;
  readonly fence: number;
  readonly state: ProcessState;
  readonly since: number;
  readonly restarts: number;
  /** `null`: its owner holds no lease. */
  readonly leaseLeftMs: number | null;
  readonly error: string | null;
}

export interface ViewerRow {
  readonly channel: string;
  readonly viewers: number;
  readonly nodes: Readonly<Record<string, number>>;
  /** These four are `null` while nothing has been published. */
  readonly seq: number | null;
  readonly changedAt: number | null;
  readonly polledAt: number | null;
  readonly state: FrameHead['state'] | null;
}

/** The part of the frames' store that an operator's tools need. */
export type OperatedFrames = Pick<FrameStore, 'heads' | 'drop'>;

export async function nodeRows(survey: Survey, ports: ClusterPorts): Promise<NodeRow[]> {
  const { nodes, processes } = survey.last;
  const viewers = new Map<string, number>();
  for (const { hold } of await viewerHolds(survey, ports)) {
    viewers.set(hold.node, (viewers.get(hold.node) ?? 0) + viewersOf(hold));
  }
  const rows = [...nodes.values()].map(({ id, name, version, startedAt, state, info }): NodeRow => {
    const vitality = survey.vitality(id).state;
    return {
      name,
      version,
      startedAt,
      state: vitality === 'live' ? state : vitality,
      processes: [...processes.values()].filter((record) => record.node === id).length,
      viewers: viewers.get(id) ?? 0,
      slots: info['slots'] ?? 0,
    };
  });
  return rows.sort(by((row) => row.name));
}

export function processRows(survey: Survey): ProcessRow[] {
  const { last } = survey;
  const rows = [...last.processes.values()].map((record): ProcessRow => {
    const lease = last.leases.get(record.name);
    return {
      name: record.name,
      kind: record.kind,
      node: record.node === null ? null : nodeName(record.node),
      fence: record.fence,
      state: record.node !== null && survey.isDead(record.node) ? 'orphaned' : record.state,
      since: record.since,
      restarts: record.restarts,
      leaseLeftMs: lease && lease.node === record.node ? Math.max(0, Math.round(lease.leftMs)) : null,
      error: record.error,
    };
  });
  return rows.sort(by((row) => row.name));
}

export async function viewerRows(survey: Survey, ports: ClusterPorts, frames: OperatedFrames): Promise<ViewerRow[]> {
  const channels = new Map<string, { poller: string; nodes: Record<string, number> }>();
  for (const { poller, hold } of await viewerHolds(survey, ports)) {
    const channel = channels.get(hold.ref) ?? { poller, nodes: {} };
    channels.set(hold.ref, channel);
    const name = nodeName(hold.node);
    channel.nodes[name] = (channel.nodes[name] ?? 0) + viewersOf(hold);
  }
  const pollers = [...new Set([...channels.values()].map(({ poller }) => poller))];
  const published = new Map(await Promise.all(pollers.map(async (name) => [name, await frames.heads(name)] as const)));
  const rows = [...channels].map(([channel, { poller, nodes }]): ViewerRow => {
    const head = published.get(poller)?.get(channel);
    return {
      channel,
      viewers: Object.values(nodes).reduce((sum, count) => sum + count, 0),
      nodes,
      seq: head?.seq ?? null,
      changedAt: head?.changedAt ?? null,
      polledAt: head?.polledAt ?? null,
      state: head?.state ?? null,
    };
  });
  return rows.sort(by((row) => row.channel));
}

/** What living nodes hold pollers for: a dead node's presence is nobody's. */
async function viewerHolds(survey: Survey, { store }: ClusterPorts): Promise<{ poller: string; hold: Hold }[]> {
  const pollers = [...survey.last.processes.values()].filter((record) => record.kind === POLLER_KIND);
  const holds = await Promise.all(pollers.map(({ name }) => store.holds(name)));
  return pollers.flatMap(({ name }, i) =>
    (holds[i] ?? []).filter((hold) => !survey.isDead(hold.node)).map((hold) => ({ poller: name, hold })),
  );
}

function viewersOf(hold: Hold): number {
  try {
    return (JSON.parse(hold.detail) as Partial<NodePresence>).n ?? 0;
  } catch {
    // Not a node's writing: it counts as watched, by nobody that can be named.
    return 0;
  }
}

export function by<T>(key: (row: T) => string): (a: T, b: T) => number {
  return (a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0);
}
