/** A real Socket.IO server that speaks the viewer's part of the contract, scripted by the test that starts it. */
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Server, type Socket } from 'socket.io';
import type { WireError } from '../../src/errors.js';
import type { Frame, Status, SubscribeRequest } from '../../client/wire.js';

export interface Call {
  readonly name: 'subscribe' | 'unsubscribe' | 'presence' | 'history';
  readonly request: Record<string, unknown>;
  readonly socket: Socket;
}

type Ack = (reply: object) => void;
export type OnSubscribe = (request: SubscribeRequest, ack: Ack, socket: Socket) => void;

export class HubServer {
  readonly calls: Call[] = [];
  readonly tokens: unknown[] = [];
  /** Refuses a connection when it returns an error. */
  admit: (token: unknown) => WireError | undefined = () => undefined;
  onSubscribe: OnSubscribe = (request, ack) => ack(accepted(request, 1, [{ n: 1 }]));
  onPresence: (channel: string) => object = () => ({ ok: true, viewers: [], count: 1 });
  onHistory: (channel: string) => object = () => ({ ok: true, frames: [] });
  readonly #http = createServer();
  readonly io = new Server(this.#http, { transports: ['websocket'], serveClient: false });
  readonly #waiting: (() => void)[] = [];

  static async start(): Promise<HubServer> {
    const server = new HubServer();
    server.io.use((socket, next) => {
      const { token } = socket.handshake.auth as { token?: unknown };
      server.tokens.push(token);
      const refused = server.admit(token);
      next(refused === undefined ? undefined : Object.assign(new Error(refused.message), { data: refused }));
    });
    server.io.on('connection', (socket) => {
      socket.on('subscribe', (request: SubscribeRequest, ack: Ack) => {
        server.#record({ name: 'subscribe', request: { ...request }, socket });
        server.onSubscribe(request, ack, socket);
      });
      socket.on('unsubscribe', (request: { channel: string }, ack: Ack) => {
        server.#record({ name: 'unsubscribe', request, socket });
        ack({ ok: true });
      });
      socket.on('presence', (request: { channel: string }, ack: Ack) => {
        server.#record({ name: 'presence', request, socket });
        ack(server.onPresence(request.channel));
      });
      socket.on('history', (request: { channel: string }, ack: Ack) => {
        server.#record({ name: 'history', request, socket });
        ack(server.onHistory(request.channel));
      });
    });
    server.#http.listen(0, '127.0.0.1');
    await once(server.#http, 'listening');
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
  }

  frame(frame: Frame): void {
    this.io.emit('frame', frame);
  }

  status(status: Status): void {
    this.io.emit('status', status);
  }

  named(name: Call['name']): Call[] {
    return this.calls.filter((call) => call.name === name);
  }

  /** Resolves once `count` calls of that name have come in. */
  async received(name: Call['name'], count: number): Promise<Call[]> {
    while (this.named(name).length < count) await new Promise<void>((wake) => this.#waiting.push(wake));
    return this.named(name);
  }

  async close(): Promise<void> {
    await this.io.close();
  }

  #record(call: Call): void {
    this.calls.push(call);
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

export function accepted(request: SubscribeRequest, seq: number, rows: readonly object[]): object {
  const given = Object.entries(request.params ?? {}).map(([name, value]) => `${name}=${String(value)}`);
  const channel = given.length === 0 ? request.topic : `${request.topic}?${given.sort().join('&')}`;
  return { ok: true, channel, epoch: 1, seq, rows, polledAt: new Date().toISOString(), every: '1s', resumed: false };
}

export function frameOf(channel: string, seq: number, rows: Frame['rows'], epoch = 1): Frame {
  return { channel, epoch, seq, rows, polledAt: new Date().toISOString() };
}
