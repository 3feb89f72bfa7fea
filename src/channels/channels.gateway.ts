import { Inject } from '@nestjs/common';
import {
  Ack,
  ConnectedSocket,
  MessageBody,
  SubscribeMessage,
  type OnGatewayConnection,
  type OnGatewayDisconnect,
} from '@nestjs/websockets';
import type { Socket } from 'socket.io';
import { AccessService } from '../access/access.service.js';
import { toPollcastError } from '../errors.js';
import type { Logger } from '../kernel/log.js';
import type { FramePosition } from '../polling/frames/frames.js';
import { acknowledged, type Acknowledge } from '../sockets/call.js';
import { HubGateway } from '../sockets/hub.gateway.js';
import { parseMessage } from '../sockets/message.js';
import { TopicCatalogue } from '../topics/catalogue.js';
import { channelOf } from '../topics/channel.js';
import { formatDuration } from '../topics/duration.js';
import { Hub, type Joined } from './hub.js';
import { channelSchema, historySchema, subscribeSchema } from './schema.js';
import { SocketViewer } from './socket-viewer.js';
import type { WriterSettings } from './socket-writer.js';
import { Turns } from './turns.js';

export const CHANNELS_SETTINGS = Symbol('channels settings');

export interface ChannelsSettings extends WriterSettings {
  readonly log: Logger;
}

const HISTORY_LIMIT = 100;

/** The contract's Socket.IO calls, translated to the hub's. Every call is acknowledged, with its answer or its error. */
@HubGateway()
export class ChannelsGateway implements OnGatewayConnection, OnGatewayDisconnect {
  readonly #viewers = new WeakMap<Socket, SocketViewer>();
  readonly #turns = new Turns();

  constructor(
    @Inject(Hub) private readonly hub: Hub,
    @Inject(AccessService) private readonly access: AccessService,
    @Inject(TopicCatalogue) private readonly topics: TopicCatalogue,
    @Inject(CHANNELS_SETTINGS) private readonly settings: ChannelsSettings,
  ) {}

  handleConnection(socket: Socket): void {
    const { user } = this.access.of(socket).identity;
    this.#viewers.set(socket, new SocketViewer(socket, user, this.settings));
  }

  handleDisconnect(socket: Socket): void {
    this.hub.leaveAll(socket.id);
  }

  @SubscribeMessage('subscribe')
  async subscribe(
    @ConnectedSocket() socket: Socket,
    @MessageBody() body: unknown,
    @Ack() ack?: Acknowledge,
  ): Promise<void> {
    await acknowledged(this.settings.log, ack, async (acknowledge) => {
      const asked = parseMessage(subscribeSchema, body);
      const { identity, session } = this.access.of(socket);
      const topic = this.topics.get(asked.topic);
      this.access.assertMayWatch(identity, topic);
      const channel = channelOf(topic, asked.params ?? {}, identity.claims);
      const viewer = this.#viewer(socket);
      await this.#turns.take(viewer.id, channel.key, async () => {
        const another = !this.hub.isWatching(viewer.id, channel.key);
        if (another) session.openChannel();
        try {
          const options = { everyMs: asked.every, since: asked.since, presence: asked.presence, delta: asked.delta };
          await this.hub.watch(channel, viewer, options, (joined) => admit(joined, viewer, asked.since, acknowledge));
        } catch (error) {
          if (another) session.closeChannel();
          throw error;
        }
      });
    });
  }

  @SubscribeMessage('unsubscribe')
  async unsubscribe(
    @ConnectedSocket() socket: Socket,
    @MessageBody() body: unknown,
    @Ack() ack?: Acknowledge,
  ): Promise<void> {
    await acknowledged(this.settings.log, ack, async (acknowledge) => {
      const { channel } = parseMessage(channelSchema, body);
      await this.#turns.take(socket.id, channel, () => {
        this.hub.unwatch(socket.id, channel);
        this.#viewer(socket).forget(channel);
        this.access.of(socket).session.closeChannel();
        acknowledge({});
      });
    });
  }

  @SubscribeMessage('presence')
  async presence(
    @ConnectedSocket() socket: Socket,
    @MessageBody() body: unknown,
    @Ack() ack?: Acknowledge,
  ): Promise<void> {
    await acknowledged(this.settings.log, ack, async (acknowledge) => {
      const { channel } = parseMessage(channelSchema, body);
      acknowledge(await this.hub.present(socket.id, channel));
    });
  }

  @SubscribeMessage('history')
  async history(
    @ConnectedSocket() socket: Socket,
    @MessageBody() body: unknown,
    @Ack() ack?: Acknowledge,
  ): Promise<void> {
    await acknowledged(this.settings.log, ack, async (acknowledge) => {
      const {
        channel,
        from = 0,
        to = Number.MAX_SAFE_INTEGER,
        limit = HISTORY_LIMIT,
      } = parseMessage(historySchema, body);
      const frames = await this.hub.history(socket.id, channel, from, to, limit);
      acknowledge({
        frames: frames.map(({ epoch, seq, polledAt, rows }) => ({
          channel,
          epoch,
          seq,
          polledAt,
          rows: JSON.parse(rows) as unknown,
        })),
      });
    });
  }

  #viewer(socket: Socket): SocketViewer {
    const viewer = this.#viewers.get(socket);
    if (!viewer) throw toPollcastError(new Error('a socket that never connected'));
    return viewer;
  }
}

/**
 * The acknowledgement goes out first, then what was missed, then how the channel fares, if not well. With frames to
 * follow, the acknowledgement stands where the client stands, and they take it on from there.
 */
function admit(
  { channel, newest, everyMs, delta, resumed, missed }: Joined,
  viewer: SocketViewer,
  since: FramePosition | undefined,
  acknowledge: (answer: object) => void,
): void {
  const { epoch, seq } = resumed && since ? since : newest;
  const polledAt = Math.max(newest.polledAt, channel.link.polledAt);
  // Who takes deltas must know which columns identify a row.
  const key = delta ? { key: channel.channel.topic.key } : {};
  const answer = { channel: channel.key, epoch, seq, polledAt, every: formatDuration(everyMs), resumed, ...key };
  // Asked for again: a frame that waits for this viewer since before would now be an old one.
  viewer.forget(channel.key);
  acknowledge(resumed ? answer : { ...answer, rows: newest.parsedRows });
  if (delta) viewer.sendDeltas(channel.key, { epoch, seq });
  for (const frame of missed) viewer.frame(frame);
  if (channel.status.state !== 'live' || channel.status.reason !== undefined) viewer.status(channel.status);
}
