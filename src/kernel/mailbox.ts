import { PollcastError, toPollcastError, type WireError } from '../errors.js';
import { sleep, type Clock, type Timer } from './clock.js';
import type { NodeId } from './identity.js';
import type { Logger } from './log.js';
import { isNotHere, notHere } from './process.js';
import type { ClusterPorts } from './ports/cluster.js';
import type { Unsubscribe } from './ports/bus.js';

/** To a process by its name, or (`to: 'kernel'`) to a node's kernel itself. */
export type Address = { readonly to: 'process'; readonly name: string } | { readonly to: 'kernel' };

type Envelope =
  | { t: 'call'; id: number; from: NodeId; at: Address; m: unknown }
  /** `hop`: passed on by a node that was its owner once; not passed on again. */
  | { t: 'cast'; at: Address; m: unknown; hop?: true }
  | { t: 'reply'; id: number; v?: unknown; e?: WireError };

interface Pending {
  readonly node: NodeId;
  resolve(value: unknown): void;
  reject(error: Error): void;
  timer: Timer;
}

export interface CallOptions {
  /** Default 5,000. */
  readonly timeoutMs?: number;
  /** Send it again when the owner died, or the link broke, with the answer outstanding. Only for messages that may arrive twice. */
  readonly idempotent?: boolean;
  /** Asked before it is sent once more: what nobody waits for any more is let be. */
  readonly wanted?: () => boolean;
}

/** How messages reach this node's own processes and kernel. */
export interface Local {
  deliver(at: Address, message: unknown, from: NodeId): Promise<unknown>;
  /** The node that owns a name now, or `null`. */
  locate(name: string): Promise<NodeId | null>;
}

const RETRY_MS = 25;
/** How often an answer is sent again that could not be sent, each time after twice as long: some 1.6 s in all. */
const REPLY_TRIES = 6;

/**
 * Messages to names and to nodes. At most once unless `idempotent`: a call ends in the answer, in a coded error, or
 * in `UNAVAILABLE` when its time is up or its owner is gone. Messages of one tick to one node travel together.
 */
export class Mailbox {
  readonly #pending = new Map<number, Pending>();
  readonly #owners = new Map<string, NodeId>();
  #outbox = new Map<NodeId, Envelope[]>();
  #flushing = false;
  #next = 1;
  #unsubscribe: Unsubscribe | null = null;
  #unlink: (() => void) | null = null;
  readonly #closing = new AbortController();

  constructor(
    private readonly ports: ClusterPorts,
    private readonly local: Local,
    private readonly clock: Clock,
    private readonly log: Logger,
  ) {}

  async open(): Promise<void> {
    this.#unlink = this.ports.bus.onLink((up) => up && this.#afterGap());
    this.#unsubscribe = await this.ports.bus.subscribe(inbox(this.ports.node), (text) => this.#receive(text));
  }

