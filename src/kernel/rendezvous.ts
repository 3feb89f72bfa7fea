import { createHash } from 'node:crypto';

/**
 * Highest random weight hashing (Thaler and Ravishankar, 1998): every node orders the candidates of a name alike,
 * without talking; when one leaves, only its own names move.
 */
export function rendezvous<T extends string>(name: string, candidates: readonly T[]): T[] {
  return candidates
    .map((candidate) => ({ candidate, weight: weight(name, candidate) }))
    .sort((a, b) => (a.weight === b.weight ? (a.candidate < b.candidate ? -1 : 1) : a.weight < b.weight ? 1 : -1))
    .map(({ candidate }) => candidate);
}

function weight(name: string, candidate: string): bigint {
  return createHash('sha1').update(candidate).update('\0').update(name).digest().readBigUInt64BE(0);
}
