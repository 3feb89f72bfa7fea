import { nodeName, type NodeId } from '../kernel/identity.js';
import type { Holder } from '../kernel/ports/lease.js';
import type { ProcessRecord } from '../kernel/ports/store.js';
import { POLLER_KIND } from '../polling/names.js';
import type { Survey } from './survey.js';

export const ZOMBIE_KINDS = [
  'lost-lease',
  'dead-owner',
  'unwatched-poller',
  'dead-presence',
  'orphan-lease',
  'orphan-file',
  'orphan-browser',
] as const;
export type ZombieKind = (typeof ZOMBIE_KINDS)[number];

/** Something that should not exist any more. */
export interface Zombie {
  readonly kind: ZombieKind;
  readonly name: string;
  readonly node: string | null;
  /** For how long it has been one, in ms, as far as can be told: at least since it was first seen. */
  readonly ageMs: number;
  readonly evidence: string;
}

/** A zombie of the cluster's own things, with what was seen of it: cleaning compares with that. */
export interface Found extends Zombie {
  readonly id: NodeId | null;
  readonly record: ProcessRecord | null;
  readonly lease: Holder | null;
}

/**
 * All zombies of a survey of two looks. Pure. What is true in one of the looks only is a step under way (a handover, a
 * start, an end), not a zombie.
 */
export function findZombies(survey: Survey): Found[] {
  return [...deadPresence(survey), ...ownership(survey), ...orphanLeases(survey), ...unwatchedPollers(survey)];
}

function deadPresence(survey: Survey): Found[] {
  const { first, last } = survey;
  return [...last.heldBy].flatMap(([id, names]) => {
    if (!survey.isDead(id) || !first.heldBy.has(id)) return [];
    const ageMs = last.nodes.get(id)?.ageMs ?? 0;
    return names.map((name): Found => {
      const evidence = `presence of ${nodeName(id)} on ${name}, but that node is dead: ${survey.vitality(id).evidence}`;
      return { kind: 'dead-presence', name, node: nodeName(id), ageMs, evidence, id, record: null, lease: null };
    });
  });
}

/** Processes whose owner is dead, or lives without their lease. */
function ownership(survey: Survey): Found[] {
  const { first, last } = survey;
  return [...last.processes.values()].flatMap((record): Found[] => {
    const { name, node: id } = record;
    if (id === null || !sameOwner(first.processes.get(name), record)) return [];
    const lease = last.leases.get(name) ?? null;
    const base = { name, node: nodeName(id), id, record, lease };
    if (survey.isDead(id)) {
      const ageMs = last.nodes.get(id)?.ageMs ?? last.at - record.since;
      return [{ ...base, kind: 'dead-owner', ageMs, evidence: deadOwner(survey, record, lease) }];
    }
    if (record.state === 'orphaned' || !survey.isAlive(id)) return [];
    if (lease?.node === id || first.leases.get(name)?.node === id) return [];
    const whose = lease ? `its lease is held by ${nodeName(lease.node)}` : 'nobody holds its lease';
    const evidence = `${record.state} on ${nodeName(id)} with fence ${record.fence}, but ${whose}: seen twice`;
    return [{ ...base, kind: 'lost-lease', ageMs: 0, evidence }];
  });
}

function deadOwner(survey: Survey, record: ProcessRecord, lease: Holder | null): string {
  const id = record.node as NodeId;
  const left = lease?.node === id ? `its lease ends in ${Math.round(lease.leftMs)} ms` : 'its lease is gone';
  return `owned by ${nodeName(id)} with fence ${record.fence}, but that node is dead: ${survey.vitality(id).evidence}; ${left}`;
}

function orphanLeases(survey: Survey): Found[] {
  const { first, last } = survey;
  return [...last.leases].flatMap(([name, lease]): Found[] => {
    if (last.processes.has(name) || first.processes.has(name)) return [];
    if (first.leases.get(name)?.value !== lease.value) return [];
    const whose = survey.isAlive(lease.node) ? 'which lives' : `which is not alive`;
    const evidence = `${nodeName(lease.node)}, ${whose}, holds a lease for ${Math.round(lease.leftMs)} ms more on a name without a process`;
    // Full when it was given or renewed last: what it lacks is how long nobody has touched it.
    const ageMs = Math.max(0, survey.leaseMs - lease.leftMs);
    return [
      { kind: 'orphan-lease', name, node: nodeName(lease.node), ageMs, evidence, id: lease.node, record: null, lease },
    ];
  });
}

/** A poller looks for itself whether it is watched at least every lease time: within that it is not late. */
function unwatchedPollers(survey: Survey): Found[] {
  const { first, last } = survey;
  const graceMs = survey.lingerMs + survey.leaseMs;
  return [...last.processes.values()].flatMap((record): Found[] => {
    const { name, node: id, unheldSince } = record;
    if (record.kind !== POLLER_KIND || unheldSince === null) return [];
    if (first.processes.get(name)?.unheldSince !== unheldSince) return [];
    // Its owner's death says it all.
    if (id !== null && survey.isDead(id)) return [];
    const ageMs = last.at - unheldSince;
    if (ageMs <= graceMs) return [];
    const evidence = `without viewers for ${Math.round(ageMs)} ms, which is past the linger of ${survey.lingerMs} ms`;
    const lease = last.leases.get(name) ?? null;
    return [{ kind: 'unwatched-poller', name, node: id && nodeName(id), ageMs, evidence, id, record, lease }];
  });
}

function sameOwner(a: ProcessRecord | undefined, b: ProcessRecord): boolean {
  return a !== undefined && a.node === b.node && a.fence === b.fence;
}
