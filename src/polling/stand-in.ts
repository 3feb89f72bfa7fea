import { Later } from '../kernel/kind.js';
import type { Kernel } from '../kernel/kernel.js';
import type { Logger } from '../kernel/log.js';
import type { ProcessSpec } from '../kernel/ports/store.js';
import type { Channel } from '../topics/topic.js';
import type { Frame, FramePosition, Round, StoredFrame } from './frames/frames.js';
import { MemoryFrames } from './frames/memory.js';
import { fraction, type PollerArgs } from './names.js';
import type { PollerKindParts } from './poller-kind.js';
import { Poller } from './poller.js';
import type { Watched } from './poller-parts.js';

export type StandInParts = Pick<PollerKindParts, 'source' | 'topics' | 'settings' | 'metrics'>;

/** It is alone with its frames: no other owner can ever be seen. */
const FENCE = 1;
/** The cluster never counts so far: `seq` of stand-ins lie above this, each in a range of its own. */
const OWN_SEQS = 2 ** 40;
const SEQS_EACH = 2 ** 19;

/** Whose viewers a stand-in asks for. */
export interface Demander {
  /** Keys of the channels that viewers of this node want. */
  readonly held: () => readonly string[];
  readonly hear: (round: Round) => void;
}

/**
 * A poller of this node's own in the place of one of the cluster, while that cannot be reached: the same poller, with the
 * node's own viewers as its demand and the node's memory as its store.
 *
 * What it publishes has positions of its own, which must not be taken for the cluster's, nor stand above them for ever:
 *
 * - Its epochs are new ones, above all that this node has seen of the channel (`above` in `watch`). Going on with the
 *   cluster's epoch would give one position to two results, here and where the cluster still polls. Epochs are times, and two
 *   may begin in one millisecond: so its `seq` are of its own too, from a number that no other stand-in, nor the cluster, comes to.
 * - When the cluster answers again, every node says what it has shown last, and the cluster's poller begins an
 *   epoch above that (`raise` in publish.lua). So nobody's position goes back, on whichever node he is by then,
 *   and the first frame of the new epoch is the state of then: nothing that was said between counts any more.
 */
export class StandIn {
  readonly #name: string;
  readonly #frames: MemoryFrames;
  readonly #abort = new AbortController();
  readonly #poller: Promise<Poller>;
  /** `null`: it rests. */
  #demander: Demander | null = null;
  #stopped = false;

  constructor(
    process: ProcessSpec,
    kernel: Pick<Kernel, 'clock' | 'id'>,
    parts: StandInParts,
    log: Logger,
    /** Different for each stand-in of a node. */
    serial: number,
  ) {
    const { name } = process;
    const { topic } = process.args as PollerArgs;
    this.#name = name;
    const { clock, id } = kernel;
    const range = Math.floor(fraction(`${id} ${serial}`) * 2 ** 32);
    this.#frames = new MemoryFrames(clock, log, OWN_SEQS + range * SEQS_EACH + 1);
    const context = {
      name,
      node: id,
      fence: FENCE,
      signal: this.#abort.signal,
      clock,
      log,
      owns: () => !this.#stopped && this.#demander !== null,
      saved: null,
      origin: 'first' as const,
      save: () => Promise.resolve(),
      holds: () => Promise.resolve((this.#demander?.held() ?? []).map((ref) => ({ node: id, ref, detail: '' }))),
      // Whoever opened it ends it.
      retire: () => Promise.resolve(false),
    };
    void this.#frames.subscribe(name, (round) => this.#stopped || this.#demander?.hear(round));
    this.#poller = Poller.start({
      ...parts,
      context,
      frames: this.#frames,
      // It was made for an emergency: nothing is asked for the sake of one who may come back, nor again for one who does.
      settings: { ...parts.settings, lingerMs: 0, sparing: true },
      topic: () => parts.topics.get(topic),
      onTopicChanged: (listen) => parts.topics.onChange(topic, listen),
    });
    this.#poller.catch((error: unknown) => log.warn({ err: error, name }, 'no polling of our own for this topic'));
  }

  /** Asks for these viewers from now on. */
  serve(demander: Demander): void {
    this.#demander = demander;
    this.#demandChanged();
  }

  /** Nothing is asked or heard any more when this returns; what it knows is kept for whoever comes next. */
  rest(): void {
    this.#demander = null;
    this.#demandChanged();
  }

  #demandChanged(): void {
    this.#poller.then(
      (poller) => this.#stopped || poller.holdsChanged(),
      () => undefined,
    );
  }

  /** Begins to ask for a channel; resolves when it has a frame newer than `above`. Rejects with the reason why it has none. */
  async watch(channel: Channel, above: FramePosition | null): Promise<Watched> {
    const poller = await this.#poller;
    const answer = poller.handle({ do: 'watch', channel: channel.key, above: above ?? undefined });
    return answer instanceof Later ? answer.answer : answer;
  }

  newest(key: string): Promise<StoredFrame | null> {
    return this.#frames.newest(this.#name, key);
  }

  after(key: string, position: FramePosition): Promise<Frame[] | null> {
    return this.#frames.after(this.#name, key, position);
  }

  history(key: string, from: number, to: number, limit: number): Promise<Frame[]> {
    return this.#frames.history(this.#name, key, from, to, limit);
  }

  /** For good. Resolves when the last statement has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#abort.abort('retired');
    const poller = await this.#poller.catch(() => null);
    await poller?.stop('retired');
  }
}
