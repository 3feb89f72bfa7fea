import type { ProcessKind } from '../kernel/kind.js';
import type { Topic } from '../topics/topic.js';
import { POLLER_KIND, type PollerArgs } from './names.js';
import { Poller } from './poller.js';
import type { PollerMessage, PollerParts, PollerState, Watched } from './poller-parts.js';

/** The topics in force on this node, and word of their changes. */
export interface TopicSource {
  /** Throws `UNKNOWN_TOPIC`. */
  get(name: string): Topic;
  /** Calls back when that topic has another version, or is gone. Returns the way to stop that. */
  onChange(name: string, listen: () => void): () => void;
}

export type PollerKindParts = Pick<PollerParts, 'source' | 'frames' | 'settings' | 'metrics' | 'tracer' | 'away'> & {
  readonly topics: TopicSource;
};

export function pollerKind(parts: PollerKindParts): ProcessKind<PollerArgs, PollerMessage, Watched, PollerState> {
  return {
    kind: POLLER_KIND,
    start: ({ topic }, context) =>
      Poller.start({
        ...parts,
        context,
        topic: () => parts.topics.get(topic),
        onTopicChanged: (listen) => parts.topics.onChange(topic, listen),
      }),
  };
}
