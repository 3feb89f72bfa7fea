import { Inject, type BeforeApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { OnGatewayConnection, OnGatewayDisconnect } from '@nestjs/websockets';
import type { Socket } from 'socket.io';
import { Kernel } from '../kernel/kernel.js';
import type { Logger } from '../kernel/log.js';
import type { ClusterPorts } from '../kernel/ports/cluster.js';
import { CLUSTER_PORTS, LOG } from '../node.tokens.js';
import { HubGateway } from '../sockets/hub.gateway.js';
import { Notices, saidVersion } from './notices.js';
import { releaseKind, type Word } from './release-kind.js';
import { RELEASES, RELEASES_CHANNEL, type Rollout } from './release.js';

/**
 * Tells viewers of releases. Not by `People`: whom to tell depends on what each socket knows, so each node hears of the
 * release itself and decides for its own.
 */
@HubGateway()
export class ReleasesGateway
  implements OnGatewayConnection, OnGatewayDisconnect, OnModuleInit, BeforeApplicationShutdown
{
  readonly #notices = new Notices();
  #releases: (() => unknown)[] = [];

  constructor(
    @Inject(Kernel) private readonly kernel: Kernel,
    @Inject(CLUSTER_PORTS) private readonly ports: ClusterPorts,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  async onModuleInit(): Promise<void> {
    const { kernel } = this;
    const { bus } = this.ports;
    kernel.define(
      releaseKind({
        bus,
        versions: () => kernel.nodes().map(({ version }) => version),
        onNodes: (listen) => {
          const stops = [kernel.on('node:up', listen), kernel.on('node:down', listen), kernel.on('rejoined', listen)];
          return () => stops.forEach((stop) => stop());
        },
      }),
    );
    // Before the kernel joins: the watching process tells what it knows when it sees this node come.
    this.#releases = [
      await bus.subscribe(RELEASES_CHANNEL, (text) => this.#notices.learn(JSON.parse(text) as Word)),
      bus.onLink((up) => up && void this.#ask()),
    ];
    await kernel.stand({ name: RELEASES, kind: RELEASES, args: {} });
  }

  handleConnection(socket: Socket): void {
    this.#notices.add(socket, saidVersion(socket.handshake.auth));
  }

  handleDisconnect(socket: Socket): void {
    this.#notices.remove(socket);
  }

  async beforeApplicationShutdown(): Promise<void> {
    await Promise.all(this.#releases.splice(0).map((release) => release()));
  }

  /** Word may have been missed while nothing reached this node. */
  async #ask(): Promise<void> {
    try {
      const rollout = await this.kernel.call<Rollout | null>(RELEASES, {}, { idempotent: true });
      if (rollout) this.#notices.learn({ rollout, news: false });
    } catch (error) {
      this.log.debug({ err: error }, 'releases not asked for; the next node that comes or goes brings word');
    }
  }
}
