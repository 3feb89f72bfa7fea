import { Global, Inject, Module, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { Config } from '../config.js';
import type { Database } from '../database/database.js';
import { Kernel } from '../kernel/kernel.js';
import type { Logger } from '../kernel/log.js';
import type { ClusterPorts } from '../kernel/ports/cluster.js';
import { CLUSTER_PORTS, CONFIG, DATABASE, EMERGENCY, FRAMES, LOG, SOURCE, TRACING } from '../node.tokens.js';
import { Metrics } from '../ops/metrics.js';
import type { Tracing } from '../ops/tracing/tracing.js';
import { TopicCatalogue } from '../topics/catalogue.js';
import type { FrameStore } from './frames/frames.js';
import { CutOff } from './cut-off.js';
import { pollerKind, type TopicSource } from './poller-kind.js';
import type { PollerSettings } from './poller-parts.js';
import { StandIns, type Emergency } from './stand-ins.js';
import type { Source } from './source.js';
import { CodeSource } from './sources/code.js';
import { DuckSource } from './sources/duckdb/duckdb.js';
import { loadDuck } from './sources/duckdb/load.js';
import { duckLocation } from './sources/duckdb/location.js';
import { createPostgresSource } from './sources/postgres.js';
import { RoutedSource } from './sources/routed.js';

/** How often a poller shows a sign of life and reads its demand again. */
export const BEAT_MS = 1_000;
const CHANNELS_PER_SLOT = 250;
/** A line that breaks is back within a fraction of this, unless Redis is away. */
const CUT_OFF = { graceMs: 1_000, probeMs: 250 };

/** Teaches the kernel pollers. */
@Global()
@Module({
  providers: [
    {
      provide: SOURCE,
      inject: [DATABASE, CONFIG, LOG],
      useFactory: async (database: Database, config: Config, log: Logger) =>
        new RoutedSource(await databaseSource(database, config, log), new CodeSource(log)),
    },
    {
      provide: EMERGENCY,
      inject: [CONFIG, CLUSTER_PORTS, Kernel, SOURCE, TopicCatalogue, Metrics, LOG],
      useFactory: openEmergency,
    },
  ],
  exports: [SOURCE, EMERGENCY],
})
export class PollingModule implements OnModuleInit, OnApplicationShutdown {
  constructor(
    @Inject(Kernel) private readonly kernel: Kernel,
    @Inject(SOURCE) private readonly source: Source,
    @Inject(FRAMES) private readonly frames: FrameStore,
    @Inject(TopicCatalogue) private readonly catalogue: TopicCatalogue,
    @Inject(Metrics) private readonly metrics: Metrics,
    @Inject(TRACING) private readonly tracing: Tracing | null,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(EMERGENCY) private readonly emergency: Emergency | undefined,
  ) {}

  onModuleInit(): void {
    this.kernel.define(
      pollerKind({
        source: this.source,
        frames: this.frames,
        topics: topicSource(this.catalogue),
        metrics: this.metrics,
        tracer: this.tracing?.rounds,
        settings: settings(this.config),
        away: () => this.emergency?.cutOff.away ?? false,
      }),
    );
  }

  async onApplicationShutdown(): Promise<void> {
    this.emergency?.cutOff.close();
    await this.emergency?.standIns.close();
  }
}

/** `null` where all topics are written in code. */
async function databaseSource({ kind, url }: Database, { nodeName }: Config, log: Logger): Promise<Source | null> {
  if (kind === 'none') return null;
  const location = duckLocation(url);
  if (kind === 'duckdb' && location) return new DuckSource({ duck: await loadDuck(), location, log });
  return createPostgresSource({ connectionString: url, node: nodeName, log });
}

function settings({ lingerMs }: Config): PollerSettings {
  return { lingerMs, perSlot: CHANNELS_PER_SLOT, beatMs: BEAT_MS };
}

/** `undefined`: the node waits while Redis is away (`ON_REDIS_LOSS=pause`), or needs none. */
function openEmergency(
  config: Config,
  ports: ClusterPorts,
  kernel: Kernel,
  source: Source,
  catalogue: TopicCatalogue,
  metrics: Metrics,
  log: Logger,
): Emergency | undefined {
  if (config.onRedisLoss === 'pause' || config.redisUrl === undefined) return undefined;
  const cutOff = new CutOff({ ports, kernel, settings: CUT_OFF });
  cutOff.onChange((away) => {
    if (away) log.warn({}, 'cut off from the cluster: polling for the viewers of this node alone');
    else log.info({}, 'the cluster can be reached again');
  });
  const parts = { source, topics: topicSource(catalogue), settings: settings(config), metrics };
  return { cutOff, standIns: new StandIns(kernel, parts, log) };
}

function topicSource(catalogue: TopicCatalogue): TopicSource {
  return {
    get: (name) => catalogue.get(name),
    onChange: (name, listen) => {
      const changed = (topic: { name: string }): void => {
        if (topic.name === name) listen();
      };
      const removed = (gone: string): void => {
        if (gone === name) listen();
      };
      catalogue.on('changed', changed);
      catalogue.on('removed', removed);
      return () => {
        catalogue.off('changed', changed);
        catalogue.off('removed', removed);
      };
    },
  };
}
