import { Global, Module } from '@nestjs/common';
import type { Config } from '../config.js';
import type { Logger } from '../kernel/log.js';
import { CONFIG, LOG } from '../node.tokens.js';
import { TopicCatalogue } from './catalogue.js';

@Global()
@Module({
  providers: [
    {
      provide: TopicCatalogue,
      inject: [CONFIG, LOG],
      useFactory: async (config: Config, log: Logger) => {
        const catalogue = await TopicCatalogue.open(config.topicsDir, {
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
export class TopicsModule {}
