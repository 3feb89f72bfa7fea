import { Global, Inject, Module, type OnModuleInit } from '@nestjs/common';
import type { Config } from '../config.js';
import { Decorated } from '../discovery/discovery.module.js';
import type { ProcessKind } from '../kernel/kind.js';
import { Kernel } from '../kernel/kernel.js';
import type { Logger } from '../kernel/log.js';
import type { ClusterPorts } from '../kernel/ports/cluster.js';
import { CLUSTER_PORTS, CONFIG, FRAMES, LOG, VERSION } from '../node.tokens.js';
import { openCluster, openFrames } from './cluster.js';
import { NodeFigures } from './node-figures.js';
import { PROCESS_KIND } from './process-kind.decorator.js';

/** The kernel, what it stands on, and the kinds of process that providers declare. `NodeLifecycle` starts and drains it. */
@Global()
@Module({
  providers: [
    {
      provide: CLUSTER_PORTS,
      inject: [CONFIG, LOG],
      useFactory: (config: Config, log: Logger) => openCluster(config, log),
    },
    { provide: FRAMES, inject: [CLUSTER_PORTS], useFactory: (ports: ClusterPorts) => openFrames(ports) },
    { provide: NodeFigures, useFactory: () => new NodeFigures() },
    {
      provide: Kernel,
      inject: [CLUSTER_PORTS, NodeFigures, CONFIG, LOG, VERSION],
      useFactory: (ports: ClusterPorts, figures: NodeFigures, config: Config, log: Logger, version: string) =>
        new Kernel({
          ports,
          version,
          log,
          leaseMs: config.leaseMs,
          // What an operator's tools judge by: theirs may have been started with another environment.
          info: () => ({ ...figures.read(), leaseMs: config.leaseMs, lingerMs: config.lingerMs }),
        }),
    },
  ],
  exports: [CLUSTER_PORTS, FRAMES, Kernel, NodeFigures],
})
export class ClusterModule implements OnModuleInit {
  constructor(
    @Inject(Kernel) private readonly kernel: Kernel,
    @Inject(Decorated) private readonly decorated: Decorated,
  ) {}

  onModuleInit(): void {
    for (const { instance } of this.decorated.providers<true>(PROCESS_KIND))
      this.kernel.define(instance as ProcessKind);
  }
}
