import { PollcastError } from '../errors.js';
import type { NodeId } from '../kernel/identity.js';
import type { ProcessContext, Running } from '../kernel/kind.js';
import type { Timer } from '../kernel/clock.js';
import type { NodeSighting, ProcessRecord, ProcessSpec } from '../kernel/ports/store.js';
import type { Library } from './library.js';
import {
  isOver,
  queued,
  RECORDING_KIND,
  recordingName,
  recordingSpec,
  type EndReason,
  type Progress,
  type Recording,
  type RecordingArgs,
} from './recording.js';

export type PoolMessage =
  | { readonly do: 'start'; readonly args: RecordingArgs }
  | { readonly do: 'stop'; readonly id: string; readonly reason: EndReason }
  | { readonly do: 'list' }
  | { readonly do: 'report'; readonly id: string; readonly progress: Progress }
  /** These people are connected to some node. */
  | { readonly do: 'present'; readonly users: readonly string[] };

interface Entry {
  readonly args: RecordingArgs;
  recording: Recording;
  /** It has, or had, a process of its own. */
  started: boolean;
  /** Asked to end. */
  ending: EndReason | null;
}

export type PoolState = readonly Entry[];

export interface PoolParts {
  readonly library: Library;
  nodes(): readonly NodeSighting[];
  processes(): Promise<readonly ProcessRecord[]>;
  ensure(spec: ProcessSpec): Promise<void>;
  stopWorker(id: string, reason: EndReason): Promise<void>;
  /** Tells the owner. Never rejects. */
  tell(recording: Recording): void;
  /** Asks every node which of these people are connected to it; the answers come as `present`. */
  whoIsThere(owners: readonly string[]): void;
  readonly figures: PoolFigures;
  readonly tickMs: number;
  readonly ownerGraceMs: number;
}

/** What the node that runs the pool knows of it: for metrics, and for placing. */
export class PoolFigures {
  queued = 0;
  oldestMs = 0;
  /** Recordings on each node, as counted last. */
  used: ReadonlyMap<NodeId, number> = new Map();

  reset(): void {
    this.queued = 0;
    this.oldestMs = 0;
    this.used = new Map();
  }
}

/** How many slots a node has, by its own word. */
export function slotsOf({ info }: Pick<NodeSighting, 'info'>): number {
  return info['slots'] ?? 0;
}

/** Most room first: by what was counted, else by what the node said of itself. */
export function byRoom(nodes: readonly NodeSighting[], used: ReadonlyMap<NodeId, number>): NodeSighting[] {
  const room = (node: NodeSighting): number => slotsOf(node) - (used.get(node.id) ?? node.info['slotsUsed'] ?? 0);
  return nodes.filter((node) => room(node) > 0).sort((a, b) => room(b) - room(a) || (a.id < b.id ? -1 : 1));
}

/**
 * The queue of a cluster's recordings: first come, first served, each to the node with most room. There is one, and what it
 * knows outlives its node.
 *
 * Slots are counted by the processes that exist, wherever they are just now: a recording whose node has died still needs one,
 * and gets it before any that waits.
 */
export class RecorderPool implements Running<PoolMessage, unknown> {
  readonly #entries: Map<string, Entry>;
  readonly #missing = new Set<string>();
  readonly #seen = new Map<string, number>();
  #answeredAt: number;
  #timer: Timer | null = null;
  #ticking: Promise<void> | null = null;
  #again = false;
  #over = false;

  constructor(
    private readonly context: ProcessContext<PoolState>,
    private readonly parts: PoolParts,
  ) {
    this.#entries = new Map((context.saved ?? []).map((entry) => [entry.args.id, { ...entry }]));
    this.#answeredAt = context.clock.monotonic();
    this.#tickLater(0);
  }

  async handle(message: PoolMessage): Promise<unknown> {
    switch (message.do) {
      case 'start':
        return this.#start(message.args);
      case 'stop':
        return this.#stop(message.id, message.reason);
      case 'list':
        return [...this.#entries.values()].map(({ recording }) => recording);
      case 'report':
        return this.#report(message.id, message.progress);
      case 'present':
        return this.#present(message.users);
    }
  }

  /**
   * What is under way is not waited for: it may be a question to a node that does not answer, and until this has stopped
   * nobody can be asked for the queue. A tick looks after each wait whether it may go on, and what it saves is fenced.
   */
  stop(): Promise<void> {
    this.#over = true;
    this.#timer?.cancel();
    this.parts.figures.reset();
    return Promise.resolve();
  }

  get #mayGoOn(): boolean {
    return !this.#over && this.context.owns();
  }

