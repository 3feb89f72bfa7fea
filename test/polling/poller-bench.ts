import { Later, type StopReason } from '../../src/kernel/kind.js';
import { silent } from '../../src/kernel/log.js';
import type { Hold } from '../../src/kernel/ports/store.js';
import { MemoryFrames } from '../../src/polling/frames/memory.js';
import type { Frame, Round } from '../../src/polling/frames/frames.js';
import { Poller } from '../../src/polling/poller.js';
import type { PollerState, Watched } from '../../src/polling/poller-parts.js';
import type { Topic } from '../../src/topics/topic.js';
import { topicWith } from '../topics/topic-with.js';
import { settle, VirtualTime } from '../support/virtual-clock.js';
import { ScriptedSource } from './scripted-source.js';

export const NAME = 'poller:t';

/** A topic `t` with one parameter, so that it has channels `t?n=0`, `t?n=1` … */
export function topicT(more: Partial<Topic> = {}): Topic {
  return { ...topicWith([{ name: 'n', type: 'int', default: 0 }], 't'), ...more };
}

/** Frames of the memory cluster that fail when a test says so. */
export class FlakyFrames extends MemoryFrames {
  failing: 'before' | 'after' | null = null;
  failures = 0;

  override async publish(...args: Parameters<MemoryFrames['publish']>): ReturnType<MemoryFrames['publish']> {
    if (this.failing === 'before') throw this.#failure();
    const positions = await super.publish(...args);
    // Stored, but the answer never came.
    if (this.failing === 'after') throw this.#failure();
    return positions;
  }

  #failure(): Error {
    this.failures += 1;
    return new Error('Redis does not answer');
  }
}

/** Pollers, one after the other or side by side, on virtual time, with a cluster of which only the holds matter. */
export class PollerBench {
  readonly time = new VirtualTime();
  readonly clock = this.time.clock();
  readonly source = new ScriptedSource();
  readonly frames = new FlakyFrames(this.clock);
  readonly held = new Set<string>();
  readonly rounds: Round[] = [];
  readonly skipped: string[] = [];
  readonly factors: number[] = [];
  topic: Topic | Error = topicT();
  saved: PollerState | null = null;
  holdsRead = 0;
  retired = false;
  /** Called between the reading of the holds and its answer. */
  duringHolds: (() => void | Promise<void>) | null = null;
  readonly settings = { lingerMs: 5_000, perSlot: 250, beatMs: 1_000 };
  #changed = new Set<() => void>();
  #fence = 0;
  #listening = false;

  async start(origin: 'first' | 'takeover' | 'handover' = 'first') {
    if (!this.#listening) await this.frames.subscribe(NAME, (round) => this.#hear(round));
    this.#listening = true;
    const abort = new AbortController();
    const owning = { owns: true };
    const fence = ++this.#fence;
    const context = {
      name: NAME,
      node: 'a~1',
      fence,
      signal: abort.signal,
      clock: this.clock,
      log: silent,
      owns: () => owning.owns && !abort.signal.aborted,
      saved: this.saved,
      origin,
      save: (state: PollerState) => {
        this.saved = state;
        return Promise.resolve();
      },
      holds: () => this.#holds(),
      retire: () => {
        if (this.held.size > 0) return Promise.resolve(false);
        this.retired = true;
        void stop('retired');
        return Promise.resolve(true);
      },
    };
    const poller = await Poller.start({
      context,
      source: this.source,
      frames: this.frames,
      settings: this.settings,
      metrics: {
        polled: () => undefined,
        round: () => undefined,
        published: () => undefined,
        skipped: (topic) => this.skipped.push(topic),
        stretched: (_topic, factor) => this.factors.push(factor),
      },
      topic: () => {
        if (this.topic instanceof Error) throw this.topic;
        return this.topic;
      },
      onTopicChanged: (listen) => {
        this.#changed.add(listen);
        return () => this.#changed.delete(listen);
      },
    });
    let stopping: Promise<void> | null = null;
    const stop = (reason: StopReason): Promise<void> => {
      abort.abort(reason);
      return (stopping ??= poller.stop(reason));
    };
    return { poller, owning, fence, stop, watch: (key: string) => this.watch(poller, key) };
  }

  /** A node's first viewer: it holds the channel, then asks for it. */
  async watch(poller: Poller, key: string): Promise<Watched> {
    this.held.add(key);
    poller.holdsChanged();
    const answer = poller.handle({ do: 'watch', channel: key });
    return answer instanceof Later ? answer.answer : answer;
  }

  /** Lets time pass until a promise has settled. */
  async within<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const done = promise.finally(() => (settled = true));
    done.catch(() => undefined);
    await this.time.until(() => settled, 'a promise to settle');
    return done;
  }

  change(topic: Topic | Error): void {
    this.topic = topic;
    for (const listen of this.#changed) listen();
  }

  /** Frames that were told, as `channel@seq`. */
  get told(): string[] {
    return this.rounds.flatMap((round) => round.frames).map(({ channel, seq }: Frame) => `${channel}@${seq}`);
  }

  get statuses(): string[] {
    return this.rounds
      .flatMap((round) => round.statuses)
      .map(({ channel, state, reason }) => `${channel} ${state}${reason === undefined ? '' : ` ${reason}`}`);
  }

  #hear(round: Round): void {
    this.rounds.push(round);
  }

  async #holds(): Promise<Hold[]> {
    this.holdsRead += 1;
    const holds = [...this.held].map((ref) => ({ node: 'a~1', ref, detail: '' }));
    await this.duringHolds?.();
    await settle(1);
    return holds;
  }
}
