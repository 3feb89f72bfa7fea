import { Global, Module } from '@nestjs/common';
import type { Config } from '../config.js';
import { Kernel } from '../kernel/kernel.js';
import type { Logger } from '../kernel/log.js';
import type { ClusterPorts } from '../kernel/ports/cluster.js';
import { CLUSTER_PORTS, CONFIG, FRAMES, LOG, VERSION } from '../node.tokens.js';
import { openCluster, openFrames } from './cluster.js';

/** The kernel and what it stands on. `NodeLifecycle` starts and drains it. */
@Global()
@Module({
  providers: [
    {
      provide: CLUSTER_PORTS,
      inject: [CONFIG, LOG],
      useFactory: (config: Config, log: Logger) => openCluster(config, log),
    },
    { provide: FRAMES, inject: [CLUSTER_PORTS], useFactory: (ports: ClusterPorts) => openFrames(ports) },
    {
      provide: Kernel,
      inject: [CLUSTER_PORTS, CONFIG, LOG, VERSION],
      useFactory: (ports: ClusterPorts, config: Config, log: Logger, version: string) =>
        new Kernel({
          ports,
          version,
          log,
          leaseMs: config.leaseMs,
          // What an operator's tools judge by: theirs may have been started with another environment.
          info: () => ({ leaseMs: config.leaseMs, lingerMs: config.lingerMs }),
        }),
    },
  ],
  exports: [CLUSTER_PORTS, FRAMES, Kernel],
})
export class ClusterModule {}
