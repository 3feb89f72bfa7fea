import type { NodeId } from './identity.js';
import type { Logger } from './log.js';
import type { StopReason } from './kind.js';

/** What happens in the kernel, as a documented API: for logs, metrics, the console and tests. */
export interface KernelEvents {
  /** A process runs here. `how`: as in `ProcessContext.origin`. */
  'process:started': { name: string; kind: string; fence: number; how: 'first' | 'takeover' | 'handover' | 'restart' };
  'process:stopped': { name: string; kind: string; reason: StopReason };
  /** It crashed and will be started again in `delayMs`; `failed` when it crashed too often in too short a time. */
  'process:crashed': { name: string; kind: string; error: unknown; restarts: number; failed: boolean; delayMs: number };
  'process:handed-over': { name: string; kind: string; to: NodeId };
  /** This node's lease on a running process is gone (`certain`) or in doubt. */
  'lease:lost': { name: string; certain: boolean };
  /** Two owners met; the lower fence stopped. */
  'process:conflict': { name: string; fence: number; other: number };
  'node:up': { node: NodeId };
  'node:suspect': { node: NodeId; evidence: string };
  'node:down': { node: NodeId; evidence: string };
  /** This node was buried by others, or the store lost its data: everything that was written there must be written again. */
  rejoined: { storeLost: boolean };
  /** The cluster answers (`up`) or does not. */
  link: { up: boolean };
}

export type KernelEvent = keyof KernelEvents;
type Listener<E extends KernelEvent> = (event: KernelEvents[E]) => void;

/** A listener's throw harms nobody: it is logged, the others are still called. */
export class Events {
  readonly #listeners = new Map<KernelEvent, Set<Listener<never>>>();
  readonly #any = new Set<(name: KernelEvent, event: KernelEvents[KernelEvent]) => void>();

  constructor(private readonly log: Logger) {}

  on<E extends KernelEvent>(name: E, listener: Listener<E>): () => void {
    const set = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, set);
    set.add(listener);
    return () => set.delete(listener);
  }

  /** Every event, for the console's log and for recorders. */
  onAny(listener: (name: KernelEvent, event: KernelEvents[KernelEvent]) => void): () => void {
    this.#any.add(listener);
    return () => this.#any.delete(listener);
  }

  emit<E extends KernelEvent>(name: E, event: KernelEvents[E]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      this.#guard(name, () => (listener as Listener<E>)(event));
    }
    for (const listener of [...this.#any]) this.#guard(name, () => listener(name, event));
  }

  #guard(name: KernelEvent, call: () => void): void {
    try {
      call();
    } catch (error) {
      this.log.error({ err: error, event: name }, 'a listener threw');
    }
  }
}
