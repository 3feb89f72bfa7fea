/** What we use of redlock 4.2.0, which carries no types. It is CommonJS: Node sees its default export alone. */
declare module 'redlock' {
  import type { EventEmitter } from 'node:events';

  export interface RedlockOptions {
    driftFactor?: number;
    retryCount?: number;
    retryDelay?: number;
    retryJitter?: number;
  }

  interface Lock {
    readonly resource: string[];
    readonly value: string;
    /** Wall clock ms. */
    readonly expiration: number;
  }

  class LockError extends Error {}

  export default class Redlock extends EventEmitter {
    static readonly LockError: typeof LockError;
    constructor(clients: readonly object[], options?: RedlockOptions);
    lock(resource: string, ttl: number): PromiseLike<Lock>;
    extend(lock: Lock, ttl: number): PromiseLike<Lock>;
    unlock(lock: Lock): PromiseLike<void>;
    /** Makes the value of a new lock. */
    protected _random(): string;
  }
}
