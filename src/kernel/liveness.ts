import type { NodeId } from './identity.js';
import type { NodeSighting } from './ports/store.js';

/**
 * Who is alive, suspect or dead. Pure: what was seen and for how long comes as arguments.
 *
 * Two ways to die. A process that ends closes its pulse at once: zero holders twice in a row is death, provided our
 * own pulse stands (else it is we who are blind) and has stood for a while (else Redis has just restarted, or
 * dropped all subscribers, and the others are still coming back). A process that hangs keeps its pulse but
 * misses its heartbeats: one lease time without any is death, provided our own heartbeats went through all the while.
 * Both may be wrong; the fence makes that cheap.
 */
export interface Sight {
  readonly nodes: readonly NodeSighting[];
  /** Holders of each node's pulse; absent: not asked. */
  readonly pulses: ReadonlyMap<NodeId, number>;
  readonly self: NodeId;
  /** Ms since our own pulse has stood without interruption. */
  readonly ownPulseAgeMs: number;
  /** Ms since our own heartbeats have gone through without a miss. */
  readonly ownBeatsMs: number;
}

/** `pulse`: the process has ended for sure as anything can be. `silence`: it may be hanging, and may come back. */
export interface Death {
  readonly by: 'pulse' | 'silence';
  readonly evidence: string;
}

export interface Judgement {
  /** Zeros in a row, per node: to be given back at the next judgement. */
  readonly zeros: ReadonlyMap<NodeId, number>;
  readonly suspects: ReadonlyMap<NodeId, string>;
  readonly dead: ReadonlyMap<NodeId, Death>;
}

export function judge(
  zeros: ReadonlyMap<NodeId, number>,
  sight: Sight,
  leaseMs: number,
  pulseGraceMs: number,
): Judgement {
  const next = new Map<NodeId, number>();
  const suspects = new Map<NodeId, string>();
  const dead = new Map<NodeId, Death>();
  const seeing = sight.pulses.get(sight.self) === 1 && sight.ownPulseAgeMs >= pulseGraceMs;
  for (const node of sight.nodes) {
    if (node.id === sight.self) continue;
    if (seeing && sight.pulses.get(node.id) === 0) {
      const count = (zeros.get(node.id) ?? 0) + 1;
      next.set(node.id, count);
      if (count >= 2) dead.set(node.id, { by: 'pulse', evidence: `pulse gone, seen ${count} times in a row` });
      else suspects.set(node.id, 'pulse gone, seen once');
    }
    if (dead.has(node.id) || sight.ownBeatsMs < leaseMs) continue;
    if (node.ageMs > leaseMs)
      dead.set(node.id, { by: 'silence', evidence: `no heartbeat for ${Math.round(node.ageMs)} ms` });
    else if (node.ageMs > (leaseMs * 2) / 3 && !suspects.has(node.id)) {
      suspects.set(node.id, `no heartbeat for ${Math.round(node.ageMs)} ms`);
    }
  }
  return { zeros: next, suspects, dead };
}
