import { randomUUID } from 'node:crypto';
import { Get, Inject, Param, Query, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import { AccessService } from '../access/access.service.js';
import type { Identity } from '../access/identity.js';
import { ApiController } from '../http/api.controller.js';
import { Described } from '../http/described.js';
import { TopicCatalogue } from '../topics/catalogue.js';
import { channelOf } from '../topics/channel.js';
import { formatDuration } from '../topics/duration.js';
import type { Channel, Topic } from '../topics/topic.js';
import { CHANNELS_SETTINGS } from './channels.gateway.js';
import { EventStreamViewer, formatPosition, parsePosition } from './event-stream.js';
import { Hub } from './hub.js';
import { frameBody, topicList } from './schema.js';
import type { WriterSettings } from './socket-writer.js';
import type { Viewer } from './viewer.js';

const KEEP_ALIVE_MS = 15_000;

const TOPIC = { name: 'name of a topic, such as `sales.by_region`' };
const DETAILS = "The topic's parameters are given in the query: `?region=EU&minutes=15`.";
const REFUSALS = [
  'UNKNOWN_TOPIC',
  'INVALID_PARAMS',
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'QUERY_FAILED',
  'QUERY_TIMEOUT',
  'TOO_MANY_ROWS',
  'RATE_LIMITED',
] as const;

/** The same shared polls for whoever speaks only HTTP: curl, Grafana, notebooks. Errors become `{ error }` in the app's filter. */
@ApiController('api/topics')
export class TopicsController {
  constructor(
    @Inject(Hub) private readonly hub: Hub,
    @Inject(AccessService) private readonly access: AccessService,
    @Inject(TopicCatalogue) private readonly topics: TopicCatalogue,
    @Inject(CHANNELS_SETTINGS) private readonly settings: WriterSettings,
  ) {}

  /** The topics that this user may watch. */
  @Get()
  @Described({
    summary: 'The topics that you may watch',
    answer: topicList,
    errors: ['UNAUTHENTICATED', 'RATE_LIMITED'],
  })
  async list(@Req() request: Request): Promise<object[]> {
    const identity = await this.access.authenticateRequest(request);
    await this.access.admitRequest(identity, request);
    return this.topics
      .list()
      .filter((topic) => this.access.mayWatch(identity, topic))
      .map(describeTopic);
  }

  /** The channel's newest result, shared with all its viewers; 304 when the caller has it. */
  @Get(':name')
  @Described({
    summary: "A channel's newest result, shared with all its viewers",
    details: DETAILS,
    path: TOPIC,
    headers: { 'If-None-Match': 'an `ETag` of before: 304 while nothing has changed' },
    answer: frameBody,
    others: { 304: 'The caller has the newest result.' },
    errors: REFUSALS,
  })
  async result(
    @Param('name') name: string,
    @Query() query: Record<string, unknown>,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    const { channel, identity } = await this.#channel(name, query, request);
    const viewer: Viewer = {
      id: `http:${randomUUID()}`,
      user: identity.user,
      get gone() {
        return response.destroyed;
      },
      frame: () => undefined,
      status: () => undefined,
    };
    // Whoever hangs up before there are rows is not asked for any more.
    response.on('close', () => this.hub.leaveAll(viewer.id));
    const joined = await this.hub.watch(channel, viewer, {}, (result) => result);
    this.hub.unwatch(viewer.id, channel.key);
    const etag = `"${formatPosition(joined.newest)}"`;
    response.setHeader('ETag', etag);
    response.setHeader('Cache-Control', 'private, no-cache');
    if (request.headers['if-none-match']?.split(/\s*,\s*/).includes(etag)) response.status(304).end();
    else response.type('json').send(joined.newest.body);
  }

  /** Frames as they come; `Last-Event-ID` resumes. */
  @Get(':name/stream')
  @Described({
    summary: 'Frames as they come, as Server-Sent Events',
    details: `${DETAILS} Events: \`frame\` with a frame as above, \`status\` with \`{ channel, state, reason?, since }\`.`,
    path: TOPIC,
    headers: { 'Last-Event-ID': 'id of the last event that was seen: goes on from there' },
    answer: { contentType: 'text/event-stream', description: 'Until the caller, or the hub, ends it.' },
    errors: REFUSALS,
  })
  async stream(
    @Param('name') name: string,
    @Query() query: Record<string, unknown>,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    const { channel, identity } = await this.#channel(name, query, request);
    // Gone while its token was verified: its `close` has been already.
    if (response.destroyed) return;
    const viewer = new EventStreamViewer(`sse:${randomUUID()}`, identity.user, response, this.settings);
    const leave = this.access.stay(identity, request, () => response.end());
    let timer: NodeJS.Timeout | undefined;
    // Comes after a refusal too, with the end of that answer.
    response.on('close', () => {
      clearInterval(timer);
      leave();
      this.hub.leaveAll(viewer.id);
    });
    const since = parsePosition(request.get('last-event-id'));
    await this.hub.watch(channel, viewer, { since }, ({ newest, resumed, missed, channel: { status } }) => {
      response.writeHead(200, {
        'Content-Type': 'text/event-stream',
        'Cache-Control': 'no-cache',
        'X-Accel-Buffering': 'no',
      });
      response.write('retry: 1000\n\n');
      timer = setInterval(() => viewer.keepAlive(), KEEP_ALIVE_MS);
      for (const frame of resumed ? missed : [newest]) viewer.frame(frame);
      if (status.state !== 'live' || status.reason !== undefined) viewer.status(status);
    });
  }

  async #channel(
    name: string,
    query: Record<string, unknown>,
    request: Request,
  ): Promise<{ channel: Channel; identity: Identity }> {
    const identity = await this.access.authenticateRequest(request);
    const topic = this.topics.get(name);
    this.access.assertMayWatch(identity, topic);
    await this.access.admitRequest(identity, request);
    return { channel: channelOf(topic, query, identity.claims, { lenient: true }), identity };
  }
}

/** A topic as clients may know it: no SQL, and no parameter that they can neither see nor set. */
export function describeTopic(topic: Topic): object {
  return {
    name: topic.name,
    title: topic.title,
    interval: formatDuration(topic.intervalMs),
    params: topic.params
      .filter((param) => param.claim === undefined)
      .map(({ name, type, default: preset, enum: choices, min, max }) => ({
        name,
        type,
        default: preset,
        enum: choices,
        min,
        max,
      })),
    key: topic.key,
    presence: topic.presence,
    retain: formatDuration(topic.retainMs),
  };
}
