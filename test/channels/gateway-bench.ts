import 'reflect-metadata';
import type { AddressInfo } from 'node:net';
import type { INestApplication } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { io, type Socket } from 'socket.io-client';
import { AccessService } from '../../src/access/access.service.js';
import { DEFAULT_LIMITS } from '../../src/access/settings.js';
import { ChannelsGateway, CHANNELS_SETTINGS } from '../../src/channels/channels.gateway.js';
import { Hub } from '../../src/channels/hub.js';
import { TopicsController } from '../../src/channels/topics.controller.js';
import { ClusterIoAdapter } from '../../src/cluster/io-adapter.js';
import { PollcastError } from '../../src/errors.js';
import { systemClock } from '../../src/kernel/clock.js';
import { newNodeId } from '../../src/kernel/identity.js';
import { Kernel } from '../../src/kernel/kernel.js';
import { silent } from '../../src/kernel/log.js';
import { MemoryCluster } from '../../src/kernel/memory/cluster.js';
import { LOG } from '../../src/node.tokens.js';
import { ErrorFilter } from '../../src/http/error.filter.js';
import { MemoryFrames } from '../../src/polling/frames/memory.js';
import { pollerKind } from '../../src/polling/poller-kind.js';
import { People } from '../../src/sockets/people.js';
import { SocketsGateway } from '../../src/sockets/sockets.gateway.js';
import { TopicCatalogue } from '../../src/topics/catalogue.js';
import type { Topic } from '../../src/topics/topic.js';
import { topicT } from '../polling/poller-bench.js';
import { ScriptedSource } from '../polling/scripted-source.js';

/** What a server acknowledges. */
export interface Answer {
  readonly ok: boolean;
  readonly error?: { readonly code: string; readonly message: string; readonly details?: unknown };
  readonly [field: string]: unknown;
}

/** One node's gateway and HTTP, as they are wired in the app, over a scripted database. */
export class GatewayBench {
  readonly source = new ScriptedSource();
  readonly topics = new Map<string, Topic>();
  readonly sockets: Socket[] = [];
  cuts = 0;
  #app: INestApplication | null = null;
  #kernel: Kernel | null = null;
  #hub: Hub | null = null;

  constructor(...topics: Topic[]) {
    for (const topic of topics.length > 0 ? topics : [topicT()]) this.topics.set(topic.name, topic);
  }

  get hub(): Hub {
    return this.#hub as Hub;
  }

  get url(): string {
    const { port } = (this.#app?.getHttpServer() as { address(): AddressInfo }).address();
    return `http://127.0.0.1:${port}`;
  }

  async start(stallMs = 8_000): Promise<void> {
    const ports = new MemoryCluster().connect(newNodeId('a'));
    const kernel = (this.#kernel = new Kernel({ ports, version: '1', log: silent, leaseMs: 5_000 }));
    const frames = new MemoryFrames();
    const get = (name: string): Topic => {
      const topic = this.topics.get(name);
      if (!topic) throw new PollcastError('UNKNOWN_TOPIC', `there is no topic ${name}`);
      return topic;
    };
    const noop = (): void => undefined;
    kernel.define(
      pollerKind({
        source: this.source,
        frames,
        settings: { lingerMs: 1_000, perSlot: 250, beatMs: 1_000 },
        metrics: { polled: noop, round: noop, published: noop, skipped: noop },
        topics: { get, onChange: () => noop },
      }),
    );
    await kernel.start();
    this.#hub = new Hub({ kernel, bus: ports.bus, frames, settings: { beatMs: 1_000 }, log: silent });
    const access = new AccessService({
      auth: { mode: 'none' },
      loopback: true,
      origins: [],
      trustedProxies: [],
      secret: new Uint8Array(32),
      limits: DEFAULT_LIMITS,
    });
    const settings = { clock: systemClock, log: silent, stallMs, onCut: () => (this.cuts += 1) };
    const module = await Test.createTestingModule({
      controllers: [TopicsController],
      providers: [
        SocketsGateway,
        ChannelsGateway,
        { provide: People, useValue: new People(ports.bus, silent) },
        { provide: Hub, useValue: this.#hub },
        { provide: AccessService, useValue: access },
        { provide: TopicCatalogue, useValue: { get, list: () => [...this.topics.values()] } },
        { provide: CHANNELS_SETTINGS, useValue: settings },
        { provide: LOG, useValue: silent },
        { provide: APP_FILTER, useClass: ErrorFilter },
      ],
    }).compile();
    this.#app = module.createNestApplication({ logger: false, forceCloseConnections: true });
    this.#app.useWebSocketAdapter(new ClusterIoAdapter(this.#app, { access, log: silent }));
    await this.#app.listen(0, '127.0.0.1');
  }

  async connect(): Promise<Socket> {
    const socket = io(this.url, { transports: ['websocket'], forceNew: true, reconnection: false });
    this.sockets.push(socket);
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('connect_error', reject));
    return socket;
  }

  async call(socket: Socket, event: string, ...body: unknown[]): Promise<Answer> {
    return (await socket.timeout(10_000).emitWithAck(event, ...body)) as Answer;
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.disconnect();
    await this.#kernel?.drain();
    await this.#hub?.close();
    await this.#app?.close();
    await this.#kernel?.close();
  }
}
