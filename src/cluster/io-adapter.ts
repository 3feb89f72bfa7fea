import type { INestApplicationContext } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import type { MessageMappingProperties } from '@nestjs/websockets';
import { createShardedAdapter } from '@socket.io/redis-adapter';
import type { Server, ServerOptions, Socket } from 'socket.io';
import type { AccessService } from '../access/access.service.js';
import type { Logger } from '../kernel/log.js';
import { connect, type RedisClient } from '../kernel/redis/connection.js';

/**
 * The Socket.IO server of a node. With Redis, what is addressed to rooms and people reaches all nodes through the sharded
 * adapter; frames have a way of their own and never pass through it.
 */
export class ClusterIoAdapter extends IoAdapter {
  readonly #clients: RedisClient[] = [];

  constructor(
    app: INestApplicationContext,
    private readonly access: AccessService,
    private readonly log: Logger,
  ) {
    super(app);
  }

  async connectRedis(url: string): Promise<void> {
    for (const name of ['socket.io publisher', 'socket.io subscriber']) {
      const subscriber = name.endsWith('subscriber');
      this.#clients.push(await connect({ url, name, commandTimeoutMs: 2_000, log: this.log, subscriber }));
    }
  }

  override createIOServer(port: number, options?: ServerOptions): Server {
    const server = super.createIOServer(port, { ...options, ...this.access.socketOptions } as ServerOptions);
    const [publisher, subscriber] = this.#clients;
    if (publisher && subscriber)
      server.adapter(createShardedAdapter(publisher, subscriber, { subscriptionMode: 'dynamic' }));
    return server;
  }

  /**
   * One listener for each event and socket. Nest's own adapter keeps a chain of observables for each, which is most of
   * what an idle viewer would cost in memory.
   */
  override bindMessageHandlers(socket: Socket, handlers: MessageMappingProperties[]): void {
    for (const { message, callback, isAckHandledManually } of handlers) {
      socket.on(String(message), (...payload: unknown[]) => {
        const given: unknown = payload.length === 1 ? payload[0] : payload;
        const { data, ack } = this.mapPayload(given) as { data: unknown; ack?: (answer: unknown) => void };
        const handled = Promise.resolve(callback(data, ack) as unknown).then((answer) => {
          if (!isAckHandledManually && answer !== undefined) ack?.(answer);
        });
        handled.catch((error: unknown) => this.log.error({ err: error, event: String(message) }, 'a gateway threw'));
      });
    }
  }

  disconnectRedis(): void {
    for (const client of this.#clients) client.disconnect();
  }
}
