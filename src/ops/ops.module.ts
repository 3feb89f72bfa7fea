import { Global, Inject, Module, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Hub } from '../channels/hub.js';
import type { Config } from '../config.js';
import { Kernel } from '../kernel/kernel.js';
import type { Logger } from '../kernel/log.js';
import type { ClusterPorts } from '../kernel/ports/cluster.js';
import { CLUSTER_PORTS, CONFIG, FRAMES, LOG, SOURCE, TRACING, VERSION } from '../node.tokens.js';
import type { FrameStore } from '../polling/frames/frames.js';
import type { Source } from '../polling/source.js';
import { AdminController } from './http/admin.controller.js';
import { AdminGuard } from './http/admin.guard.js';
import { HealthController } from './http/health.controller.js';
import { Metrics } from './metrics.js';
import { Operations } from './operations.js';
import { ZombieSources } from './zombie-sources.js';
import { canaryCheck, clusterCheck, Readiness } from './readiness.js';
import { startTracing, type Tracing } from './tracing/tracing.js';

const PING_MS = 1_500;

/** Health, metrics and the admin API of a node. */
@Global()
@Module({
  controllers: [HealthController, AdminController],
  providers: [
    { provide: Metrics, useFactory: () => new Metrics() },
    {
      provide: TRACING,
      inject: [CONFIG, VERSION, LOG],
      useFactory: (config: Config, version: string, log: Logger) =>
        config.tracing ? startTracing(config.nodeName, version, log) : null,
    },
    {
      provide: Readiness,
      inject: [CLUSTER_PORTS, SOURCE, Kernel, LOG],
      useFactory: (ports: ClusterPorts, source: Source, kernel: Kernel, log: Logger) =>
        new Readiness(
          [clusterCheck(ports), canaryCheck(ports), { name: 'database', run: () => source.ping(PING_MS) }],
          () => kernel.state === 'draining',
          log,
        ),
    },
    { provide: ZombieSources, useFactory: () => new ZombieSources() },
    {
      provide: Operations,
      inject: [CLUSTER_PORTS, Kernel, FRAMES, CONFIG, ZombieSources],
      useFactory: (
        ports: ClusterPorts,
        kernel: Kernel,
        frames: FrameStore,
        { leaseMs, lingerMs }: Config,
        zombieSources: ZombieSources,
      ) =>
        new Operations({
          ports,
          commands: kernel,
          frames,
          settings: { leaseMs, lingerMs },
          zombieSources,
        }),
    },
    AdminGuard,
  ],
  exports: [Metrics, Readiness, Operations, TRACING, ZombieSources],
})
export class OpsModule implements OnApplicationBootstrap, OnApplicationShutdown {
  constructor(
    @Inject(Metrics) private readonly metrics: Metrics,
    @Inject(Kernel) private readonly kernel: Kernel,
    @Inject(Hub) private readonly hub: Hub,
    @Inject(TRACING) private readonly tracing: Tracing | null,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  onApplicationBootstrap(): void {
    const { kernel, hub } = this;
    this.metrics.follow(kernel);
    this.metrics.show({
      processes: () => kernel.owned().length,
      viewers: () => hub.viewers,
      channels: () => hub.channelCount,
      linked: () => kernel.up,
      leaseLeftMs: () => {
        const owned = kernel.owned();
        return owned.length === 0 ? null : Math.min(...owned.map(({ lease }) => lease.leftMs()));
      },
      mailboxDepth: () => kernel.owned().reduce((sum, { waiting }) => sum + waiting, 0),
    });
  }

  /** What the last rounds were is sent, unless the collector is away: no reason to stop out of order. */
  async onApplicationShutdown(): Promise<void> {
    await this.tracing
      ?.close()
      .catch((error: unknown) => this.log.warn({ err: error }, 'the last traces are not sent'));
  }
}
