import 'reflect-metadata';
import type { ProcessKind as Kind } from '../kernel/kind.js';

export const PROCESS_KIND = Symbol('pollcast kind of process');

/** What a class with `@ProcessKind()` implements: see docs/kernel.md. */
export type ProcessKind<A = unknown, M = unknown, R = unknown, S = unknown> = Kind<A, M, R, S>;

/**
 * Teaches the node's kernel a kind of process:
 *
 *     @Injectable()
 *     @ProcessKind()
 *     class Counter implements ProcessKind<{ start: number }, Add, number, number> { … }
 */
export function ProcessKind() {
  return (target: new (...args: never[]) => ProcessKind<never, never>): void => {
    Reflect.defineMetadata(PROCESS_KIND, true, target);
  };
}
