import type { Clock } from './clock.js';
import type { NodeId } from './identity.js';
import type { Logger } from './log.js';
import type { Hold, NodeSighting, ProcessRecord } from './ports/store.js';

/** Why a process is asked to stop. */
export type StopReason =
  /** It leaves for another node: its successor starts right after `stop` resolves. */
  | 'handover'
  /** An operator, or the process itself, ends it for good. */
  | 'retired'
  /** The lease is gone or in doubt: somebody else may run already. Nothing may be written any more. */
  | 'lease-lost'
  /** It crashed; its resources are to be freed before the restart. */
  | 'crash';

/** What a running process may ask of the kernel. `M` are the messages it takes, `S` its backup. */
export interface ProcessContext<S> {
  readonly name: string;
  readonly node: NodeId;
  /** Rises with every owner; goes with everything that is written for others. */
  readonly fence: number;
  /** Fires when the process must stop; its reason is a `StopReason`. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly log: Logger;
  /**
   * Whether the lease is surely ours at this very moment, by both clocks. Synchronous: to be asked right before
   * each effect, with no `await` between.
   */
  owns(): boolean;
  /** The backup that the last owner, or the last incarnation here, left; `null` on a first start. */
  readonly saved: S | null;
  /** How this incarnation came to be. */
  readonly origin: 'first' | 'takeover' | 'handover' | 'restart';
  /** Keeps `state` for the next owner. Rejects with `CONFLICT` when the fence was overtaken (the process is then stopped). */
  save(state: S): Promise<void>;
  holds(): Promise<Hold[]>;
  /**
   * Ends this process for good unless somebody holds it: the check and the end are one operation, so a hold that
   * comes at the same moment either keeps it or starts it anew. Resolves `false` when it goes on.
   */
  retire(): Promise<boolean>;
}

/**
 * An answer that comes later, while the process goes on with its next message: as `gen_server:reply/2`. The process
 * settles it itself, also when it stops.
 */
export class Later<R> {
  constructor(readonly answer: Promise<R>) {}
}

/** A running incarnation of a process. */
export interface Running<M = unknown, R = unknown> {
  /** Takes one message at a time. A coded error is the caller's answer; any other throw is a crash. */
  handle?(message: M): Promise<R | Later<R>> | R | Later<R>;
  /** Somebody's hold on the process came, went or changed. Called between messages. */
  holdsChanged?(): Promise<void> | void;
  /** What it knows now, for `merge` of a successor. */
  snapshot?(): unknown;
  /** Two owners met and the other one, with the lower fence, has stopped: this is what it knew. */
  merge?(lower: unknown): Promise<void> | void;
  /** Frees what it holds. After it resolves nothing may be written. Must not throw; runs once. */
  stop?(reason: StopReason): Promise<void> | void;
  /** Rejects: the process crashed. Resolves: it is done, and its spec ends. Absent: it runs until stopped. */
  done?: Promise<void>;
}

/**
 * A kind of process. Restart rules are OTP's (https://www.erlang.org/doc/system/sup_princ.html#restart-strategy):
 * `permanent` is always restarted, `transient` (the default) only after a crash, `temporary` never.
 */
export interface ProcessKind<A = unknown, M = unknown, R = unknown, S = unknown> {
  readonly kind: string;
  readonly restart?: 'permanent' | 'transient' | 'temporary';
  /**
   * Which node a new process should start on, best first, out of `nodes`: those that take work and know this kind.
   * Default: the node that asks for it (`here`), if it may.
   */
  place?(nodes: readonly NodeSighting[], here: NodeId, record: ProcessRecord): readonly NodeId[];
  /**
   * Whether this node has room for one more; asked right before it would take one, from whomever. `running`: how many of
   * this kind it has now. One that no node admits waits without an owner, and is tried again.
   */
  admit?(name: string, running: number): boolean;
  /**
   * This node is the likely successor in a handover: what takes long is done now, while the process still runs on its
   * node. Resolves `true` when it is ready. Nothing is promised: `start` may come later, or never, so what was made ready
   * has to be thrown away after a while.
   */
  prepare?(record: ProcessRecord): Promise<boolean>;
  start(args: A, context: ProcessContext<S>): Promise<Running<M, R>> | Running<M, R>;
}
