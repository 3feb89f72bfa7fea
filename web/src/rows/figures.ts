/** What `pollcast.rows` says, made into what a person wants to see: rates instead of sums, the cluster instead of nodes. */
import type { JsonValue } from '../../../client/index.js';

interface Lateness {
  readonly [name: string]: JsonValue;
  readonly count: number;
  readonly p50: number;
  readonly p95: number;
  readonly max: number;
}

/** One worker on one node. Sums count since the node began. */
export interface WorkerRow {
  readonly [column: string]: JsonValue;
  readonly worker: string;
  readonly node: string;
  readonly slices: number;
  readonly running: number;
  readonly started: number;
  readonly ended: number;
  readonly steps: number;
  readonly statements: number;
  readonly conflicts: number;
  readonly crashes: number;
  readonly failing: number;
  readonly error: string | null;
  readonly lateness: Lateness;
  readonly response: Lateness;
  readonly cpuSeconds: number;
  readonly rssBytes: number;
  /** The node's clock, ms. */
  readonly at: number;
}

/** One worker on one node over the time between two looks. */
export interface WorkerRates {
  readonly row: WorkerRow;
  readonly stepsPerSecond: number;
  readonly statementsPerSecond: number;
  /** Of one core, in per cent: the whole node's. */
  readonly cpu: number;
}

/** All of the cluster at one moment. */
export interface Moment {
  readonly [column: string]: JsonValue;
  readonly at: string;
  readonly processes: number;
  readonly steps: number;
  readonly statements: number;
  /** Of the node that is latest; `null` while nothing was written. */
  readonly late_p50: number | null;
  readonly late_p95: number | null;
  readonly late_max: number | null;
  readonly response_p95: number | null;
  /** `null` while no node has rows. */
  readonly cpu: number | null;
  readonly memory: number | null;
}

const keyOf = ({ worker, node }: WorkerRow): string => `${worker}\0${node}`;

/** A node that was not there before, or has begun anew, has no rates yet. */
export function ratesOf(before: readonly WorkerRow[], rows: readonly WorkerRow[]): WorkerRates[] {
  const known = new Map(before.map((row) => [keyOf(row), row]));
  return rows.map((row) => {
    const last = known.get(keyOf(row));
    const seconds = last === undefined ? 0 : (row.at - last.at) / 1000;
    const rate = (read: (row: WorkerRow) => number): number =>
      last === undefined || seconds <= 0 ? 0 : Math.max(0, read(row) - read(last)) / seconds;
    return {
      row,
      stepsPerSecond: rate(({ steps }) => steps),
      statementsPerSecond: rate(({ statements }) => statements),
      cpu: rate(({ cpuSeconds }) => cpuSeconds) * 100,
    };
  });
}

/** @param at ms since 1970 by this page's clock */
export function momentOf(rates: readonly WorkerRates[], at: number): Moment {
  const sum = (read: (rates: WorkerRates) => number): number => rates.reduce((total, one) => total + read(one), 0);
  const written = rates.filter(({ row }) => row.lateness.count > 0);
  const worst = (read: (row: WorkerRow) => number): number | null =>
    written.length === 0 ? null : Math.max(...written.map(({ row }) => read(row)));
  // A node's process is one, however many workers it has.
  const nodes = [...new Map(rates.map((one) => [one.row.node, one])).values()];
  return {
    at: new Date(at).toISOString(),
    processes: sum(({ row }) => row.running),
    steps: sum(({ stepsPerSecond }) => stepsPerSecond),
    statements: sum(({ statementsPerSecond }) => statementsPerSecond),
    late_p50: worst(({ lateness }) => lateness.p50),
    late_p95: worst(({ lateness }) => lateness.p95),
    late_max: worst(({ lateness }) => lateness.max),
    response_p95: worst(({ response }) => response.p95),
    cpu: nodes.length === 0 ? null : nodes.reduce((total, { cpu }) => total + cpu, 0),
    memory: nodes.length === 0 ? null : nodes.reduce((total, { row }) => total + row.rssBytes, 0) / 2 ** 20,
  };
}

/** What is kept of the past: two minutes at a look each second. */
const KEPT = 120;

export function withMoment(past: readonly Moment[], moment: Moment): readonly Moment[] {
  return [...past, moment].slice(-KEPT);
}
