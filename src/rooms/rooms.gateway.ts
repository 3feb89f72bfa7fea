import { Inject } from '@nestjs/common';
import { Ack, ConnectedSocket, MessageBody, SubscribeMessage, type OnGatewayDisconnect } from '@nestjs/websockets';
import type { Socket } from 'socket.io';
import { AccessService } from '../access/access.service.js';
import type { Logger } from '../kernel/log.js';
import { LOG } from '../node.tokens.js';
import { acknowledged, type Acknowledge } from '../sockets/call.js';
import { HubGateway } from '../sockets/hub.gateway.js';
import { LifeSigns } from '../sockets/life-signs.js';
import { parseMessage } from '../sockets/message.js';
import { RoomHub } from './room-hub.js';
import { changeSchema, historySchema, joinSchema, roomSchema, statusSchema } from './schema.js';

const HISTORY_LIMIT = 50;
/** Silence is found out within three of these; what is left of the 5 s in which who is gone has left, is the linger. */
const PING_MS = 700;

/** The contract's calls of rooms. Every call is acknowledged, with its answer or its error. */
@HubGateway()
export class RoomsGateway implements OnGatewayDisconnect {
  constructor(
    @Inject(RoomHub) private readonly hub: RoomHub,
    @Inject(AccessService) private readonly access: AccessService,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  readonly #life = new LifeSigns({
    everyMs: PING_MS,
    silent: (id) => this.hub.silent(id),
    heard: (id) => this.hub.heard(id),
  });

  handleDisconnect(socket: Socket): void {
    this.#life.forget(socket.id);
    this.hub.leaveAll(socket.id);
  }

  @SubscribeMessage('room:join')
  async join(@ConnectedSocket() socket: Socket, @MessageBody() body: unknown, @Ack() ack?: Acknowledge): Promise<void> {
    await acknowledged(this.log, ack, async (acknowledge) => {
      const { room, name } = parseMessage(joinSchema, body);
      const { identity, session } = this.access.of(socket);
      const viewer = {
        id: socket.id,
        user: identity.user,
        name: name ?? identity.user,
        // A room counts as a channel: what a connection may have open has one limit.
        seats: { open: () => session.openChannel(), close: () => session.closeChannel() },
        tell: (event: object) => void socket.emit('room', event),
      };
      await this.hub.join(room, viewer, (snapshot) => acknowledge({ room, ...snapshot }));
      if (socket.connected) this.#life.watch(socket);
      // Gone on its way in: nobody else will tell.
      else this.hub.leaveAll(socket.id);
    });
  }

  @SubscribeMessage('room:leave')
  async leave(
    @ConnectedSocket() socket: Socket,
    @MessageBody() body: unknown,
    @Ack() ack?: Acknowledge,
  ): Promise<void> {
    await acknowledged(this.log, ack, async (acknowledge) => {
      const { room } = parseMessage(roomSchema, body);
      const { user } = this.access.of(socket).identity;
      await this.hub.leave(room, { id: socket.id, user });
      acknowledge({});
    });
  }

  @SubscribeMessage('room:change')
  async change(
    @ConnectedSocket() socket: Socket,
    @MessageBody() body: unknown,
    @Ack() ack?: Acknowledge,
  ): Promise<void> {
    await acknowledged(this.log, ack, async (acknowledge) => {
      const { room, version, patch } = parseMessage(changeSchema, body);
      const { user } = this.access.of(socket).identity;
      acknowledge(await this.hub.ask<object>(room, socket.id, { do: 'change', version, patch, by: user }));
    });
  }

  @SubscribeMessage('room:status')
  async status(
    @ConnectedSocket() socket: Socket,
    @MessageBody() body: unknown,
    @Ack() ack?: Acknowledge,
  ): Promise<void> {
    await acknowledged(this.log, ack, async (acknowledge) => {
      const { room, status } = parseMessage(statusSchema, body);
      const { user } = this.access.of(socket).identity;
      acknowledge(await this.hub.ask<object>(room, socket.id, { do: 'status', status, by: user }));
    });
  }

  @SubscribeMessage('room:history')
  async history(
    @ConnectedSocket() socket: Socket,
    @MessageBody() body: unknown,
    @Ack() ack?: Acknowledge,
  ): Promise<void> {
    await acknowledged(this.log, ack, async (acknowledge) => {
      const { room, before = Number.MAX_SAFE_INTEGER, limit = HISTORY_LIMIT } = parseMessage(historySchema, body);
      this.hub.assertIn(room, socket.id);
      acknowledge({ events: await this.hub.history(room, before, limit) });
    });
  }
}
