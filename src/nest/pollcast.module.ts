import {
  Inject,
  Module,
  type DynamicModule,
  type FactoryProvider,
  type ModuleMetadata,
  type OnModuleInit,
} from '@nestjs/common';
import { ModulesContainer, RouterModule } from '@nestjs/core';
import { AppModule, NODE_MODULES, type NodeOptions } from '../app.module.js';
import { PollcastError } from '../errors.js';
import type { Logger } from '../kernel/log.js';
import { packageVersion } from '../version.js';
import { hostLog } from './host-log.js';
import { readOptions, type PollcastOptions } from './options.js';

/** What must be known when the module is made, whatever the options turn out to be. */
export interface PollcastPlacement {
  /** Put before all of the hub's routes: with `pollcast`, `/api/topics` is `/pollcast/api/topics`. Default: nothing. */
  readonly prefix?: string;
  /** Takes the hub's lines; pino's loggers fit. Default: Nest's own logger, in the context `Pollcast`. */
  readonly logger?: Logger;
  /** Of the application: viewers are told when a new one runs on every node. Default: the hub's own. */
  readonly version?: string;
}

export type PollcastModuleOptions = PollcastOptions & PollcastPlacement;

export interface PollcastModuleAsyncOptions extends PollcastPlacement {
  readonly imports?: ModuleMetadata['imports'];
  readonly inject?: FactoryProvider['inject'];
  readonly useFactory: FactoryProvider<PollcastOptions>['useFactory'];
}

/**
 * A hub within a Nest application: its topics (files, and methods with `@Topic()`), its sockets, its routes. The
 * application's own filters, pipes, gateways and signals stay its own. The sockets need `await usePollcast(app)` as well.
 */
@Module({})
export class PollcastModule implements OnModuleInit {
  constructor(@Inject(ModulesContainer) private readonly modules: ModulesContainer) {}

  /** @throws PollcastError `BAD_REQUEST` with all that is wrong with the options */
  static forRoot({ prefix, logger, version, ...options }: PollcastModuleOptions): DynamicModule {
    readOptions(options);
    return PollcastModule.forRootAsync({ prefix, logger, version, useFactory: () => options });
  }

  /** Options that other providers give, such as the application's configuration. */
  static forRootAsync({
    prefix = '',
    imports,
    inject,
    useFactory,
    ...rest
  }: PollcastModuleAsyncOptions): DynamicModule {
    const { logger = hostLog(), version = packageVersion() } = rest;
    const useOptions = async (...given: unknown[]): Promise<NodeOptions> => ({
      config: readOptions(await useFactory(...given)),
      log: logger,
      version,
    });
    const node = AppModule.within({ imports, inject, useFactory: useOptions }, { pages: false, prefix });
    const children = NODE_MODULES.map((one) => ('module' in one ? one.module : one));
    const routes = RouterModule.register([{ path: prefix, children }]);
    return { module: PollcastModule, imports: prefix === '' ? [node] : [node, routes] };
  }

  onModuleInit(): void {
    const hubs = [...this.modules.values()].filter(({ metatype }) => metatype === PollcastModule).length;
    if (hubs === 1) return;
    throw new PollcastError(
      'CONFLICT',
      `PollcastModule: expected one in an application, got ${hubs}: import it with forRoot in the root module only`,
    );
  }
}
