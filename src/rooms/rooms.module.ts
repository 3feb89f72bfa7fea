import {
  Inject,
  Module,
  type BeforeApplicationShutdown,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { isRedis } from '../cluster/cluster.js';
import type { Config } from '../config.js';
import type { Database } from '../database/database.js';
import { Kernel } from '../kernel/kernel.js';
import type { Logger } from '../kernel/log.js';
import type { ClusterPorts } from '../kernel/ports/cluster.js';
import { CLUSTER_PORTS, CONFIG, DATABASE, LOG } from '../node.tokens.js';
import { Metrics } from '../ops/metrics.js';
import { MemoryHistory } from './history/memory.js';
import { HistoryPlace } from './history/open.js';
import { RedisHistory } from './history/redis.js';
import { historyWriterKind } from './history/writer.js';
import { Lobby } from './lobby.js';
import { ROOM_LIMITS } from './limits.js';
import { Offenders } from './offenders.js';
import { RoomHub } from './room-hub.js';
import { roomKind } from './room-kind.js';
import { RoomsController } from './rooms.controller.js';
import { RoomsGateway } from './rooms.gateway.js';
import { MemoryRooms } from './store/memory.js';
import { RedisRooms } from './store/redis.js';
import type { RoomStore } from './store/store.js';

const ROOMS = Symbol('rooms');

/** A reload, or the way to another node, takes less; and who is gone has left within 5 s, however they went. */
const MEMBER_LINGER_MS = 2_500;

/** How much of the past of rooms is kept. */
const RETENTION = { maxAgeMs: 30 * 24 * 3_600_000, maxEvents: 100_000 };

/** Teaches the kernel rooms, and lets sockets into them. */
@Module({
  controllers: [RoomsController],
  providers: [
    {
      provide: ROOMS,
      inject: [CLUSTER_PORTS],
      useFactory: (ports: ClusterPorts) => (isRedis(ports) ? new RedisRooms(ports) : new MemoryRooms()),
    },
    {
      provide: RoomHub,
      inject: [Kernel, ROOMS, HistoryPlace, LOG],
      useFactory: (kernel: Kernel, store: RoomStore, history: HistoryPlace, log: Logger) =>
        new RoomHub({ kernel, store, history, log }),
    },
    {
      provide: Lobby,
      inject: [ROOMS, Kernel, LOG],
      useFactory: (store: RoomStore, { clock }: Kernel, log: Logger) => new Lobby(store, clock, log),
    },
    {
      provide: HistoryPlace,
      inject: [DATABASE, CLUSTER_PORTS, LOG],
      useFactory: ({ ownerUrl }: Database, ports: ClusterPorts, log: Logger) =>
        new HistoryPlace(ownerUrl, isRedis(ports) ? new RedisHistory(ports) : new MemoryHistory(), log),
    },
    RoomsGateway,
  ],
})
export class RoomsModule implements OnModuleInit, BeforeApplicationShutdown, OnApplicationShutdown {
  constructor(
    @Inject(Kernel) private readonly kernel: Kernel,
    @Inject(ROOMS) private readonly store: RoomStore,
    @Inject(RoomHub) private readonly hub: RoomHub,
    @Inject(Lobby) private readonly lobby: Lobby,
    @Inject(HistoryPlace) private readonly history: HistoryPlace,
    @Inject(Metrics) private readonly metrics: Metrics,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  onModuleInit(): void {
    const { store, metrics, config } = this;
    this.kernel.define(
      roomKind({
        store,
        offenders: new Offenders(),
        metrics: metrics.rooms,
        settings: {
          memberLingerMs: Math.min(MEMBER_LINGER_MS, config.lingerMs),
          lingerMs: config.lingerMs,
          keepMs: config.roomKeepMs,
          limits: ROOM_LIMITS,
        },
      }),
    );
    this.kernel.define(historyWriterKind({ store, history: this.history.get, retention: RETENTION }));
  }

  beforeApplicationShutdown(): Promise<void> {
    this.lobby.close();
    return this.hub.close();
  }

  onApplicationShutdown(): Promise<void> {
    return this.history.close();
  }
}
