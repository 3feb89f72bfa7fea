import { Hub, type Joined, type WatchOptions } from '../../src/channels/hub.js';
import type { RoundWrites } from '../../src/channels/round-writes.js';
import type { SharedFrame } from '../../src/channels/shared-frame.js';
import type { PresenceChange, Viewer } from '../../src/channels/viewer.js';
import { PollcastError } from '../../src/errors.js';
import { silent } from '../../src/kernel/log.js';
import { MemoryFrames } from '../../src/polling/frames/memory.js';
import type { FrameStore, StatusChange } from '../../src/polling/frames/frames.js';
import { CutOff } from '../../src/polling/cut-off.js';
import { pollerKind } from '../../src/polling/poller-kind.js';
import type { Source } from '../../src/polling/source.js';
import { StandIns, type Emergency } from '../../src/polling/stand-ins.js';
import { channelOf } from '../../src/topics/channel.js';
import type { Topic } from '../../src/topics/topic.js';
import { VirtualCluster, type VirtualNode } from '../kernel/virtual-cluster.js';
import { topicT } from '../polling/poller-bench.js';
import { ScriptedSource, type AskedRound as Round } from '../polling/scripted-source.js';

interface AskedRound extends Round {
  /** Virtual ms. */
  readonly at: number;
  /** The node was cut off, and asked for its own viewers. */
  readonly away: boolean;
}

export class TestViewer implements Viewer {
  gone = false;
  readonly frames: SharedFrame[] = [];
  readonly statuses: StatusChange[] = [];
  readonly news: PresenceChange[] = [];

  constructor(
    readonly id: string,
    readonly user = id,
  ) {}

  frame(frame: SharedFrame, _writes?: RoundWrites): void {
    this.frames.push(frame);
  }

  status(status: StatusChange): void {
    this.statuses.push(status);
  }

  presence(change: PresenceChange): void {
    this.news.push(change);
  }
}

/** A node's view of the shared frames whose link a test can cut. */
export class CuttableFrames implements FrameStore {
  up = true;
  /** Not only messages are lost: nothing that is asked is answered. */
  severed = false;
  readonly #listeners = new Set<(up: boolean) => void>();

  constructor(private readonly inner: FrameStore) {}

  /** Rounds are late: they come, in order, with `deliver`. */
  #late: (() => void)[] | null = null;

  delay(): void {
    this.#late ??= [];
  }

  deliver(): void {
    const late = this.#late ?? [];
    this.#late = null;
    for (const come of late) come();
  }

  cut(cut: boolean): void {
    this.up = !cut;
    for (const listen of this.#listeners) listen(!cut);
  }

  readonly open: FrameStore['open'] = (...args) => this.#ask(() => this.inner.open(...args));
  readonly publish: FrameStore['publish'] = (...args) => this.#ask(() => this.inner.publish(...args));
  readonly forget: FrameStore['forget'] = (...args) => this.#ask(() => this.inner.forget(...args));
  readonly newest: FrameStore['newest'] = (...args) => this.#ask(() => this.inner.newest(...args));
  readonly all: FrameStore['all'] = (...args) => this.#ask(() => this.inner.all(...args));
  readonly heads: FrameStore['heads'] = (...args) => this.#ask(() => this.inner.heads(...args));
  readonly history: FrameStore['history'] = (...args) => this.#ask(() => this.inner.history(...args));
  readonly after: FrameStore['after'] = (...args) => this.#ask(() => this.inner.after(...args));
  readonly drop: FrameStore['drop'] = (...args) => this.#ask(() => this.inner.drop(...args));
  readonly subscribe: FrameStore['subscribe'] = (poller, handle) =>
    this.#ask(() =>
      this.inner.subscribe(poller, (round) => {
        if (!this.up) return;
        if (this.#late) this.#late.push(() => handle(round));
        else handle(round);
      }),
    );

  #ask<T>(question: () => Promise<T>): Promise<T> {
    return this.severed ? Promise.reject(new PollcastError('UNAVAILABLE', 'Redis does not answer')) : question();
  }

  onLink(listen: (up: boolean) => void): () => void {
    this.#listeners.add(listen);
    return () => this.#listeners.delete(listen);
  }
}

