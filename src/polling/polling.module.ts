import { Global, Inject, Module, type OnModuleInit } from '@nestjs/common';
import type { Config } from '../config.js';
import type { Database } from '../database/database.js';
import { Kernel } from '../kernel/kernel.js';
import type { Logger } from '../kernel/log.js';
import { CONFIG, DATABASE, FRAMES, LOG, SOURCE, TRACING } from '../node.tokens.js';
import { Metrics } from '../ops/metrics.js';
import type { Tracing } from '../ops/tracing/tracing.js';
import { TopicCatalogue } from '../topics/catalogue.js';
import type { FrameStore } from './frames/frames.js';
import { pollerKind, type TopicSource } from './poller-kind.js';
import type { Source } from './source.js';
import { CodeSource } from './sources/code.js';
import { createPostgresSource } from './sources/postgres.js';
import { RoutedSource } from './sources/routed.js';

/** How often a poller shows a sign of life and reads its demand again. */
export const BEAT_MS = 1_000;
const CHANNELS_PER_SLOT = 250;

/** Teaches the kernel pollers. */
@Global()
@Module({
  providers: [
    {
      provide: SOURCE,
      inject: [DATABASE, CONFIG, LOG],
      useFactory: (database: Database, config: Config, log: Logger) =>
        new RoutedSource(
          createPostgresSource({ connectionString: database.url, node: config.nodeName, log }),
          new CodeSource(log),
        ),
    },
  ],
  exports: [SOURCE],
})
export class PollingModule implements OnModuleInit {
  constructor(
    @Inject(Kernel) private readonly kernel: Kernel,
    @Inject(SOURCE) private readonly source: Source,
    @Inject(FRAMES) private readonly frames: FrameStore,
    @Inject(TopicCatalogue) private readonly catalogue: TopicCatalogue,
    @Inject(Metrics) private readonly metrics: Metrics,
    @Inject(TRACING) private readonly tracing: Tracing | null,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  onModuleInit(): void {
    this.kernel.define(
      pollerKind({
        source: this.source,
        frames: this.frames,
        topics: topicSource(this.catalogue),
        metrics: this.metrics,
        tracer: this.tracing?.rounds,
        settings: { lingerMs: this.config.lingerMs, perSlot: CHANNELS_PER_SLOT, beatMs: BEAT_MS },
      }),
    );
  }
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
