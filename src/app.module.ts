import {
  Global,
  Module,
  type DynamicModule,
  type FactoryProvider,
  type ModuleMetadata,
  type Provider,
  type Type,
} from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { AccessModule } from './access/access.module.js';
import { deriveSecret } from './access/secret.js';
import { DEFAULT_LIMITS, type AccessSettings } from './access/settings.js';
import { ChannelsModule } from './channels/channels.module.js';
import { clusterSecret } from './cluster/cluster.js';
import { ClusterModule } from './cluster/cluster.module.js';
import type { Config } from './config.js';
import { DatabaseModule } from './database/database.module.js';
import { DiscoveryModule } from './discovery/discovery.module.js';
import type { Logger } from './kernel/log.js';
import type { ClusterPorts } from './kernel/ports/cluster.js';
import { ErrorFilter } from './http/error.filter.js';
import { HttpModule } from './http/http.module.js';
import { Mount } from './http/mount.js';
import { ExportsModule } from './exports/exports.module.js';
import { NodeLifecycle } from './node.lifecycle.js';
import { CLUSTER_PORTS, CONFIG, LOG, PAGES, VERSION } from './node.tokens.js';
import { ConsoleModule } from './ops/console/console.module.js';
import { OpsModule } from './ops/ops.module.js';
import { PollingModule } from './polling/polling.module.js';
import { ReleasesModule } from './releases/releases.module.js';
import { RoomsModule } from './rooms/rooms.module.js';
import { RecordingsModule } from './recordings/recordings.module.js';
import { RowsModule } from './rows/rows.module.js';
import { SocketsModule } from './sockets/sockets.module.js';
import { StorageModule } from './storage/storage.module.js';
import { TopicsModule } from './topics/topics.module.js';

export interface NodeOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly version: string;
  /** An application's own, whose providers may have topics, kinds of process and row workers. */
  readonly modules?: NonNullable<ModuleMetadata['imports']>;
}

/** Where the options come from when they are known only later, from providers of other modules. */
export interface NodeOptionsLater {
  readonly imports?: ModuleMetadata['imports'];
  readonly inject?: FactoryProvider['inject'];
  readonly useFactory: FactoryProvider<NodeOptions>['useFactory'];
}

interface NodePlacement {
  /** Whether the hub's own pages are served. */
  readonly pages: boolean;
  /** What is put before all of its routes. */
  readonly prefix: string;
}

const OPTIONS = Symbol('options');

/** What all modules share: the configuration, the log, and which version this is. */
@Global()
@Module({})
class NodeModule {
  static with(options: NodeOptionsLater, { pages, prefix }: NodePlacement): DynamicModule {
    const shared: Provider[] = [
      { provide: CONFIG, inject: [OPTIONS], useFactory: ({ config }: NodeOptions) => config },
      { provide: LOG, inject: [OPTIONS], useFactory: ({ log }: NodeOptions) => log },
      { provide: VERSION, inject: [OPTIONS], useFactory: ({ version }: NodeOptions) => version },
      { provide: PAGES, useValue: pages },
      { provide: Mount, useValue: new Mount(prefix) },
    ];
    return {
      module: NodeModule,
      imports: options.imports ?? [],
      providers: [{ provide: OPTIONS, inject: options.inject ?? [], useFactory: options.useFactory }, ...shared],
      exports: [CONFIG, LOG, VERSION, PAGES, Mount],
    };
  }
}

/** All that a node has, from what it stands on up to what people see of it. */
export const NODE_MODULES: readonly (Type | DynamicModule)[] = [
  DatabaseModule, //  Postgres: given, or embedded with the demo's data
  StorageModule, //   files that any node can serve
  ClusterModule, //   the kernel of named processes, on Redis or in memory
  DiscoveryModule, // what decorators say: @Topic, @ProcessKind, @RowWorker
  TopicsModule, //    .sql files, watched, and topics in code
  AccessModule.forRoot({ inject: [CONFIG, CLUSTER_PORTS], useFactory: accessSettings }),
  SocketsModule, //   what all connections have: a name, limits, mail
  HttpModule, //      what HTTP answers, described at /api
  OpsModule, //       health, metrics, admin API, zombies
  ConsoleModule, //   the tables of /console, as topics in code
  PollingModule, //   the poller: a kind of process
  ChannelsModule, //  viewers: Socket.IO, Server-Sent Events, HTTP
  RoomsModule, //     rooms: shared state that outlives its process
  ExportsModule, //   files that survive their node
  RowsModule, //      @RowWorker: a small process for each row
  ReleasesModule, //  told to viewers once they run everywhere
  RecordingsModule, // videos of pages: a pool of workers with browsers
];

/** A whole node. */
@Module({})
export class AppModule {
  /** As an application of its own: it answers all that is asked of its port. */
  static forNode(options: NodeOptions): DynamicModule {
    const node = AppModule.within({ useFactory: () => options }, { pages: true, prefix: '' });
    const imports = [...(node.imports ?? []), ...(options.modules ?? [])];
    return { ...node, imports, providers: [NodeLifecycle, { provide: APP_FILTER, useClass: ErrorFilter }] };
  }

  /** Within somebody's application, which answers what is not the hub's. */
  static within(options: NodeOptionsLater, placement: NodePlacement): DynamicModule {
    return {
      module: AppModule,
      imports: [NodeModule.with(options, placement), ...NODE_MODULES],
      providers: [NodeLifecycle],
    };
  }
}

async function accessSettings(config: Config, ports: ClusterPorts): Promise<AccessSettings> {
  const shared =
    (config.auth.mode === 'jwt' ? config.auth.secret : undefined) ?? config.adminToken ?? (await clusterSecret(ports));
  return {
    auth: config.auth,
    adminToken: config.adminToken,
    loopback: config.loopback,
    origins: config.corsOrigins,
    trustedProxies: config.trustedProxies,
    secret: deriveSecret(shared, 'guests'),
    limits: DEFAULT_LIMITS,
  };
}
