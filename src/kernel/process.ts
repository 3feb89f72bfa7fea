import { PollcastError } from '../errors.js';
import { sleep, type Clock, type Timer } from './clock.js';
import type { Events } from './events.js';
import { Later, type ProcessContext, type ProcessKind, type Running, type StopReason } from './kind.js';
import type { Lease, LeaseKeeper } from './lease.js';
import type { Logger } from './log.js';
import { RestartHistory } from './restarts.js';
import type { ProcessRecord, ProcessState, StorePort } from './ports/store.js';

/** What a process needs of its node. */
export interface ProcessHost {
  readonly node: string;
  readonly clock: Clock;
  readonly store: StorePort;
  readonly keeper: LeaseKeeper;
  readonly events: Events;
  readonly log: Logger;
  readonly random: () => number;
  /** The process is over and out of the node's table. */
  onGone(process: OwnedProcess, reason: StopReason): void;
}

type Origin = ProcessContext<unknown>['origin'];

interface Letter {
  /** What the incarnation that takes it does with it. */
  run(instance: Running): unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** How long a stop waits for the message under way before it interrupts it. */
const STOP_PATIENCE_MS = 2_000;

/** A coded error ends a call without ending the process: an answer, not a bug. */
const isAnswer = (error: unknown): boolean => error instanceof PollcastError;
/**
 * A process that this node owns, over all its incarnations here.
 *
 *     starting → running → (crash) → starting …           restarts with backoff, under a new fence each
 *                   ↓          ↘ failed → starting         crashed too often; tried again later
 *                stopping → over                           handed over, retired, or its lease was lost
 *
 * One incarnation at a time, one message at a time. Every `await` below is followed by a look at whether the process
 * is still meant to go on: a lease may be lost and a stop may be asked for at any of them.
 */
export class OwnedProcess {
  readonly #queue: Letter[] = [];
  #instance: Running | null = null;
  #abort = new AbortController();
  #state: ProcessState = 'starting';
  #over = false;
  #working = false;
  /** What the incarnation has in hand. */
  #current: Letter | null = null;
  #holdsDirty = false;
  readonly #history = new RestartHistory();
  #restartTimer: Timer | null = null;
  #ending: Promise<void> | null = null;
  #started: Promise<void> = Promise.resolve();
  #stepping: Promise<void> = Promise.resolve();
  #freed: Promise<void> = Promise.resolve();
  restarts: number;
  error: string | null = null;

  constructor(
    private readonly host: ProcessHost,
    private readonly definition: ProcessKind,
    public record: ProcessRecord,
    readonly lease: Lease,
  ) {
    this.restarts = record.restarts;
  }

  get name(): string {
    return this.record.name;
  }

  get fence(): number {
    return this.record.fence;
  }

  get state(): ProcessState {
    return this.#state;
  }

  /** Messages that wait for their turn. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** Settles when it is over and out of its node's table; `null` while nothing has ended it. */
  get ending(): Promise<void> | null {
    return this.#ending;
  }

  /** Begins the first incarnation; resolves when it runs, or has crashed and will be tried again. */
  launch(saved: unknown, origin: Origin): Promise<void> {
    this.#started = this.#incarnate(saved, origin);
    return this.#started;
  }

