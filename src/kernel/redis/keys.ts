import type { NodeId } from '../identity.js';

/**
 * All of the kernel's keys. One hash tag for all of them: the kernel's operations span several keys and must be one
 * step, also in a Redis Cluster. What carries much traffic (frames) has tags of its own, elsewhere.
 */
export function kernelKeys(prefix: string) {
  const tag = `{${prefix}}`;
  return {
    tag,
    nodes: `${tag}:nodes`,
    beats: `${tag}:beats`,
    infos: `${tag}:infos`,
    states: `${tag}:states`,
    era: `${tag}:era`,
    holders: `${tag}:holders`,
    processes: `${tag}:processes`,
    lastFence: `${tag}:fence`,
    processPrefix: `${tag}:process:`,
    holdsPrefix: `${tag}:holds:`,
    leasePrefix: `${tag}:lease:`,
    process: (name: string) => `${tag}:process:${name}`,
    holds: (name: string) => `${tag}:holds:${name}`,
    heldBy: (node: NodeId) => `${tag}:held-by:${node}`,
    backup: (name: string) => `${tag}:backup:${name}`,
    lease: (name: string) => `${tag}:lease:${name}`,
    pulse: (node: NodeId) => `${tag}:pulse:${node}`,
    channel: (name: string) => `${tag}:bus:${name}`,
  };
}

export type KernelKeys = ReturnType<typeof kernelKeys>;
