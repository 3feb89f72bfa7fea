import { Inject, type OnModuleInit } from '@nestjs/common';
import { WebSocketServer, type OnGatewayConnection, type OnGatewayDisconnect } from '@nestjs/websockets';
import type { Server, Socket } from 'socket.io';
import { AccessService } from '../access/access.service.js';
import { PollcastError } from '../errors.js';
import { HubGateway, HUB_PATH } from './hub.gateway.js';
import { People } from './people.js';

/** What every connection has, whichever calls it makes: a name, limits and mail. */
@HubGateway()
export class SocketsGateway implements OnGatewayConnection, OnGatewayDisconnect, OnModuleInit {
  @WebSocketServer() private readonly server!: Server;

  constructor(
    @Inject(AccessService) private readonly access: AccessService,
    @Inject(People) private readonly people: People,
  ) {}

  onModuleInit(): void {
    if (this.server.path() === HUB_PATH) {
      throw new PollcastError(
        'BAD_REQUEST',
        'Pollcast has no sockets: call `await usePollcast(app)` before app.init() or app.listen(), and no app.useWebSocketAdapter() after it.',
      );
    }
    this.access.attach(this.server);
  }

  handleConnection(socket: Socket): void {
    this.people.add(this.access.of(socket).identity.user, socket);
  }

  handleDisconnect(socket: Socket): void {
    this.people.remove(this.access.of(socket).identity.user, socket);
  }
}
