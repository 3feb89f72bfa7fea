import { Global, Inject, Module, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import type { Logger } from '../kernel/log.js';
import type { ClusterPorts } from '../kernel/ports/cluster.js';
import { CLUSTER_PORTS, LOG } from '../node.tokens.js';
import { People } from './people.js';
import { SocketsGateway } from './sockets.gateway.js';

/** What all gateways have in common. */
@Global()
@Module({
  providers: [
    {
      provide: People,
      inject: [CLUSTER_PORTS, LOG],
      useFactory: (ports: ClusterPorts, log: Logger) => new People(ports.bus, log),
    },
    SocketsGateway,
  ],
  exports: [People],
})
export class SocketsModule implements OnApplicationBootstrap, BeforeApplicationShutdown {
  constructor(@Inject(People) private readonly people: People) {}

  onApplicationBootstrap(): Promise<void> {
    return this.people.open();
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.people.close();
  }
}
