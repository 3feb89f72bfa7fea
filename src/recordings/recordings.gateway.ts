import { Inject } from '@nestjs/common';
import { Ack, ConnectedSocket, MessageBody, SubscribeMessage } from '@nestjs/websockets';
import type { Socket } from 'socket.io';
import { AccessService } from '../access/access.service.js';
import { isAdministrator, type Identity } from '../access/identity.js';
import { PollcastError } from '../errors.js';
import { Mount } from '../http/mount.js';
import type { Logger } from '../kernel/log.js';
import { LOG } from '../node.tokens.js';
import { acknowledged, type Acknowledge } from '../sockets/call.js';
import { HubGateway } from '../sockets/hub.gateway.js';
import { parseMessage } from '../sockets/message.js';
import { TopicCatalogue } from '../topics/catalogue.js';
import { channelOf, parseChannelKey } from '../topics/channel.js';
import { inRoom, targetOf } from './addresses.js';
import { toWire, type Target } from './recording.js';
import { RecorderNode } from './recorder-node.js';
import { Recordings } from './recordings.js';
import { DEFAULT_SECONDS, idSchema, listSchema, startSchema } from './schema.js';

/** The contract's calls for recordings. Whoever started one may stop it, and sees it; an administrator may and sees all. */
@HubGateway()
export class RecordingsGateway {
  constructor(
    @Inject(Recordings) private readonly recordings: Recordings,
    @Inject(RecorderNode) private readonly node: RecorderNode,
    @Inject(AccessService) private readonly access: AccessService,
    @Inject(TopicCatalogue) private readonly topics: TopicCatalogue,
    @Inject(Mount) private readonly mount: Mount,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  @SubscribeMessage('recording:start')
  start(@ConnectedSocket() socket: Socket, @MessageBody() body: unknown, @Ack() ack?: Acknowledge): Promise<void> {
    return acknowledged(this.log, ack, async (acknowledge) => {
      const { url, topics, room, maxSeconds = DEFAULT_SECONDS } = parseMessage(startSchema, body);
      const { identity } = this.access.of(socket);
      const target = topics ? this.#page(identity, topics, room) : targetOf(url ?? '', socket.handshake.headers.host);
      // A node that has just begun may be the only one that can.
      await this.node.open().catch(() => undefined);
      // The node that will record looks again; most mistakes are told at once.
      (await this.node.addresses()).open(target);
      const { user, roles, claims } = identity;
      const title = topics ? topics.join(', ') : 'hub' in target ? target.hub : target.url;
      const owner = { user, roles, claims };
      const recording = await this.recordings.start({ owner, target, title, room, maxSeconds });
      acknowledge({ recording: toWire(recording, this.mount) });
    });
  }

  @SubscribeMessage('recording:stop')
  stop(@ConnectedSocket() socket: Socket, @MessageBody() body: unknown, @Ack() ack?: Acknowledge): Promise<void> {
    return acknowledged(this.log, ack, async (acknowledge) => {
      const { id } = parseMessage(idSchema, body);
      const { identity } = this.access.of(socket);
      const { owner } = await this.recordings.get(id);
      if (owner !== identity.user && !isAdministrator(identity)) {
        throw new PollcastError('NOT_FOUND', 'There is no such recording.');
      }
      acknowledge({ recording: toWire(await this.recordings.stop(id, 'stopped'), this.mount) });
    });
  }

  @SubscribeMessage('recording:list')
  list(@ConnectedSocket() socket: Socket, @MessageBody() body: unknown, @Ack() ack?: Acknowledge): Promise<void> {
    return acknowledged(this.log, ack, async (acknowledge) => {
      parseMessage(listSchema, body ?? {});
      const { identity } = this.access.of(socket);
      const found = await this.recordings.list(isAdministrator(identity) ? undefined : identity.user);
      acknowledge({ recordings: found.map((recording) => toWire(recording, this.mount)) });
    });
  }

  /** The hub's page that shows these channels, if this user may watch all of them. */
  #page(identity: Identity, channels: readonly string[], room: string | undefined): Target {
    const query = new URLSearchParams();
    for (const given of channels) {
      const { topic: name, params } = parseChannelKey(given);
      const topic = this.topics.get(name);
      this.access.assertMayWatch(identity, topic);
      channelOf(topic, params, identity.claims, { lenient: true });
      query.append('topic', name);
      for (const [param, value] of Object.entries(params)) {
        if (value !== null) query.set(`${name}.${param}`, typeof value === 'string' ? value : value.join(','));
      }
    }
    if (room !== undefined) for (const [key, value] of Object.entries(inRoom(room))) query.append(key, value);
    return { hub: `/watch?${query.toString()}` };
  }
}
