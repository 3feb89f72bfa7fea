import { createHash } from 'node:crypto';
import type { ProcessSpec } from '../kernel/ports/store.js';
import type { Topic } from '../topics/topic.js';

export const POLLER_KIND = 'poller';

export interface PollerArgs {
  readonly topic: string;
  readonly partition: number;
  readonly partitions: number;
}

/** A number in [0, 1) that is the same for a text on every node. */
export function fraction(text: string): number {
  return createHash('sha1').update(text).digest().readUInt32BE(0) / 2 ** 32;
}

/** `poller:<topic>`, with `#<partition>` when there are several. */
export function pollerName(topic: string, partition = 0, partitions = 1): string {
  return partitions > 1 ? `poller:${topic}#${partition}` : `poller:${topic}`;
}

/** The poller that a channel belongs to. */
export function pollerSpec(topic: Topic, channel: string): ProcessSpec & { readonly args: PollerArgs } {
  const { partitions } = topic;
  const partition = Math.floor(fraction(channel) * partitions);
  return {
    name: pollerName(topic.name, partition, partitions),
    kind: POLLER_KIND,
    args: { topic: topic.name, partition, partitions },
  };
}