  async #start(args: RecordingArgs): Promise<Recording> {
    const known = this.#entries.get(args.id);
    // Asked twice, because the first answer was lost.
    if (known) return known.recording;
    if (!this.parts.nodes().some((node) => node.state === 'live' && slotsOf(node) > 0)) {
      throw new PollcastError(
        'UNAVAILABLE',
        'No node of this hub can record: one needs Chromium and ffmpeg, and RECORDER_SLOTS above 0.',
      );
    }
    const entry: Entry = { args, recording: queued(args), started: false, ending: null };
    this.#entries.set(args.id, entry);
    this.#seen.set(args.owner.user, this.context.clock.monotonic());
    await this.#save();
    this.#tickLater(0);
    return entry.recording;
  }

  async #stop(id: string, reason: EndReason): Promise<Recording> {
    const entry = this.#entries.get(id);
    if (!entry) throw new PollcastError('NOT_FOUND', `there is no recording ${id} under way`);
    entry.ending ??= reason;
    await this.#save();
    if (!entry.started) await this.#closeQueued(entry);
    else this.#tickLater(0);
    return entry.recording;
  }

  async #report(id: string, progress: Progress): Promise<void> {
    const entry = this.#entries.get(id);
    if (!entry) return;
    const before = entry.recording;
    entry.recording = { ...before, ...progress };
    this.parts.tell(entry.recording);
    if (isOver(entry.recording)) await this.#forget(entry);
    else if (before.state !== entry.recording.state) await this.#save();
  }

  #present(users: readonly string[]): void {
    const now = this.context.clock.monotonic();
    // After an outage nobody has been heard of: the count begins anew.
    if (now - this.#answeredAt > this.parts.ownerGraceMs / 2)
      for (const user of this.#seen.keys()) this.#seen.set(user, now);
    this.#answeredAt = now;
    for (const user of users) this.#seen.set(user, now);
  }

  /** Ends one that has no process to end it. */
  async #close(entry: Entry, message: string): Promise<void> {
    const ended = entry.ending ?? 'failed';
    entry.recording = {
      ...entry.recording,
      state: 'error',
      node: null,
      ended,
      error: { code: 'UNAVAILABLE', message },
    };
    await this.parts.library.keep(entry.recording);
    this.parts.tell(entry.recording);
    await this.#forget(entry);
  }

  async #forget({ args }: Entry): Promise<void> {
    this.#entries.delete(args.id);
    this.#missing.delete(args.id);
    await this.#save();
    this.#tickLater(0);
  }

  #save(): Promise<void> {
    return this.context.save([...this.#entries.values()]);
  }

  #tickLater(ms: number): void {
    if (this.#over) return;
    if (ms === 0 && this.#ticking) {
      this.#again = true;
      return;
    }
    this.#timer?.cancel();
    this.#timer = this.context.clock.after(ms, () => {
      this.#again = false;
      this.#ticking = this.#tick()
        .catch((error: unknown) => {
          if (this.#mayGoOn) this.context.log.warn({ err: error }, 'recordings are not placed yet');
        })
        .finally(() => {
          this.#ticking = null;
          this.#tickLater(this.#again ? 0 : this.parts.tickMs);
        });
    });
  }

  async #tick(): Promise<void> {
    if (this.#entries.size === 0) {
      // A start that comes at this moment finds no process, and makes one anew.
      if (await this.context.retire()) return;
    }
    const records = (await this.parts.processes()).filter(({ kind }) => kind === RECORDING_KIND);
    const byName = new Map(records.map((record) => [record.name, record]));
    await this.#closeLost(byName);
    await this.#closeUnstarted();
    await this.#askToEnd();
    await this.#place(records);
    if (!this.#mayGoOn) return;
    this.#lookForOwners();
    this.#measure();
  }

  /** Started, but its process is not there any more, seen twice: its last word was not heard, or it was ended by force. */
  async #closeLost(byName: ReadonlyMap<string, ProcessRecord>): Promise<void> {
    for (const entry of [...this.#entries.values()]) {
      if (!this.#mayGoOn) return;
      const { id } = entry.args;
      if (!entry.started || byName.has(recordingName(id))) {
        this.#missing.delete(id);
      } else if (!this.#missing.has(id)) {
        this.#missing.add(id);
      } else {
        const kept = await this.parts.library.get(id);
        if (kept) await this.#report(id, kept);
        else await this.#close(entry, 'It was ended by force before it could be finished.');
      }
    }
  }

  /** Asked to end before they began, and not yet out of the queue: the storage was away, or its owner has left. */
  async #closeUnstarted(): Promise<void> {
    for (const entry of [...this.#entries.values()]) {
      if (!this.#mayGoOn) return;
      if (!entry.started && entry.ending !== null) await this.#closeQueued(entry);
    }
  }

  #closeQueued(entry: Entry): Promise<void> {
    const gone = entry.ending === 'owner-gone';
    return this.#close(
      entry,
      gone ? 'Whoever asked for it had left before it began.' : 'It was stopped before it began.',
    );
  }

  async #askToEnd(): Promise<void> {
    for (const { args, recording, started, ending } of [...this.#entries.values()]) {
      if (!this.#mayGoOn) return;
      if (!started || ending === null || recording.state === 'finishing') continue;
      try {
        await this.parts.stopWorker(args.id, ending);
      } catch (error) {
        this.context.log.debug({ err: error, recording: args.id }, 'not asked to end yet');
      }
    }
  }

  async #place(records: readonly ProcessRecord[]): Promise<void> {
    const nodes = this.parts.nodes().filter(({ state }) => state === 'live');
    const living = new Set(this.parts.nodes().map(({ id }) => id));
    const used = new Map<NodeId, number>(nodes.map(({ id }) => [id, 0]));
    const homeless: ProcessRecord[] = [];
    for (const record of records) {
      if (record.node !== null && living.has(record.node)) used.set(record.node, (used.get(record.node) ?? 0) + 1);
      else homeless.push(record);
    }
    this.parts.figures.used = used;
    const waiting = [...this.#entries.values()].filter(({ started, ending }) => !started && ending === null);
    const specs: { spec: ProcessSpec; entry?: Entry }[] = [
      ...homeless.map((spec) => ({ spec })),
      ...waiting.map((entry) => ({ spec: recordingSpec(entry.args), entry })),
    ];
    for (const { spec, entry } of specs) {
      const [best] = byRoom(nodes, used);
      if (!best || !this.#mayGoOn) return;
      if (entry) {
        // Stopped while another one was placed.
        if (entry.ending !== null) continue;
        // Noted before: should this node die now, the next pool finds the process or notices that it is missing.
        entry.started = true;
        await this.#save();
      }
      try {
        await this.parts.ensure(spec);
      } catch (error) {
        // Registered: it is started as soon as a node has room.
        this.context.log.info({ err: error, process: spec.name }, 'no node has taken it yet');
      }
      used.set(best.id, (used.get(best.id) ?? 0) + 1);
    }
  }

  #lookForOwners(): void {
    const { clock } = this.context;
    const owners = [...new Set([...this.#entries.values()].map(({ args }) => args.owner.user))];
    for (const user of this.#seen.keys()) if (!owners.includes(user)) this.#seen.delete(user);
    if (owners.length === 0) return;
    const now = clock.monotonic();
    for (const owner of owners) if (!this.#seen.has(owner)) this.#seen.set(owner, now);
    this.parts.whoIsThere(owners);
    if (now - this.#answeredAt > this.parts.ownerGraceMs / 2) return;
    for (const entry of this.#entries.values()) {
      const absentMs = now - (this.#seen.get(entry.args.owner.user) ?? now);
      if (absentMs <= this.parts.ownerGraceMs || entry.ending !== null) continue;
      entry.ending = 'owner-gone';
      this.#again = true;
    }
  }

  #measure(): void {
    const { figures } = this.parts;
    const waiting = [...this.#entries.values()].filter(({ recording }) => recording.state === 'queued');
    figures.queued = waiting.length;
    const since = Math.min(...waiting.map(({ args }) => args.requestedAt));
    figures.oldestMs = waiting.length === 0 ? 0 : Math.max(0, this.context.clock.now() - since);
  }
}
