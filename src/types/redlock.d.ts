/** What we use of redlock 4.2.0, which carries no types. */
declare module 'redlock' {
  import type { EventEmitter } from 'node:events';

  export interface RedlockOptions {
    driftFactor?: number;
    retryCount?: number;
    retryDelay?: number;
    retryJitter?: number;
  }

  export class Lock {
    constructor(redlock: Redlock, resource: string[], value: string, expiration: number, attempts: number, attemptsRemaining: number);
    readonly resource: string[];
    readonly value: string;
    /** Wall clock ms. */
    readonly expiration: number;
  }

  export class LockError extends Error {}

  export default class Redlock extends EventEmitter {
    static readonly Lock: typeof Lock;
    static readonly LockError: typeof LockError;
    constructor(clients: readonly object[], options?: RedlockOptions);
    lock(resource: string, ttl: number): PromiseLike<Lock>;
    extend(lock: Lock, ttl: number): PromiseLike<Lock>;
    unlock(lock: Lock): PromiseLike<void>;
    /** Makes the value of a new lock. */
    protected _random(): string;
  }
}
