import type { Params } from './wire.js';

/**
 * Identity of a topic with parameters on this side: independent of their order, and of ones that are `undefined`. The hub
 * fills in defaults and so may answer with the same channel for two of these.
 */
export function topicKey(topic: string, params: Params): string {
  const given = Object.entries(params).filter(([, value]) => value !== undefined);
  return JSON.stringify([topic, ...given.sort(([a], [b]) => (a < b ? -1 : 1))]);
}
