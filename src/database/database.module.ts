import { Global, Module } from '@nestjs/common';
import type { Config } from '../config.js';
import type { Logger } from '../kernel/log.js';
import { CONFIG, DATABASE, LOG } from '../node.tokens.js';
import { openDatabase } from './database.js';

@Global()
@Module({
  providers: [
    {
      provide: DATABASE,
      inject: [CONFIG, LOG],
      useFactory: (config: Config, log: Logger) => openDatabase(config, log),
    },
  ],
  exports: [DATABASE],
})
export class DatabaseModule {}
