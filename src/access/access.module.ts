import { Module, type DynamicModule, type FactoryProvider, type ModuleMetadata } from '@nestjs/common';
import { ACCESS_SETTINGS, AccessService } from './access.service.js';
import type { AccessSettings } from './settings.js';

export interface AccessModuleOptions {
  readonly imports?: ModuleMetadata['imports'];
  readonly inject?: FactoryProvider['inject'];
  readonly useFactory: FactoryProvider<AccessSettings>['useFactory'];
}

/** `AccessService` for every module of the node. */
@Module({})
export class AccessModule {
  static forRoot(options: AccessModuleOptions): DynamicModule {
    const settings = { provide: ACCESS_SETTINGS, useFactory: options.useFactory, inject: options.inject ?? [] };
    return {
      module: AccessModule,
      global: true,
      imports: options.imports ?? [],
      providers: [settings, AccessService],
      exports: [AccessService],
    };
  }
}
