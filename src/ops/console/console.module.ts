import { Inject, Module, type BeforeApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Kernel } from '../../kernel/kernel.js';
import type { Logger } from '../../kernel/log.js';
import type { ClusterPorts } from '../../kernel/ports/cluster.js';
import { CLUSTER_PORTS, LOG } from '../../node.tokens.js';
import { Metrics } from '../metrics.js';
import { ConsoleTopics, EVENTS, FIGURES } from './console.topics.js';
import { EventLog } from './event-log.js';
import { Gather } from './gather.js';

/** What the console shows: topics in code, and what each node adds to them. */
@Module({
  providers: [
    ConsoleTopics,
    {
      provide: Gather,
      inject: [CLUSTER_PORTS, Kernel, LOG],
      useFactory: (ports: ClusterPorts, kernel: Kernel, log: Logger) =>
        new Gather(ports.bus, kernel.name, kernel.clock, log),
    },
  ],
})
export class ConsoleModule implements OnModuleInit, BeforeApplicationShutdown {
  constructor(
    @Inject(Gather) private readonly gather: Gather,
    @Inject(Kernel) private readonly kernel: Kernel,
    @Inject(Metrics) private readonly metrics: Metrics,
  ) {}

  async onModuleInit(): Promise<void> {
    const log = new EventLog(this.kernel.id, this.kernel.clock);
    log.follow(this.kernel.events);
    this.gather.offer(EVENTS, () => log.last);
    this.gather.offer(FIGURES, () => this.metrics.topics.samples);
    await this.gather.open();
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.gather.close();
  }
}
