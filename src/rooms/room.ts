import { PollcastError } from '../errors.js';
import type { Timer } from '../kernel/clock.js';
import { Later, type ProcessContext, type Running, type StopReason } from '../kernel/kind.js';
import type { Json, JsonObject } from '../merge-patch.js';
import { GroupCommit } from './group-commit.js';
import { assertSize, ChangeRates, type RoomLimits } from './limits.js';
import { migrate } from './migrations.js';
import type { Offenders } from './offenders.js';
import { Roll } from './roll.js';
import { eventOf, fold, NOTHING, type Change, type Member, type RoomEvent, type RoomState } from './room-state.js';
import type { RoomStore } from './store/store.js';

export type RoomMessage =
  | { readonly do: 'join'; readonly user: string; readonly name: string }
  | { readonly do: 'leave'; readonly user: string }
  | { readonly do: 'change'; readonly version: number; readonly patch: JsonObject; readonly by: string }
  | { readonly do: 'status'; readonly status: Json; readonly by: string };

/** What somebody who comes in sees. */
export interface RoomSnapshot {
  readonly version: number;
  readonly state: JsonObject;
  readonly status: Json;
  readonly members: readonly Member[];
}

export interface RoomSettings {
  /** How long somebody without a window is still there. */
  readonly memberLingerMs: number;
  /** How long an empty room runs on. */
  readonly lingerMs: number;
  /** How long an empty room's state is kept. */
  readonly keepMs: number;
  readonly limits: RoomLimits;
}

export interface RoomParts {
  readonly store: RoomStore;
  readonly settings: RoomSettings;
  readonly offenders: Offenders;
  readonly metrics: RoomMetrics;
  /** Instead of the real one in tests that need a bug. */
  readonly fold?: typeof fold;
}

export interface RoomMetrics {
  committed(events: number): void;
  refusedAsCrashing(): void;
}

/** How long a stop waits for what is not written yet. */
const STOP_PATIENCE_MS = 2_000;

/**
 * A room's process. What happens in it, happens one after the other in memory; it is acknowledged, and told to the
 * members, only when it is written. Who is there is read from the holds of the nodes that they are connected to.
 */