  async close(): Promise<void> {
    for (const pending of [...this.#pending.values()])
      pending.reject(new PollcastError('UNAVAILABLE', 'this node stops'));
    this.#unlink?.();
    this.#closing.abort();
    await this.#flush();
    // Not waited for: what still comes is not for us, and a cluster that does not answer is not to hold us up.
    void this.#unsubscribe?.();
  }

  /** Answers may have been lost while nothing reached us; nobody is to wait for them. */
  #afterGap(): void {
    for (const pending of [...this.#pending.values()]) {
      pending.reject(
        new PollcastError('UNAVAILABLE', 'the answer may have been lost: the link was broken', { lost: true }),
      );
    }
  }

  /** Where a name lives may have changed: ask again next time. */
  forgetOwner(name: string): void {
    this.#owners.delete(name);
  }

  /** Somebody has just read where it lives. */
  learnOwner(name: string, node: NodeId): void {
    if (node === this.ports.node) this.#owners.delete(name);
    else this.#owners.set(name, node);
  }

  /** A node is gone: its answers will not come. */
  nodeDown(node: NodeId): void {
    for (const [name, owner] of this.#owners) if (owner === node) this.#owners.delete(name);
    for (const pending of [...this.#pending.values()]) {
      if (pending.node === node)
        pending.reject(new PollcastError('UNAVAILABLE', 'the node that was asked is gone', { nodeDown: true }));
    }
  }

  /** Calls a process by name, wherever it lives; waits for an owner while there is none. */
  async call(name: string, message: unknown, options: CallOptions = {}): Promise<unknown> {
    const deadline = this.clock.monotonic() + (options.timeoutMs ?? 5_000);
    for (;;) {
      const leftMs = deadline - this.clock.monotonic();
      if (leftMs <= 0) throw new PollcastError('UNAVAILABLE', `${name} did not answer in time`);
      try {
        const node = await this.locate(name);
        if (node) return await this.callNode(node, { to: 'process', name }, message, leftMs);
      } catch (error) {
        const again = isNotHere(error) || (options.idempotent === true && isLost(error));
        if (!again) throw error;
        this.#owners.delete(name);
      }
      await sleep(this.clock, Math.min(RETRY_MS, Math.max(1, deadline - this.clock.monotonic())));
      if (options.wanted?.() === false) throw new PollcastError('UNAVAILABLE', `nobody waits for ${name} any more`);
    }
  }

  /** Sends without an answer; lost when nobody is there. Whoever does not own it any more passes it on, once. */
  async cast(name: string, message: unknown): Promise<void> {
    const node = await this.locate(name);
    if (node) this.castNode(node, { to: 'process', name }, message);
  }

  callNode(node: NodeId, at: Address, message: unknown, timeoutMs = 5_000): Promise<unknown> {
    if (node === this.ports.node) return this.#callHere(at, message, timeoutMs);
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      const settle = (end: () => void): void => {
        if (!this.#pending.delete(id)) return;
        timer.cancel();
        end();
      };
      const timer = this.clock.after(timeoutMs, () => settle(() => reject(noAnswer(timeoutMs))));
      this.#pending.set(id, {
        node,
        timer,
        resolve: (value) => settle(() => resolve(value)),
        reject: (error) => settle(() => reject(error)),
      });
      this.#post(node, { t: 'call', id, from: this.ports.node, at, m: message });
    });
  }

  #callHere(at: Address, message: unknown, timeoutMs: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const timer = this.clock.after(timeoutMs, () => reject(noAnswer(timeoutMs)));
      this.local
        .deliver(at, message, this.ports.node)
        .then(resolve, reject)
        .finally(() => timer.cancel());
    });
  }

  castNode(node: NodeId, at: Address, message: unknown): void {
    if (node === this.ports.node) void this.#take({ t: 'cast', at, m: message }, node);
    else this.#post(node, { t: 'cast', at, m: message });
  }

  async #take(envelope: Envelope & { t: 'cast' }, from: NodeId): Promise<void> {
    const { at, m, hop } = envelope;
    try {
      try {
        await this.local.deliver(at, m, from);
      } catch (error) {
        if (at.to !== 'process' || hop || !isNotHere(error)) throw error;
        this.#owners.delete(at.name);
        const node = await this.locate(at.name);
        if (!node || node === this.ports.node) throw error;
        this.#post(node, { ...envelope, hop: true });
      }
    } catch (error) {
      this.log.debug({ err: error, at }, 'cast not taken');
    }
  }

  /** Where a name lives, as far as is known here; may be out of date. */
  async locate(name: string): Promise<NodeId | null> {
    const known = this.#owners.get(name);
    if (known) return known;
    const owner = await this.local.locate(name);
    // What is here is asked for here each time.
    if (owner && owner !== this.ports.node) this.#owners.set(name, owner);
    return owner;
  }

  #post(node: NodeId, envelope: Envelope): void {
    const box = this.#outbox.get(node);
    if (box) box.push(envelope);
    else this.#outbox.set(node, [envelope]);
    if (this.#flushing) return;
    this.#flushing = true;
    setImmediate(() => void this.#flush());
  }

  async #flush(): Promise<void> {
    const outbox = this.#outbox;
    this.#outbox = new Map();
    this.#flushing = false;
    await Promise.all([...outbox].map(([node, box]) => this.#send(node, box)));
  }

  async #send(node: NodeId, box: readonly Envelope[], tries = 0): Promise<void> {
    try {
      if ((await this.ports.bus.publish(inbox(node), JSON.stringify(box))) > 0) return;
      // It is dead, or its link is just broken: it has not got them, so they may be sent again.
      for (const envelope of box) if (envelope.t === 'call') this.#fail(envelope, unheard(envelope.at));
    } catch (error) {
      // The callers learn it at once instead of by their time-outs.
      for (const envelope of box) if (envelope.t === 'call') this.#fail(envelope, toPollcastError(error));
    }
    void this.#answerAgain(node, box, tries);
  }

  /** Whoever waits for an answer hears of nothing else: where this node's line, or his, is only coming back, it is sent again. */
  async #answerAgain(node: NodeId, box: readonly Envelope[], tries: number): Promise<void> {
    const replies = box.filter(({ t }) => t === 'reply');
    if (replies.length === 0 || tries >= REPLY_TRIES) return;
    await sleep(this.clock, RETRY_MS * 2 ** tries, this.#closing.signal);
    if (!this.#closing.signal.aborted) await this.#send(node, replies, tries + 1);
  }

  #fail({ id }: Envelope & { t: 'call' }, error: PollcastError): void {
    this.#pending.get(id)?.reject(error);
  }

  #receive(text: string): void {
    for (const envelope of JSON.parse(text) as Envelope[]) {
      if (envelope.t === 'reply') {
        const pending = this.#pending.get(envelope.id);
        if (envelope.e) pending?.reject(PollcastError.fromWire(envelope.e));
        else pending?.resolve(envelope.v);
      } else if (envelope.t === 'cast') {
        void this.#take(envelope, '');
      } else {
        const { id, from } = envelope;
        this.local.deliver(envelope.at, envelope.m, from).then(
          (value) => this.#post(from, { t: 'reply', id, v: value }),
          (error: unknown) => this.#post(from, { t: 'reply', id, e: toPollcastError(error).toWire() }),
        );
      }
    }
  }
}

export function inbox(node: NodeId): string {
  return `inbox:${node}`;
}

function unheard(at: Address): PollcastError {
  return notHere(at.to === 'process' ? at.name : 'its kernel');
}

function noAnswer(timeoutMs: number): PollcastError {
  return new PollcastError('UNAVAILABLE', `no answer within ${Math.round(timeoutMs)} ms`);
}

/** Whether it was done, nobody knows: whoever was to answer has died, or the answer was lost on its way. */
function isLost(error: unknown): boolean {
  if (!(error instanceof PollcastError)) return false;
  const details = error.details as Record<string, unknown> | undefined;
  return details?.['nodeDown'] === true || details?.['lost'] === true;
}
