import type { PollcastError } from '../src/errors.js';
import type { Hub, TopicHandle } from './hub.js';

/** How long rows that were waited for are kept watched, so that the component that waited finds them when it mounts. */
const KEEP_MS = 5_000;

const waiting = new WeakMap<Hub, Map<string, Promise<void> | PollcastError>>();

/**
 * What a component has to throw while a channel has no rows: the promise of the first ones, the same at each try, or the error
 * why there will be none.
 */
export function firstRows(hub: Hub, key: string, handle: TopicHandle): Promise<void> | PollcastError {
  const ofHub = waiting.get(hub) ?? new Map<string, Promise<void> | PollcastError>();
  waiting.set(hub, ofHub);
  const known = ofHub.get(key);
  if (known !== undefined) return known;
  const promise = new Promise<void>((resolve) => {
    const stop = handle.watch(({ rows, error }) => {
      if (rows === undefined && error === undefined) return;
      // The next render finds the rows, or throws the error; who tries again after that begins anew.
      if (rows === undefined && error !== undefined) ofHub.set(key, error);
      setTimeout(() => {
        ofHub.delete(key);
        stop();
      }, KEEP_MS);
      resolve();
    });
  });
  ofHub.set(key, promise);
  return promise;
}