  /** Queues a message; resolves with the answer. */
  deliver(message: unknown): Promise<unknown> {
    return this.#queued((instance) => {
      if (!instance.handle) throw new PollcastError('BAD_REQUEST', `${this.name} takes no messages`);
      return instance.handle(message);
    });
  }

  #queued(run: (instance: Running) => unknown): Promise<unknown> {
    if (this.#over || this.#ending) return Promise.reject(notHere(this.name));
    if (this.#state === 'failed') return Promise.reject(this.#failure());
    return new Promise((resolve, reject) => {
      this.#queue.push({ run, resolve, reject });
      this.#work();
    });
  }

  /** Tells it, between two messages, that its holds changed. Many changes make one call. */
  holdsChanged(): void {
    this.#holdsDirty = true;
    this.#work();
  }

  /** What it knows now, if its kind tells. */
  snapshot(): unknown {
    try {
      return this.#instance?.snapshot?.();
    } catch (error) {
      this.host.log.error({ err: error, name: this.name }, 'snapshot threw');
      return undefined;
    }
  }

  /** Gives it, between two messages, what another owner knew that was stopped for its lower fence. */
  async merge(lower: unknown): Promise<void> {
    await this.#queued((instance) => instance.merge?.(lower));
  }

  /** Writes anew that it is owned here: the store has lost it, or has gone back to an older state. */
  async claimAgain(): Promise<void> {
    const { host, name, fence } = this;
    const taken = this.lease.alive() && (await host.store.claim(name, host.node, fence));
    if (taken && !this.#ending) await this.#enter(this.#state, null);
  }

  /** A report that did not get through: its state is told once more. */
  reportAgain(): Promise<void> {
    return this.#enter(this.#state, null);
  }

  /**
   * Ends it here. Idempotent: callers share one promise. The lease is released afterwards but for `handover` (the
   * successor takes it) and `lease-lost`.
   */
  stop(reason: StopReason): Promise<void> {
    this.#ending ??= this.#end(reason);
    return this.#ending;
  }

  async #incarnate(saved: unknown, origin: Origin): Promise<void> {
    const abort = new AbortController();
    this.#abort = abort;
    this.#working = false;
    const { host } = this;
    try {
      const instance = await this.definition.start(this.record.args, this.#context(abort, saved, origin));
      // Before the next await: it may end, or fail, while its state is being reported.
      instance.done?.then(
        () => this.#finished(abort),
        (error: unknown) => this.#crashed(abort, error),
      );
      if (abort.signal.aborted) {
        // Stopped while it was starting: whoever stopped it waits for `#started` and found no instance.
        await instance.stop?.(abort.signal.reason as StopReason);
        return;
      }
      this.#instance = instance;
      await this.#enter('running', abort);
      if (abort.signal.aborted) return;
      host.events.emit('process:started', { name: this.name, kind: this.record.kind, fence: this.fence, how: origin });
      this.#work();
    } catch (error) {
      this.#crashed(abort, error);
    }
  }

  #context(abort: AbortController, saved: unknown, origin: Origin): ProcessContext<unknown> {
    const { host, lease } = this;
    const { name, fence } = this.record;
    const owns = (): boolean => !abort.signal.aborted && lease.alive();
    return {
      name,
      node: host.node,
      fence,
      signal: abort.signal,
      clock: host.clock,
      log: host.log,
      owns,
      saved,
      origin,
      save: async (state) => {
        if (!(await host.store.save(name, fence, JSON.stringify(state)))) {
          // One that has crashed already is overtaken by its own successor here, which must not suffer for it.
          if (!abort.signal.aborted) void this.stop('lease-lost');
          throw new PollcastError('CONFLICT', `another owner of ${name} has a higher fence than ${fence}`);
        }
      },
      holds: () => host.store.holds(name),
      retire: async () => {
        if (!owns()) return false;
        const retired = await host.store.retire(name, fence);
        // Not awaited: the caller is the process itself, and stopping waits for it.
        if (retired) void this.stop('retired');
        return retired;
      },
    };
  }

  /** One message at a time, while there is an incarnation to take them. */
  #work(): void {
    if (this.#working || !this.#instance || this.#over || this.#ending) return;
    if (this.#queue.length === 0 && !this.#holdsDirty) return;
    this.#working = true;
    const abort = this.#abort;
    this.#stepping = this.#step(this.#instance, abort).finally(() => {
      // One that outlives its incarnation must not hold up the next.
      if (this.#abort !== abort) return;
      this.#working = false;
      this.#work();
    });
  }

  async #step(instance: Running, abort: AbortController): Promise<void> {
    if (this.#holdsDirty) {
      this.#holdsDirty = false;
      try {
        await instance.holdsChanged?.();
      } catch (error) {
        return this.#crashed(abort, error);
      }
    }
    const letter = this.#queue.shift();
    if (!letter) return;
    this.#current = letter;
    try {
      const answer = await letter.run(instance);
      if (answer instanceof Later) answer.answer.then(letter.resolve, letter.reject);
      else letter.resolve(answer);
    } catch (error) {
      if (isAnswer(error)) return letter.reject(error);
      letter.reject(this.#interrupted());
      this.#crashed(abort, error);
    } finally {
      if (this.#current === letter) this.#current = null;
    }
  }

  #finished(abort: AbortController): void {
    if (abort.signal.aborted || this.#ending) return;
    if (this.definition.restart === 'permanent') this.#crashed(abort, new Error('it ended, but is to run for ever'));
    else void this.#retireAndStop();
  }

  async #retireAndStop(): Promise<void> {
    try {
      await this.host.store.retire(this.name, this.fence, true);
    } catch (error) {
      // The spec stays, so a survivor may run it once more: `done` is at least once.
      this.host.log.warn({ err: error, name: this.name }, 'finished, but its spec could not be removed');
    }
    await this.stop('retired');
  }

  #crashed(abort: AbortController, error: unknown): void {
    if (abort.signal.aborted || this.#ending) return;
    abort.abort('crash' satisfies StopReason);
    const instance = this.#instance;
    this.#instance = null;
    this.#current?.reject(this.#interrupted());
    const { host, definition } = this;
    this.restarts += 1;
    this.error = error instanceof Error ? error.message : String(error);
    this.#freed = this.#free(instance, 'crash');
    if (definition.restart === 'temporary') {
      host.events.emit('process:crashed', this.#crashEvent(error, true, 0));
      return void this.#retireAndStop();
    }
    const { failed, delayMs } = this.#history.next(error, host.clock.monotonic(), host.random());
    host.events.emit('process:crashed', this.#crashEvent(error, failed, delayMs));
    void this.#enter(failed ? 'failed' : 'starting', null);
    if (failed) this.#refuseAll(this.#failure());
    this.#restartTimer = host.clock.after(delayMs, () => {
      this.#restartTimer = null;
      this.#started = this.#again();
    });
  }

  #crashEvent(error: unknown, failed: boolean, delayMs: number) {
    return { name: this.name, kind: this.record.kind, error, restarts: this.restarts, failed, delayMs };
  }

  /** A new incarnation under a new fence, so that nothing the crashed one still has under way is accepted. */
  async #again(): Promise<void> {
    const { host } = this;
    try {
      await this.#freed;
      const fence = await host.keeper.fence(this.lease);
      if (this.#ending) return;
      // Hung since the fence was minted, the lease may be another's.
      const record = fence !== null && this.lease.alive() ? await host.store.claim(this.name, host.node, fence) : null;
      if (this.#ending) return;
      if (!record) return void this.stop('lease-lost');
      this.record = record;
      const saved = await host.store.load(this.name);
      if (this.#ending) return;
      await this.#incarnate(saved === null ? null : JSON.parse(saved), 'restart');
    } catch (error) {
      // An outage of the cluster is no crash: wait for it, the lease keeper decides when to give up.
      host.log.debug({ err: error, name: this.name }, 'restart waits for the cluster');
      if (this.#ending) return;
      this.#restartTimer = host.clock.after(200 + host.random() * 200, () => {
        this.#restartTimer = null;
        this.#started = this.#again();
      });
    }
  }

  async #enter(state: ProcessState, abort: AbortController | null): Promise<void> {
    this.#state = state;
    const { fence } = this;
    try {
      const ours = await this.host.store.report(this.name, fence, state, this.restarts, this.error);
      // Overtaken, unless it was by ourselves: by the next incarnation here.
      if (!ours && fence === this.fence && !abort?.signal.aborted) void this.stop('lease-lost');
    } catch (error) {
      this.host.log.debug({ err: error, name: this.name, state }, 'state not reported');
    }
  }

  async #end(reason: StopReason): Promise<void> {
    this.#state = 'stopping';
    this.#restartTimer?.cancel();
    this.#refuseAll(notHere(this.name));
    // While the lease is ours the message under way is finished: its sender gets an answer, not a doubt.
    if (reason === 'handover') void this.#enter('stopping', null);
    if (reason !== 'lease-lost') await this.#finishStep();
    this.#abort.abort(reason);
    // An instance that was still starting frees itself in `#incarnate`, which sees the abort.
    if (!this.#instance) await this.#started;
    await this.#free(this.#instance, reason);
    await this.#freed;
    this.#current?.reject(this.#interrupted());
    this.#instance = null;
    this.#over = true;
    if (reason === 'retired') await this.host.keeper.release(this.lease);
    else if (reason === 'lease-lost') this.host.keeper.forget(this.lease);
    this.host.onGone(this, reason);
    this.host.events.emit('process:stopped', { name: this.name, kind: this.record.kind, reason });
  }

  async #finishStep(): Promise<void> {
    if (!this.#working) return;
    const patience = new AbortController();
    await Promise.race([this.#stepping, sleep(this.host.clock, STOP_PATIENCE_MS, patience.signal)]);
    patience.abort();
  }

  async #free(instance: Running | null, reason: StopReason): Promise<void> {
    try {
      await instance?.stop?.(reason);
    } catch (error) {
      this.host.log.error({ err: error, name: this.name, reason }, 'stop threw');
    }
  }

  #refuseAll(error: PollcastError): void {
    for (const letter of this.#queue.splice(0)) letter.reject(error);
  }

  #interrupted(): PollcastError {
    return new PollcastError('UNAVAILABLE', `${this.name} ended while it had this message in hand`, { crashed: true });
  }

  #failure(): PollcastError {
    return new PollcastError('UNAVAILABLE', `${this.name} has crashed too often; it is tried again later`);
  }
}

/** Tells the mailbox that the message was not taken: sending it again elsewhere is safe. */
export const NOT_HERE = 'not-here';

export function notHere(name: string): PollcastError {
  return new PollcastError('UNAVAILABLE', `${name} does not run on this node`, { [NOT_HERE]: true });
}

export function isNotHere(error: unknown): boolean {
  return error instanceof PollcastError && (error.details as Record<string, unknown> | undefined)?.[NOT_HERE] === true;
}