export interface HubNode extends VirtualNode {
  readonly hub: Hub;
  readonly frames: CuttableFrames;
  /** What this node has asked: its pollers', and its stand-ins'. */
  readonly asked: AskedRound[];
  /** Cuts it off from everything that the nodes share, or joins it again. */
  cut(cut: boolean): void;
}

/** Hubs of several nodes on virtual time, over one memory cluster and one scripted database. */
export class HubBench {
  readonly cluster = new VirtualCluster();
  readonly time = this.cluster.time;
  readonly source = new ScriptedSource();
  readonly stored = new MemoryFrames(this.time.clock());
  topic: Topic = topicT({ retainMs: 60_000 });
  readonly nodes: HubNode[] = [];
  readonly #topicListeners = new Set<(topic: Topic) => void>();
  readonly #cutOffs: CutOff[] = [];
  readonly #standIns: StandIns[] = [];

  /** @param onLoss what it does while it is cut off */
  async node(name: string, onLoss: 'local' | 'pause' = 'pause'): Promise<HubNode> {
    const frames = new CuttableFrames(this.stored);
    const asked: AskedRound[] = [];
    let cutOff: CutOff | null = null;
    const source: Source = {
      ask: (topic, asks, options) => {
        asked.push({ topic, asks, at: this.time.elapsed, away: cutOff?.away ?? false, ...options });
        return this.source.ask(topic, asks, options);
      },
      ping: () => this.source.ping(),
      close: () => Promise.resolve(),
    };
    const parts = {
      source,
      settings: { lingerMs: 2_000, perSlot: 250, beatMs: 1_000 },
      metrics: { polled: noop, round: noop, published: noop, skipped: noop },
      topics: { get: () => this.topic, onChange: (_name: string, listen: () => void) => this.#onTopicChanged(listen) },
    };
    const kind = pollerKind({ ...parts, frames, away: () => cutOff?.away ?? false });
    const node = await this.cluster.node(name, [kind]);
    const { kernel, ports } = node;
    let emergency: Emergency | undefined;
    if (onLoss === 'local') {
      cutOff = new CutOff({ ports, kernel, settings: { graceMs: 1_000, probeMs: 250 } });
      this.#cutOffs.push(cutOff);
      const standIns = new StandIns(kernel, parts, silent);
      this.#standIns.push(standIns);
      emergency = { cutOff, standIns };
    }
    const hub = new Hub({
      ...{ kernel, bus: ports.bus, frames, settings: { beatMs: 1_000 }, log: silent, emergency },
      onTopicChanged: (listen) => this.#onTopicChanged(listen),
    });
    const cut = (away: boolean): void => {
      frames.severed = away;
      ports.cut(away);
      frames.cut(away);
    };
    const made = { ...node, hub, frames, asked, cut };
    this.nodes.push(made);
    return made;
  }

  #onTopicChanged(listen: (topic: Topic) => void): () => void {
    this.#topicListeners.add(listen);
    return () => this.#topicListeners.delete(listen);
  }

  /** Another version of the topic's file is read, by all nodes at once. */
  changeTopic(more: Partial<Topic>): void {
    this.topic = { ...this.topic, ...more };
    for (const listen of [...this.#topicListeners]) listen(this.topic);
  }

  watch({ hub }: HubNode, viewer: TestViewer, n: number, options: WatchOptions = {}): Promise<Joined> {
    return hub.watch(channelOf(this.topic, { n }, {}), viewer, options, (joined) => joined);
  }

  join(node: HubNode, viewer: TestViewer, n: number, options: WatchOptions = {}): Promise<Joined> {
    return this.cluster.within(this.watch(node, viewer, n, options));
  }

  async close(): Promise<void> {
    for (const cutOff of this.#cutOffs) cutOff.close();
    for (const { hub, clock } of this.nodes) if (!clock.paused) await this.cluster.within(hub.close());
    for (const standIns of this.#standIns) await this.cluster.within(standIns.close());
    await this.cluster.close();
  }
}

function noop(): void {
  // What is measured is not what is tested here.
}
