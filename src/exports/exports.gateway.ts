import { Inject } from '@nestjs/common';
import { Ack, ConnectedSocket, MessageBody, SubscribeMessage } from '@nestjs/websockets';
import type { Socket } from 'socket.io';
import { z } from 'zod';
import { AccessService } from '../access/access.service.js';
import type { Database } from '../database/database.js';
import { PollcastError } from '../errors.js';
import type { Logger } from '../kernel/log.js';
import { DATABASE, LOG } from '../node.tokens.js';
import { acknowledged, type Acknowledge } from '../sockets/call.js';
import { HubGateway } from '../sockets/hub.gateway.js';
import { parseMessage } from '../sockets/message.js';
import { TopicCatalogue } from '../topics/catalogue.js';
import { channelOf } from '../topics/channel.js';
import { Mount } from '../http/mount.js';
import { Exports } from './exports.js';
import { fileRoute, FORMATS } from './record.js';

const id = z.string().min(1).max(100);
const requestSchema = z.strictObject({
  topic: z.string().min(1).max(200),
  params: z.record(z.string(), z.unknown()).optional(),
  format: z.enum(FORMATS, { error: () => `expected one of the formats that there are: ${FORMATS.join(', ')}` }),
});
const nothingSchema = z.strictObject({}).nullish();
const cancelSchema = z.strictObject({ id: id.optional() }).nullish();
const dismissSchema = z.strictObject({ id });
const linkSchema = z.strictObject({ id });

/** Long enough for a download that stops and goes on by a range, short enough for an address that is passed on by mistake. */
const LINK_MS = 10 * 60_000;

/** The contract's calls about exports. Whose they are says the connection, never the message. */
@HubGateway()
export class ExportsGateway {
  constructor(
    @Inject(Exports) private readonly exports: Exports,
    @Inject(AccessService) private readonly access: AccessService,
    @Inject(TopicCatalogue) private readonly topics: TopicCatalogue,
    @Inject(Mount) private readonly mount: Mount,
    @Inject(DATABASE) private readonly database: Pick<Database, 'kind'>,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  @SubscribeMessage('export:request')
  async request(
    @ConnectedSocket() socket: Socket,
    @MessageBody() body: unknown,
    @Ack() ack?: Acknowledge,
  ): Promise<void> {
    await acknowledged(this.log, ack, async (acknowledge) => {
      const { topic: name, params, format } = parseMessage(requestSchema, body);
      const { identity } = this.access.of(socket);
      const topic = this.topics.get(name);
      this.access.assertMayWatch(identity, topic);
      if (!topic.read && this.database.kind !== 'postgres') {
        throw new PollcastError(
          'BAD_REQUEST',
          'Exports of topics in files need Postgres, which this hub does not ask.',
        );
      }
      const channel = channelOf(topic, params ?? {}, identity.claims);
      acknowledge({ export: await this.exports.request(identity.user, channel, format) });
    });
  }

  @SubscribeMessage('export:current')
  async current(
    @ConnectedSocket() socket: Socket,
    @MessageBody() body: unknown,
    @Ack() ack?: Acknowledge,
  ): Promise<void> {
    await acknowledged(this.log, ack, async (acknowledge) => {
      parseMessage(nothingSchema, body);
      acknowledge({ export: await this.exports.current(this.access.of(socket).identity.user) });
    });
  }

  @SubscribeMessage('export:cancel')
  async cancel(
    @ConnectedSocket() socket: Socket,
    @MessageBody() body: unknown,
    @Ack() ack?: Acknowledge,
  ): Promise<void> {
    await acknowledged(this.log, ack, async (acknowledge) => {
      const message = parseMessage(cancelSchema, body);
      acknowledge(await this.exports.cancel(this.access.of(socket).identity.user, message?.id));
    });
  }

  @SubscribeMessage('export:dismiss')
  async dismiss(
    @ConnectedSocket() socket: Socket,
    @MessageBody() body: unknown,
    @Ack() ack?: Acknowledge,
  ): Promise<void> {
    await acknowledged(this.log, ack, async (acknowledge) => {
      const { id } = parseMessage(dismissSchema, body);
      await this.exports.dismiss(this.access.of(socket).identity.user, id);
      acknowledge({});
    });
  }

  /** An address of the file for whoever can send neither token nor cookie with a download: a browser. */
  @SubscribeMessage('export:link')
  async link(@ConnectedSocket() socket: Socket, @MessageBody() body: unknown, @Ack() ack?: Acknowledge): Promise<void> {
    await acknowledged(this.log, ack, async (acknowledge) => {
      const { id } = parseMessage(linkSchema, body);
      const { user } = this.access.of(socket).identity;
      const { expiresAt = Infinity } = await this.exports.finished(user, id);
      const route = fileRoute(id);
      const until = Math.min(expiresAt, Date.now() + LINK_MS);
      acknowledge({ url: this.mount.path(route) + this.access.links.sign(route, user, until), expiresAt: until });
    });
  }
}
