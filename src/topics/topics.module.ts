import { Global, Inject, Module, type OnModuleInit } from '@nestjs/common';
import type { Config } from '../config.js';
import { Decorated } from '../discovery/discovery.module.js';
import type { Logger } from '../kernel/log.js';
import { CONFIG, LOG } from '../node.tokens.js';
import { TopicCatalogue } from './catalogue.js';
import { codeTopic } from './code-topic.js';
import { dialectOf } from './policy.js';
import { TOPIC, type DeclaredTopic } from './topic.decorator.js';
import type { ReadRows } from './topic.js';

/** The topics of the folder, and those that providers declare with `@Topic()`. */
@Global()
@Module({
  providers: [
    {
      provide: TopicCatalogue,
      inject: [CONFIG, LOG],
      useFactory: async (config: Config, log: Logger) => {
        const catalogue = await TopicCatalogue.open(config.topicsDir, {
          dialect: dialectOf(config.databaseUrl),
          onError: (error) => log.error({ err: error }, 'the catalogue of topics'),
        });
        const tell = (fault: { file: string; line: number; message: string }): void =>
          log.warn({ file: fault.file, line: fault.line }, `${fault.file}:${fault.line}: ${fault.message}`);
        for (const fault of catalogue.faults()) tell(fault);
        catalogue.on('faults', (_file, faults) => faults.forEach(tell));
        catalogue.on('changed', (topic, previous) =>
          log.info({ topic: topic.name }, previous ? 'topic changed' : 'topic added'),
        );
        catalogue.on('removed', (topic) => log.info({ topic }, 'topic removed'));
        return catalogue;
      },
    },
  ],
  exports: [TopicCatalogue],
})
export class TopicsModule implements OnModuleInit {
  constructor(
    @Inject(TopicCatalogue) private readonly catalogue: TopicCatalogue,
    @Inject(Decorated) private readonly decorated: Decorated,
  ) {}

  /** Before the kernel starts: no poller finds its topic missing. */
  onModuleInit(): void {
    for (const { instance, method, where, given } of this.decorated.methods<DeclaredTopic>(TOPIC)) {
      const read: ReadRows = (...args) => (instance[method] as ReadRows).apply(instance, args);
      this.catalogue.define(codeTopic(given.name, given.options, read, where));
    }
  }
}
