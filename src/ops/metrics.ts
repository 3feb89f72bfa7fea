import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Kernel } from '../kernel/kernel.js';
import type { PollerMetrics } from '../polling/poller-parts.js';
import { TopicFigures } from './console/topic-figures.js';
import { ExportCounts } from './export-metrics.js';
import { RowCounts } from './row-metrics.js';

/** What a node can be asked for at any moment. */
export interface Figures {
  /** Processes that it owns. */
  processes(): number;
  viewers(): number;
  channels(): number;
  /** Whether the cluster answers. */
  linked(): boolean;
  /** Ms that the lease which ends first of those on its processes has left; `null` without any. */
  leaseLeftMs(): number | null;
  /** Messages that wait for its processes. */
  mailboxDepth(): number;
}

export interface RecorderFigures {
  slots(): number;
  used(): number;
  queued(): number;
  oldestMs(): number;
}

type PollOutcome = Parameters<PollerMetrics['polled']>[1];

/** Rounds last from under a millisecond (nothing changed) to a query's timeout. */
const ROUND_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** A node's figures for Prometheus, all named `pollcast_…`. A registry of its own, so that several nodes fit in one process. */
export class Metrics implements PollerMetrics {
  /** The same for each topic, for the console. */
  readonly topics = new TopicFigures();
  readonly #registry = new Registry();
  /** What row workers count. */
  readonly rowWorkers = new RowCounts(this.#registry);
  /** What exports count. */
  readonly exports = new ExportCounts(this.#registry);
  readonly #polls = this.#counter('polls_total', 'Channels polled, by what came of it.', ['topic', 'outcome']);
  readonly #skipped = this.#counter('rounds_skipped_total', 'Rounds left out because earlier ones were under way.', [
    'topic',
  ]);
  readonly #published = this.#counter('frames_published_total', 'Frames published by pollers of this node.', ['topic']);
  readonly #publishedBytes = this.#counter('published_bytes_total', 'Bytes of rows in published frames.', ['topic']);
  readonly #delivered = this.#counter('frames_delivered_total', 'Frames written to viewers.', []);
  readonly #deliveredBytes = this.#counter('delivered_bytes_total', 'Bytes written to viewers in frames.', []);
  readonly #overtaken = this.#counter('frames_overtaken_total', 'Frames that slow viewers skipped for newer ones.', []);
  readonly #stretch = new Gauge({
    name: 'pollcast_topic_stretch',
    help: 'Intervals that a topic takes for one because its rounds take longer; 1: none.',
    labelNames: ['topic'],
    registers: [this.#registry],
  });
  readonly #cut = this.#counter('slow_viewers_cut_total', 'Connections ended because they took nothing.', []);
  readonly #started = this.#counter('processes_started_total', 'Processes started here, by how.', ['kind', 'how']);
  readonly #stopped = this.#counter('processes_stopped_total', 'Processes stopped here, by why.', ['kind', 'reason']);
  readonly #crashed = this.#counter('processes_crashed_total', 'Crashes of processes here.', ['kind']);
  readonly #lost = this.#counter('leases_lost_total', 'Leases of running processes lost, for certain or in doubt.', [
    'certain',
  ]);
  readonly #conflicts = this.#counter(
    'conflicts_total',
    'Times that two owners met and this one, with the lower fence, stopped.',
    [],
  );
  readonly #down = this.#counter('nodes_down_total', 'Nodes that this one saw die or leave.', []);
  readonly #rounds = new Histogram({
    name: 'pollcast_round_seconds',
    help: 'How long rounds take, from asking to the last answer.',
    labelNames: ['topic'],
    buckets: ROUND_BUCKETS,
    registers: [this.#registry],
  });

  readonly #phases = new Histogram({
    name: 'pollcast_poll_phase_seconds',
    help: 'How long the source takes to answer a round (ask), and the store to take what was found (publish).',
    labelNames: ['topic', 'phase'],
    buckets: ROUND_BUCKETS,
    registers: [this.#registry],
  });
  readonly #rows = this.#counter('rows_published_total', 'Rows in published frames.', ['topic']);
  readonly #roomEvents = this.#counter('room_events_total', 'Events of rooms, written by their processes here.', []);
  readonly #roomRefused = this.#counter('room_changes_refused_total', 'Changes that crash their room, refused.', []);
  /** What rooms count. */
  readonly rooms = {
    committed: (events: number): void => this.#roomEvents.inc(events),
    refusedAsCrashing: (): void => this.#roomRefused.inc(),
  };

  constructor() {
    collectDefaultMetrics({ register: this.#registry, prefix: 'pollcast_' });
  }

  /** Answers from now on, at each scrape, with what the node says about itself. */
  show(figures: Figures): void {
    this.#gauge('processes', 'Processes that this node owns.', () => figures.processes());
    this.#gauge('viewers', 'Viewers on this node: one for each socket and channel.', () => figures.viewers());
    this.#gauge('channels', 'Channels that are watched on this node.', () => figures.channels());
    this.#gauge('lease_left_seconds', 'Time left on the lease that ends first; NaN without processes.', () => {
      const leftMs = figures.leaseLeftMs();
      return leftMs === null ? NaN : leftMs / 1000;
    });
    this.#gauge('mailbox_depth', 'Messages that wait for processes of this node.', () => figures.mailboxDepth());
    this.#gauge('cluster_link', '1 while the cluster answers, else 0.', () => (figures.linked() ? 1 : 0));
  }

  /** The recorder pool, for an autoscaler: what is queued is known to the node that runs the pool, the others say 0. */
  recorder(figures: RecorderFigures): void {
    this.#gauge('recorder_slots', 'Recordings that this node can make at a time.', () => figures.slots());
    this.#gauge('recorder_slots_used', 'Recordings that this node makes now.', () => figures.used());
    this.#gauge('recorder_queued', 'Recordings of the cluster that wait for a slot.', () => figures.queued());
    this.#gauge('recorder_oldest_wait_seconds', 'How long the first of those waits.', () => figures.oldestMs() / 1_000);
  }

  /** Counts what happens in a kernel. */
  follow(kernel: Pick<Kernel, 'on'>): void {
    kernel.on('process:started', ({ kind, how }) => this.#started.inc({ kind, how }));
    kernel.on('process:stopped', ({ kind, reason }) => this.#stopped.inc({ kind, reason }));
    kernel.on('process:crashed', ({ kind }) => this.#crashed.inc({ kind }));
    kernel.on('lease:lost', ({ certain }) => this.#lost.inc({ certain: String(certain) }));
    kernel.on('process:conflict', () => this.#conflicts.inc());
    kernel.on('node:down', () => this.#down.inc());
  }

  polled(topic: string, outcome: PollOutcome, count: number): void {
    this.#polls.inc({ topic, outcome }, count);
    this.topics.add(topic, { polls: count, changed: outcome === 'rows' ? count : 0 });
  }

  round(topic: string, seconds: number): void {
    this.#rounds.observe({ topic }, seconds);
  }

  phase(topic: string, phase: 'ask' | 'publish', seconds: number): void {
    this.#phases.observe({ topic, phase }, seconds);
    if (phase === 'ask') this.topics.add(topic, { asks: 1, askSeconds: seconds });
  }

  rows(topic: string, rows: number): void {
    this.#rows.inc({ topic }, rows);
  }

  published(topic: string, frames: number, bytes: number): void {
    this.#published.inc({ topic }, frames);
    this.#publishedBytes.inc({ topic }, bytes);
    this.topics.add(topic, { frames, bytes });
  }

  skipped(topic: string): void {
    this.#skipped.inc({ topic });
  }

  stretched(topic: string, factor: number): void {
    this.#stretch.set({ topic }, factor);
    this.topics.note(topic, { stretch: factor });
  }

  failed(topic: string, code: string): void {
    this.topics.note(topic, { error: code, errorAt: Date.now() });
  }

  delivered(frames: number, bytes: number): void {
    this.#delivered.inc(frames);
    this.#deliveredBytes.inc(bytes);
  }

  /** A viewer with a backlog got a newer frame in the place of one that it had not been sent yet. */
  slowViewerSkipped(frames = 1): void {
    this.#overtaken.inc(frames);
  }

  slowViewerCut(): void {
    this.#cut.inc();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** All of it, in Prometheus's text format. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #counter<L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> {
    return new Counter({ name: `pollcast_${name}`, help, labelNames, registers: [this.#registry] });
  }

  #gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name: `pollcast_${name}`,
      help,
      registers: [this.#registry],
      collect() {
        this.set(read());
      },
    });
  }
}
