import { describe, PollcastError } from '../../errors.js';
import type { Clock } from '../../kernel/clock.js';
import type { Events, KernelEvent, KernelEvents } from '../../kernel/events.js';
import { nodeName } from '../../kernel/identity.js';

/** A kernel event as people read it. */
export interface LoggedEvent {
  /** Unlike that of any other event of the cluster. */
  readonly id: string;
  /** Wall clock ms. */
  readonly at: number;
  readonly node: string;
  readonly event: KernelEvent;
  /** The process or the node that it is about. */
  readonly about: string;
  readonly detail: string;
}

const KEPT = 200;

/** The last events of this node's kernel. */
export class EventLog {
  readonly #events: LoggedEvent[] = [];
  #count = 0;

  constructor(
    private readonly id: string,
    private readonly clock: Clock,
  ) {}

  follow(events: Pick<Events, 'onAny'>): () => void {
    return events.onAny((name, event) => this.#note(name, event));
  }

  /** Oldest first. */
  get last(): readonly LoggedEvent[] {
    return this.#events;
  }

  #note(event: KernelEvent, what: KernelEvents[KernelEvent]): void {
    const { name, node, ...rest } = what as { name?: string; node?: string } & Record<string, unknown>;
    this.#events.push({
      id: `${this.id}#${(this.#count += 1)}`,
      at: this.clock.now(),
      node: nodeName(this.id),
      event,
      about: name ?? (node === undefined ? nodeName(this.id) : nodeName(node)),
      detail: Object.entries(rest)
        .filter(([key]) => key !== 'kind')
        .map(([key, value]) => `${key} ${worded(key, value)}`)
        .join(', '),
    });
    if (this.#events.length > KEPT) this.#events.shift();
  }
}

/** Errors by their code only: their texts may tell too much. */
function worded(key: string, value: unknown): string {
  if (value instanceof PollcastError) return value.code;
  if (value instanceof Error) return value.name;
  if (key === 'to' && typeof value === 'string') return nodeName(value);
  return typeof value === 'object' ? JSON.stringify(value) : describe(value);
}
