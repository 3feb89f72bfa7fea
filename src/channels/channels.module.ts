import { Global, Module } from '@nestjs/common';
import { Kernel } from '../kernel/kernel.js';
import type { Logger } from '../kernel/log.js';
import type { ClusterPorts } from '../kernel/ports/cluster.js';
import { CLUSTER_PORTS, EMERGENCY, FRAMES, LOG, TRACING } from '../node.tokens.js';
import { Metrics } from '../ops/metrics.js';
import type { Tracing } from '../ops/tracing/tracing.js';
import type { FrameStore } from '../polling/frames/frames.js';
import { BEAT_MS } from '../polling/polling.module.js';
import type { Emergency } from '../polling/stand-ins.js';
import { TopicCatalogue } from '../topics/catalogue.js';
import { ChannelsGateway, CHANNELS_SETTINGS } from './channels.gateway.js';
import { Hub } from './hub.js';
import { TopicsController } from './topics.controller.js';

/** How long a viewer may take nothing before it is cut. */
const STALL_MS = 8_000;

@Global()
@Module({
  controllers: [TopicsController],
  providers: [
    {
      provide: Hub,
      inject: [Kernel, CLUSTER_PORTS, FRAMES, LOG, Metrics, TRACING, EMERGENCY, TopicCatalogue],
      useFactory: (
        kernel: Kernel,
        ports: ClusterPorts,
        frames: FrameStore,
        log: Logger,
        metrics: Metrics,
        tracing: Tracing | null,
        emergency: Emergency | undefined,
        catalogue: TopicCatalogue,
      ) =>
        new Hub({
          kernel,
          bus: ports.bus,
          frames,
          settings: { beatMs: BEAT_MS },
          log,
          metrics,
          tracer: tracing?.rounds,
          emergency,
          onTopicChanged: (listen) => {
            catalogue.on('changed', listen);
            return () => catalogue.off('changed', listen);
          },
        }),
    },
    {
      provide: CHANNELS_SETTINGS,
      inject: [Kernel, LOG, Metrics],
      useFactory: (kernel: Kernel, log: Logger, metrics: Metrics) => ({
        clock: kernel.clock,
        log,
        stallMs: STALL_MS,
        onCut: () => metrics.slowViewerCut(),
        onSkip: () => metrics.slowViewerSkipped(),
      }),
    },
    ChannelsGateway,
  ],
  exports: [Hub],
})
export class ChannelsModule {}
