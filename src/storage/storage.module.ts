import { Global, Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import type { Config } from '../config.js';
import { CONFIG, STORAGE } from '../node.tokens.js';
import { openStorage } from './open.js';
import type { Storage } from './storage.js';

/** Files that any node can serve, for all features. */
@Global()
@Module({
  providers: [{ provide: STORAGE, inject: [CONFIG], useFactory: ({ storage }: Config) => openStorage(storage) }],
  exports: [STORAGE],
})
export class StorageModule implements OnApplicationShutdown {
  constructor(@Inject(STORAGE) private readonly storage: Storage) {}

  onApplicationShutdown(): Promise<void> {
    return this.storage.close();
  }
}
