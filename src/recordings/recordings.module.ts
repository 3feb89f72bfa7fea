import type { Server } from 'node:http';
import {
  Inject,
  Module,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnModuleInit,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { AccessService } from '../access/access.service.js';
import { TICKET_COOKIE } from '../access/tickets.js';
import { NodeFigures } from '../cluster/node-figures.js';
import { clusterMarkOf } from '../cluster/cluster-mark.js';
import { programEnvironment, type Config } from '../config.js';
import { Mount } from '../http/mount.js';
import { Kernel } from '../kernel/kernel.js';
import type { Logger } from '../kernel/log.js';
import type { Unsubscribe } from '../kernel/ports/bus.js';
import type { NodeSighting } from '../kernel/ports/store.js';
import type { ClusterPorts } from '../kernel/ports/cluster.js';
import { CLUSTER_PORTS, CONFIG, LOG, STORAGE } from '../node.tokens.js';
import { Metrics } from '../ops/metrics.js';
import { ZombieSources } from '../ops/zombie-sources.js';
import { People } from '../sockets/people.js';
import type { Storage } from '../storage/storage.js';
import { AbandonedSegments } from './abandoned.js';
import { poolKind, recordingKind } from './kinds.js';
import { Library } from './library.js';
import { PoolFigures, type PoolMessage } from './pool.js';
import { RecorderNode } from './recorder-node.js';
import { POOL_NAME, RECORDING_KIND, recordingName, toWire, type Progress, type RecordingArgs } from './recording.js';
import { RecordingsController } from './recordings.controller.js';
import { RecordingsGateway } from './recordings.gateway.js';
import { Recordings } from './recordings.js';
import type { WorkerMessage } from './worker.js';

const TICK_MS = 1_000;
/** A page that is reloaded, or a laptop that changes its network, is back within that. */
const OWNER_GRACE_MS = 60_000;
/** The browser may need its ticket a little longer than the recording lasts, gaps included. */
const TICKET_MARGIN_MS = 10 * 60_000;
/** Asks every node which of these people are connected. */
const OWNERS_CHANNEL = 'recordings:owners';

/** Recordings: a pool of workers, each minding a real browser. */
@Module({
  controllers: [RecordingsController],
  providers: [
    { provide: Library, inject: [STORAGE], useFactory: (storage: Storage) => new Library(storage) },
    {
      provide: Recordings,
      inject: [Kernel, Library],
      useFactory: (kernel: Kernel, library: Library) => new Recordings(kernel, library),
    },
    {
      provide: RecorderNode,
      inject: [CONFIG, LOG, Kernel, AccessService, HttpAdapterHost],
      useFactory: (config: Config, log: Logger, kernel: Kernel, access: AccessService, http: HttpAdapterHost) =>
        new RecorderNode({
          ...config.recorder,
          environment: programEnvironment(),
          host: config.host,
          cluster: clusterMarkOf(config),
          node: kernel.name,
          ticket: (args) => ({ name: TICKET_COOKIE, value: access.tickets.issue(holderOf(args, kernel.clock.now())) }),
          server: () => http.httpAdapter.getHttpServer() as Server,
          clock: kernel.clock,
          log,
        }),
    },
    RecordingsGateway,
  ],
})
export class RecordingsModule implements OnModuleInit, OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #figures = new PoolFigures();
  #unsubscribe: Unsubscribe | null = null;

  constructor(
    @Inject(Kernel) private readonly kernel: Kernel,
    @Inject(CLUSTER_PORTS) private readonly ports: ClusterPorts,
    @Inject(RecorderNode) private readonly node: RecorderNode,
    @Inject(Library) private readonly library: Library,
    @Inject(STORAGE) private readonly storage: Storage,
    @Inject(People) private readonly people: People,
    @Inject(NodeFigures) private readonly nodeFigures: NodeFigures,
    @Inject(ZombieSources) private readonly zombies: ZombieSources,
    @Inject(Metrics) private readonly metrics: Metrics,
    @Inject(Mount) private readonly mount: Mount,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.node.load();
    this.kernel.define(this.#recordingKind());
    this.kernel.define(this.#poolKind());
    this.nodeFigures.add(() => ({ slots: this.node.slots, slotsUsed: this.#used() }));
    this.zombies.add(this.node.leftovers);
    const { storage, kernel } = this;
    this.zombies.add(new AbandonedSegments({ storage, processes: () => kernel.processes(), clock: kernel.clock }));
    this.metrics.recorder({
      slots: () => this.node.slots,
      used: () => this.#used(),
      queued: () => this.#figures.queued,
      oldestMs: () => this.#figures.oldestMs,
    });
  }

  async onApplicationBootstrap(): Promise<void> {
    this.#unsubscribe = await this.ports.bus.subscribe(OWNERS_CHANNEL, (message) => this.#sayWhoIsHere(message));
    // Not awaited: the hub serves meanwhile, and records once it knows with what.
    this.node.open().catch((error: unknown) => this.log.error({ err: error }, 'this node makes no recordings'));
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.#unsubscribe?.();
    await this.node.close();
  }

  #used(): number {
    const running = this.kernel.owned().filter(({ record }) => record.kind === RECORDING_KIND).length;
    return running + this.node.ready.size;
  }

  /** Of this node more is known than it has said with its last heartbeat. */
  #asItIs(node: NodeSighting): NodeSighting {
    return node.id === this.kernel.id ? { ...node, info: { ...node.info, slots: this.node.slots } } : node;
  }

  #recordingKind() {
    const { node, storage, library } = this;
    return recordingKind({
      ready: node.ready,
      figures: this.#figures,
      slots: () => node.slots,
      worker: () =>
        node.studios && {
          ...{ studios: node.studios, storage, library },
          takeReady: (id: string) => node.ready.take(id),
          report: (id: string, progress: Progress) => this.#toPool({ do: 'report', id, progress }),
        },
    });
  }

  #poolKind() {
    const { kernel, library } = this;
    return poolKind({
      library,
      nodes: () => kernel.nodes().map((node) => this.#asItIs(node)),
      processes: () => kernel.processes(),
      ensure: (spec) => kernel.ensure(spec),
      stopWorker: async (id, reason) => {
        await kernel.call(recordingName(id), { do: 'stop', reason } satisfies WorkerMessage);
      },
      tell: (recording) => void this.people.tell(recording.owner, 'recording', toWire(recording, this.mount)),
      whoIsThere: (owners) => {
        this.ports.bus.publish(OWNERS_CHANNEL, JSON.stringify(owners)).catch(() => undefined);
      },
      figures: this.#figures,
      tickMs: TICK_MS,
      ownerGraceMs: OWNER_GRACE_MS,
    });
  }

  #sayWhoIsHere(message: string): void {
    const users = (JSON.parse(message) as string[]).filter((user) => this.people.isHere(user));
    this.#toPool({ do: 'present', users });
  }

  /** At most once: what the pool misses it learns from the storage. */
  #toPool(message: PoolMessage): void {
    this.kernel
      .cast(POOL_NAME, message)
      .catch((error: unknown) => this.log.debug({ err: error, do: message.do }, 'not told to the pool of recordings'));
  }
}

/** What the recorder's browser may see of the hub, and under which name: as much as who asked for it, and not as him. */
function holderOf({ id, owner, maxSeconds }: RecordingArgs, now: number) {
  const { roles, claims } = owner;
  return { user: recordingName(id), roles, claims, until: now + maxSeconds * 1_000 + TICKET_MARGIN_MS };
}
