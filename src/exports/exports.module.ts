import { Inject, Module, type OnModuleInit } from '@nestjs/common';
import { clusterMarkOf } from '../cluster/cluster-mark.js';
import type { Config } from '../config.js';
import type { Database } from '../database/database.js';
import { Mount } from '../http/mount.js';
import { Kernel } from '../kernel/kernel.js';
import type { Logger } from '../kernel/log.js';
import type { ClusterPorts } from '../kernel/ports/cluster.js';
import { CLUSTER_PORTS, CONFIG, DATABASE, LOG, STORAGE } from '../node.tokens.js';
import { Metrics } from '../ops/metrics.js';
import { ZombieSources } from '../ops/zombie-sources.js';
import { Slots } from '../polling/sources/slots.js';
import { People } from '../sockets/people.js';
import type { Storage } from '../storage/storage.js';
import { TopicCatalogue } from '../topics/catalogue.js';
import { exportKind } from './export-kind.js';
import { ExportsController } from './exports.controller.js';
import { ExportsGateway } from './exports.gateway.js';
import { Exports } from './exports.js';
import { EXPORT_METRICS, type ExportMetrics } from './metrics.js';
import { OrphanFiles } from './orphans.js';
import { exportsRoot } from './record.js';

/** Exports that a node works on at once; the others wait, pending. */
const AT_ONCE = 4;
const PIECE_ROWS = 100_000;
const PIECE_BYTES = 16 * 1024 * 1024;
/** Some forty pages: more than anybody reads on paper. */
const PDF_ROWS = 2_000;
/** A little over a quarter of a second: four times a second at most. */
const ANNOUNCE_MS = 260;

/** Files of topics' results, made by a process that survives its node. */
@Module({
  controllers: [ExportsController],
  providers: [
    {
      provide: Exports,
      inject: [Kernel, CLUSTER_PORTS, Mount],
      useFactory: (kernel: Kernel, { store }: ClusterPorts, mount: Mount) =>
        new Exports(kernel, store, (route) => mount.path(route)),
    },
    { provide: EXPORT_METRICS, inject: [Metrics], useFactory: ({ exports }: Metrics) => exports },
    ExportsGateway,
  ],
})
export class ExportsModule implements OnModuleInit {
  constructor(
    @Inject(Kernel) private readonly kernel: Kernel,
    @Inject(STORAGE) private readonly storage: Storage,
    @Inject(DATABASE) private readonly database: Database,
    @Inject(TopicCatalogue) private readonly topics: TopicCatalogue,
    @Inject(People) private readonly people: People,
    @Inject(ZombieSources) private readonly zombies: ZombieSources,
    @Inject(CLUSTER_PORTS) private readonly ports: ClusterPorts,
    @Inject(EXPORT_METRICS) private readonly metrics: ExportMetrics,
    @Inject(Mount) private readonly mount: Mount,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  onModuleInit(): void {
    const slots = new Slots(AT_ONCE);
    this.metrics.working(() => ({ running: slots.taken, waiting: slots.waiting }));
    const root = exportsRoot(clusterMarkOf(this.config));
    this.zombies.add(new OrphanFiles(this.storage, this.ports.store, root, this.kernel.clock, this.log));
    this.kernel.define(
      exportKind({
        root,
        storage: this.storage,
        connectionString: this.database.url,
        node: this.config.nodeName,
        clock: this.kernel.clock,
        log: this.log,
        metrics: this.metrics,
        urlOf: (route) => this.mount.path(route),
        settings: {
          ...this.config.exports,
          pieceRows: PIECE_ROWS,
          pieceBytes: PIECE_BYTES,
          pdfRows: PDF_ROWS,
          announceMs: ANNOUNCE_MS,
        },
        topic: (name) => this.topics.get(name),
        enter: (signal) => slots.enter(signal),
        tell: (user, view) => this.people.tell(user, 'export', view),
      }),
    );
  }
}
