import { PollcastError } from '../errors.js';
import type { Json } from '../merge-patch.js';

export interface RoomLimits {
  readonly members: number;
  readonly stateBytes: number;
  readonly statusBytes: number;
  /** Of nested objects and lists. */
  readonly depth: number;
  /** Changes that one user may make at once, and how many are given back each second. */
  readonly burst: number;
  readonly perSecond: number;
  /** Changes that wait for being saved. */
  readonly waiting: number;
}

export const ROOM_LIMITS: RoomLimits = {
  members: 200,
  stateBytes: 65_536,
  statusBytes: 4_096,
  depth: 32,
  burst: 100,
  perSecond: 50,
  waiting: 1_000,
};

/** Throws `BAD_REQUEST` when a value is larger, or nested deeper, than it may be. Returns its JSON. */
export function assertSize(what: string, value: Json, bytes: number, depth: number): string {
  if (isDeeperThan(value, depth)) {
    throw new PollcastError('BAD_REQUEST', `expected ${what} of at most ${depth} levels, got more`, { limit: depth });
  }
  const text = JSON.stringify(value);
  const size = Buffer.byteLength(text);
  if (size > bytes) {
    const message = `expected ${what} of at most ${bytes} bytes, got ${size}: remove what is not needed any more`;
    throw new PollcastError('BAD_REQUEST', message, { limit: bytes, bytes: size });
  }
  return text;
}

/** Of nested objects and lists. Walks no deeper than it has to. */
export function isDeeperThan(value: Json, levels: number): boolean {
  return depthOf(value, levels) > levels;
}

/** Looks no deeper than one level below `most`. */
function depthOf(value: Json, most: number): number {
  if (typeof value !== 'object' || value === null || most < 0) return 0;
  let deepest = 0;
  for (const part of Object.values<Json>(value)) deepest = Math.max(deepest, depthOf(part, most - 1));
  return deepest + 1;
}

/** A bucket for each user that changes something; those that are full again are not kept. */
export class ChangeRates {
  readonly #buckets = new Map<string, { tokens: number; at: number }>();

  constructor(private readonly limits: Pick<RoomLimits, 'burst' | 'perSecond'>) {}

  /** Throws `RATE_LIMITED`. `now`: monotonic ms. */
  take(user: string, now: number): void {
    const { burst, perSecond } = this.limits;
    if (this.#buckets.size > 1_000) this.#sweep(now);
    const tokens = this.#tokens(user, now);
    if (tokens < 1) {
      const retryAfterMs = Math.ceil(((1 - tokens) * 1_000) / perSecond);
      throw new PollcastError(
        'RATE_LIMITED',
        `at most ${perSecond} changes per second are taken of a user; try again in ${retryAfterMs} ms`,
        { retryAfterMs, limit: perSecond },
      );
    }
    this.#buckets.set(user, { tokens: Math.min(burst, tokens) - 1, at: now });
  }

  #tokens(user: string, now: number): number {
    const { burst, perSecond } = this.limits;
    const bucket = this.#buckets.get(user);
    return bucket ? Math.min(burst, bucket.tokens + ((now - bucket.at) * perSecond) / 1_000) : burst;
  }

  #sweep(now: number): void {
    for (const user of this.#buckets.keys()) {
      if (this.#tokens(user, now) >= this.limits.burst) this.#buckets.delete(user);
    }
  }
}
