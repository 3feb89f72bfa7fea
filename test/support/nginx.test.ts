import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { WebSocket, WebSocketServer } from 'ws';
import { startNginx, type TestNginx } from './nginx.js';

let backends: Server[];
let nginx: TestNginx;

async function startBackend(name: string): Promise<Server> {
  const server = createServer((request, response) => {
    response.statusCode = request.url === '/unavailable' ? 503 : 200;
    response.end(`${name} ${String(request.headers['x-forwarded-for'])}`);
  });
  new WebSocketServer({ server }).on('connection', (socket) => socket.send(name));
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  return server;
}

beforeAll(async () => {
  backends = [await startBackend('a'), await startBackend('b')];
  const upstreams = backends.map((server) => `127.0.0.1:${(server.address() as AddressInfo).port}`);
  nginx = await startNginx({ upstreams });
});
afterAll(async () => {
  await nginx.stop();
  for (const backend of backends) {
    backend.closeAllConnections();
    backend.close();
  }
});

const get = async (path: string) => {
  const response = await fetch(nginx.url + path);
  return { status: response.status, text: await response.text() };
};

async function openWebsocket(): Promise<{ socket: WebSocket; greeting: string }> {
  const socket = new WebSocket(nginx.url.replace('http', 'ws'));
  const greeting = await new Promise<string>((resolve, reject) => {
    socket.once('message', (data) => resolve((data as Buffer).toString()));
    socket.once('error', reject);
  });
  return { socket, greeting };
}

test('passes requests on and names the client', async () => {
  expect(await get('/')).toEqual({ status: 200, text: expect.stringMatching(/^[ab] 127\.0\.0\.1$/) });
});

test('spreads open websockets evenly', async () => {
  const opened = [];
  for (let i = 0; i < 10; i++) opened.push(await openWebsocket());
  const onA = opened.filter(({ greeting }) => greeting === 'a').length;
  for (const { socket } of opened) socket.terminate();
  expect(onA).toBe(5);
});

test("hands a node's own refusal to the client, and keeps that node", async () => {
  const refused = await Promise.all(Array.from({ length: 6 }, () => get('/unavailable')));
  expect(refused.map(({ status }) => status)).toEqual(Array(6).fill(503));
  const names = await Promise.all(Array.from({ length: 6 }, () => get('/')));
  expect(new Set(names.map(({ text }) => text[0]))).toEqual(new Set(['a', 'b']));
});

test('goes on with the others when a node is gone', async () => {
  const [gone] = backends;
  gone?.closeAllConnections();
  await new Promise((closed) => gone?.close(closed));
  const answers = await Promise.all(Array.from({ length: 10 }, () => get('/')));
  expect(answers.every(({ status, text }) => status === 200 && text.startsWith('b'))).toBe(true);
});
