import { Hub, type Joined, type WatchOptions } from '../../src/channels/hub.js';
import type { SharedFrame } from '../../src/channels/shared-frame.js';
import type { PresenceChange, Viewer } from '../../src/channels/viewer.js';
import { silent } from '../../src/kernel/log.js';
import { MemoryFrames } from '../../src/polling/frames/memory.js';
import type { FrameStore, StatusChange } from '../../src/polling/frames/frames.js';
import { pollerKind } from '../../src/polling/poller-kind.js';
import { channelOf } from '../../src/topics/channel.js';
import type { Topic } from '../../src/topics/topic.js';
import { VirtualCluster, type VirtualNode } from '../kernel/virtual-cluster.js';
import { topicT } from '../polling/poller-bench.js';
import { ScriptedSource } from '../polling/scripted-source.js';

export class TestViewer implements Viewer {
  gone = false;
  readonly frames: SharedFrame[] = [];
  readonly statuses: StatusChange[] = [];
  readonly news: PresenceChange[] = [];
  corks = 0;

  constructor(
    readonly id: string,
    readonly user = id,
  ) {}

  frame(frame: SharedFrame): void {
    this.frames.push(frame);
  }

  status(status: StatusChange): void {
    this.statuses.push(status);
  }

  presence(change: PresenceChange): void {
    this.news.push(change);
  }

  cork(): void {
    this.corks += 1;
  }

  uncork(): void {
    this.corks -= 1;
  }
}

/** A node's view of the shared frames whose link a test can cut. */
export class CuttableFrames implements FrameStore {
  up = true;
  readonly #listeners = new Set<(up: boolean) => void>();

  constructor(private readonly inner: FrameStore) {}

  cut(cut: boolean): void {
    this.up = !cut;
    for (const listen of this.#listeners) listen(!cut);
  }

  readonly open: FrameStore['open'] = (...args) => this.inner.open(...args);
  readonly publish: FrameStore['publish'] = (...args) => this.inner.publish(...args);
  readonly forget: FrameStore['forget'] = (...args) => this.inner.forget(...args);
  readonly newest: FrameStore['newest'] = (...args) => this.inner.newest(...args);
  readonly all: FrameStore['all'] = (...args) => this.inner.all(...args);
  readonly heads: FrameStore['heads'] = (...args) => this.inner.heads(...args);
  readonly history: FrameStore['history'] = (...args) => this.inner.history(...args);
  readonly after: FrameStore['after'] = (...args) => this.inner.after(...args);
  readonly drop: FrameStore['drop'] = (...args) => this.inner.drop(...args);
  readonly subscribe: FrameStore['subscribe'] = (poller, handle) =>
    this.inner.subscribe(poller, (round) => this.up && handle(round));

  onLink(listen: (up: boolean) => void): () => void {
    this.#listeners.add(listen);
    return () => this.#listeners.delete(listen);
  }
}

export interface HubNode extends VirtualNode {
  readonly hub: Hub;
  readonly frames: CuttableFrames;
}

/** Hubs of several nodes on virtual time, over one memory cluster and one scripted database. */
export class HubBench {
  readonly cluster = new VirtualCluster();
  readonly time = this.cluster.time;
  readonly source = new ScriptedSource();
  readonly stored = new MemoryFrames(this.time.clock());
  topic: Topic = topicT({ retainMs: 60_000 });
  readonly nodes: HubNode[] = [];

  async node(name: string): Promise<HubNode> {
    const kind = pollerKind({
      source: this.source,
      frames: this.stored,
      settings: { lingerMs: 2_000, perSlot: 250, beatMs: 1_000 },
      metrics: { polled: noop, round: noop, published: noop, skipped: noop },
      topics: { get: () => this.topic, onChange: () => noop },
    });
    const node = await this.cluster.node(name, [kind]);
    const frames = new CuttableFrames(this.stored);
    const { kernel, ports } = node;
    const hub = new Hub({ kernel, bus: ports.bus, frames, settings: { beatMs: 1_000 }, log: silent });
    const made = { ...node, hub, frames };
    this.nodes.push(made);
    return made;
  }

  watch({ hub }: HubNode, viewer: TestViewer, n: number, options: WatchOptions = {}): Promise<Joined> {
    return hub.watch(channelOf(this.topic, { n }, {}), viewer, options, (joined) => joined);
  }

  join(node: HubNode, viewer: TestViewer, n: number, options: WatchOptions = {}): Promise<Joined> {
    return this.cluster.within(this.watch(node, viewer, n, options));
  }

  async close(): Promise<void> {
    for (const { hub, clock } of this.nodes) if (!clock.paused) await this.cluster.within(hub.close());
    await this.cluster.close();
  }
}

function noop(): void {
  // What is measured is not what is tested here.
}
