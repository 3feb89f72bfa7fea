import { RECORDING_KIND } from '../../recordings/recording.js';
import type { NodeRow, ProcessRow, ViewerRow } from '../tables.js';
import type { Zombie } from '../zombies.js';
import { age, table, type Paint } from './terminal.js';

const COLOURS = {
  live: 'green',
  running: 'green',
  suspect: 'yellow',
  draining: 'yellow',
  cordoned: 'yellow',
  starting: 'yellow',
  stopping: 'yellow',
  stale: 'yellow',
  orphaned: 'yellow',
  dead: 'red',
  failed: 'red',
} as const;

function state(name: keyof typeof COLOURS, paint: Paint): string {
  return paint(COLOURS[name], name);
}

export function nodesTable(rows: readonly NodeRow[], paint: Paint, now: number): string {
  if (rows.length === 0) return 'No nodes.\n';
  return table(
    ['NODE', 'STATE', 'VERSION', 'UP', 'PROCESSES', 'VIEWERS', 'SLOTS'],
    rows.map((row) => [
      row.name,
      state(row.state, paint),
      row.version,
      age(now - row.startedAt),
      String(row.processes),
      String(row.viewers),
      String(row.slots),
    ]),
    paint,
  );
}

export function processesTable(rows: readonly ProcessRow[], paint: Paint, now: number): string {
  if (rows.length === 0) return 'No processes.\n';
  return table(
    ['NAME', 'KIND', 'NODE', 'FENCE', 'STATE', 'AGE', 'LEASE', 'RESTARTS', 'LAST ERROR'],
    rows.map((row) => [
      row.name,
      row.kind,
      row.node ?? '-',
      String(row.fence),
      state(row.state, paint),
      age(now - row.since),
      row.leaseLeftMs === null ? paint('red', 'none') : age(row.leaseLeftMs),
      String(row.restarts),
      row.error ?? '',
    ]),
    paint,
  );
}

/** How many recordings are made beside how many could be; empty where no node makes any. */
export function slotsLine(nodes: readonly NodeRow[], processes: readonly ProcessRow[]): string {
  const recorders = nodes.filter(({ slots, state }) => slots > 0 && state !== 'dead');
  const used = (node?: string): number =>
    processes.filter((row) => row.kind === RECORDING_KIND && (node === undefined || row.node === node)).length;
  if (recorders.length === 0) return '';
  const each = recorders.map(({ name, slots }) => `${name} ${used(name)}/${slots}`).join(', ');
  return `Recorder slots: ${used()} of ${recorders.reduce((sum, { slots }) => sum + slots, 0)} used (${each}).\n`;
}

export function viewersTable(rows: readonly ViewerRow[], paint: Paint, now: number): string {
  if (rows.length === 0) return 'No viewers.\n';
  const ago = (at: number | null): string => (at === null ? '-' : age(now - at));
  return table(
    ['CHANNEL', 'VIEWERS', 'NODES', 'SEQ', 'CHANGED', 'POLLED', 'STATE'],
    rows.map((row) => [
      row.channel,
      String(row.viewers),
      Object.entries(row.nodes)
        .map(([node, count]) => `${node}:${count}`)
        .join(' '),
      row.seq === null ? '-' : String(row.seq),
      ago(row.changedAt),
      ago(row.polledAt),
      row.state === null ? '-' : state(row.state, paint),
    ]),
    paint,
  );
}

export function zombiesTable(rows: readonly (Zombie & { outcome?: string })[], paint: Paint): string {
  if (rows.length === 0) return 'No zombies.\n';
  const cleaned = rows.some((row) => row.outcome !== undefined);
  return table(
    ['KIND', 'NAME', 'NODE', 'AGE', ...(cleaned ? ['OUTCOME'] : []), 'EVIDENCE'],
    rows.map((row) => [
      paint('yellow', row.kind),
      row.name,
      row.node ?? '-',
      age(row.ageMs),
      ...(cleaned ? [row.outcome ?? ''] : []),
      row.evidence,
    ]),
    paint,
  );
}