export class Room implements Running<RoomMessage, unknown> {
  readonly #commits: GroupCommit<RoomState, RoomEvent>;
  readonly #rates: ChangeRates;
  readonly #roll: Roll;
  readonly #fold: typeof fold;
  readonly #unlink: () => void;
  #fail!: (error: unknown) => void;
  readonly done = new Promise<void>((_resolve, reject) => (this.#fail = reject));
  #emptyTimer: Timer | null = null;
  #stopping: StopReason | null = null;

  static async start(room: string, parts: RoomParts, context: ProcessContext<null>): Promise<Room> {
    const opened = await parts.store.open(room, context.fence);
    if (opened === 'refused') throw new PollcastError('CONFLICT', 'a higher fence was seen');
    return new Room(room, parts, context, opened.saved === null ? null : migrate(opened.saved));
  }

  private constructor(
    private readonly room: string,
    private readonly parts: RoomParts,
    private readonly context: ProcessContext<null>,
    saved: RoomState | null,
  ) {
    const { clock } = context;
    this.#fold = parts.fold ?? fold;
    this.#rates = new ChangeRates(parts.settings.limits);
    this.#commits = new GroupCommit<RoomState, RoomEvent>(saved ?? NOTHING, {
      clock,
      write: (group) => this.#write(group.state, group.events),
      // What stops in order still writes what it has: its successor waits for that.
      mayWrite: () => (this.#stopping ? this.#stopping !== 'lease-lost' : context.owns()),
      failed: (error) => this.#fail(error),
    });
    this.#roll = new Roll({
      clock,
      lingerMs: parts.settings.memberLingerMs,
      present: async () => (await context.holds()).map(({ detail }) => JSON.parse(detail) as Member),
      known: () => this.#commits.present.members,
      join: (member) => this.#full || this.#byRoll({ do: 'join', member }),
      leave: (user) => this.#byRoll({ do: 'leave', user }),
      settled: () => this.#watchEmptiness(),
      log: context.log,
    });
    // Versions of a room that was forgotten, or lost, never come back: a clock is where nobody has counted to.
    if (!saved) this.#add({ do: 'open', version: clock.now() });
    this.#unlink = parts.store.onLink((up) => up && this.#commits.repeat());
    this.#roll.call();
  }

  handle(message: RoomMessage): Later<unknown> {
    switch (message.do) {
      case 'join':
        return this.#join(message.user, message.name);
      case 'leave':
        this.#roll.goodbye(message.user);
        return new Later(this.#commits.settled());
      case 'change':
        return this.#change({ ...message, do: 'patch' });
      case 'status':
        return this.#change(message);
    }
  }

  holdsChanged(): void {
    this.#roll.call();
  }

  async stop(reason: StopReason): Promise<void> {
    this.#stopping = reason;
    this.#unlink();
    this.#roll.close();
    this.#emptyTimer?.cancel();
    const gone = new PollcastError('UNAVAILABLE', 'the room is moving; try again');
    if (reason === 'lease-lost') return this.#commits.abort(gone);
    const late = this.context.clock.after(STOP_PATIENCE_MS, () => void this.#commits.abort(gone));
    await this.#commits.settled().catch(() => undefined);
    late.cancel();
    await this.#commits.abort(gone);
  }

  #join(user: string, name: string): Later<RoomSnapshot> {
    const known = this.#commits.present.members.find((member) => member.user === user);
    if (!known && this.#full) throw tooManyMembers(this.parts.settings.limits.members);
    const since = known?.since ?? this.context.clock.now();
    if (known?.name !== name) this.#add({ do: 'join', member: { user, name, since } });
    this.#roll.came(user);
    // Its hold may be gone again already, and the word of it may have overtaken this message.
    this.#roll.call();
    return new Later(this.#whenWritten());
  }

  get #full(): boolean {
    return this.#commits.present.members.length >= this.parts.settings.limits.members;
  }

  async #whenWritten(): Promise<RoomSnapshot> {
    await this.#commits.settled();
    const { version, state, status, members } = this.#commits.written;
    return { version, state, status, members };
  }

  #change(change: Extract<Change, { by: string }>): Later<{ version: number }> {
    const { limits } = this.parts.settings;
    this.#rates.take(change.by, this.context.clock.monotonic());
    if (this.#commits.waiting >= limits.waiting) {
      throw new PollcastError('UNAVAILABLE', 'changes cannot be saved as fast as they come; try again');
    }
    try {
      const [state, event] = this.#next(change);
      return new Later(this.#commits.add(state, event).then(() => ({ version: event.version })));
    } catch (error) {
      if (error instanceof PollcastError && error.code === 'CONFLICT') return new Later(this.#stale(error));
      throw error;
    }
  }

  /** The version that it is told must be one that it can see. */
  async #stale(error: PollcastError): Promise<never> {
    await this.#commits.settled();
    const { version } = this.#commits.written;
    throw new PollcastError('CONFLICT', error.message, { version });
  }

  /** The room after a change. Throws what refuses it; a bug is thrown as such, and crashes the room, but not twice. */
  #next(change: Change): [RoomState, RoomEvent] {
    const { limits } = this.parts.settings;
    const { present } = this.#commits;
    try {
      const event = eventOf(this.room, present, change, this.context.clock.now());
      const state = this.#fold(present, event);
      if (change.do === 'patch') assertSize('a state', state.state, limits.stateBytes, limits.depth);
      if (change.do === 'status') assertSize('a status', state.status, limits.statusBytes, limits.depth);
      return [state, event];
    } catch (error) {
      throw error instanceof PollcastError ? error : this.#crash(change, error);
    }
  }

  /** What a change that fails by a bug ends in: a crash, or when that did not help, a refusal. */
  #crash(change: Change, error: unknown): unknown {
    const { context, parts } = this;
    // The same join, whenever it is tried.
    const known = change.do === 'join' ? { ...change.member, since: 0 } : change;
    if (parts.offenders.mayCrash(this.room, known, context.clock.monotonic())) return error;
    context.log.error({ err: error, room: this.room, do: change.do }, 'a change crashes its room: refused');
    parts.metrics.refusedAsCrashing();
    return new PollcastError('BAD_REQUEST', 'this change makes the room fail, and was not made; it has been reported');
  }

  #add(change: Change): void {
    const [state, event] = this.#next(change);
    // Nobody waits for it: what becomes of it shows in what is written.
    this.#commits.add(state, event).catch(() => undefined);
  }

  /** Nobody's message: its crash is the process's own, and its refusal is in the log. */
  #byRoll(change: Change): void {
    try {
      this.#add(change);
    } catch (error) {
      if (!(error instanceof PollcastError)) this.#fail(error);
    }
  }

  async #write(state: RoomState, events: readonly RoomEvent[]): Promise<boolean> {
    const { store, settings, metrics } = this.parts;
    const { version, status, members } = state;
    const at = events.at(-1)?.at ?? this.context.clock.now();
    const written = await store.commit(this.room, this.context.fence, {
      head: { room: this.room, version, status, members: members.length, at },
      state: JSON.stringify(state),
      events,
      keepMs: members.length > 0 ? null : settings.keepMs,
    });
    if (written) metrics.committed(events.length);
    return written;
  }

  /** An empty room ends after a while, unless somebody holds it again. */
  #watchEmptiness(): void {
    if (this.#stopping || this.#roll.size > 0 || this.#commits.present.members.length > 0) {
      this.#emptyTimer?.cancel();
      this.#emptyTimer = null;
      return;
    }
    this.#emptyTimer ??= this.context.clock.after(this.parts.settings.lingerMs, () => void this.#end());
  }

  async #end(): Promise<void> {
    this.#emptyTimer = null;
    try {
      await this.#commits.settled();
      if (this.#stopping || this.#commits.present.members.length > 0) return;
      if (await this.context.retire()) return;
    } catch (error) {
      this.context.log.debug({ err: error, room: this.room }, 'an empty room could not end yet');
    }
    this.#roll.call();
  }
}

function tooManyMembers(limit: number): PollcastError {
  return new PollcastError('RATE_LIMITED', `${limit} are in this room, the most there may be: try again later`, {
    limit,
    retryAfterMs: 5_000,
  });
}
