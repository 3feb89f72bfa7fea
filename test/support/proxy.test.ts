import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { eventually } from './eventually.js';
import { startProxy, type TestProxy } from './proxy.js';

let server: Server;
let served: Socket[] = [];
let proxy: TestProxy;
let clients: Socket[] = [];

beforeEach(async () => {
  served = [];
  clients = [];
  server = createServer((socket) => {
    served.push(socket);
    socket.on('error', () => undefined);
    socket.on('data', (data) => socket.write(`<${data.toString()}>`));
  });
  await new Promise<void>((up) => server.listen(0, '127.0.0.1', up));
  proxy = await startProxy((server.address() as AddressInfo).port);
});

afterEach(async () => {
  for (const socket of [...clients, ...served]) socket.destroy();
  await proxy.stop();
  await new Promise((closed) => server.close(closed));
});

interface Client {
  socket: Socket;
  got: string;
  ended: string;
}

async function client(): Promise<Client> {
  const self = refused();
  await once(self.socket, 'connect');
  return self;
}

function refused(): Client {
  const socket = connect(proxy.port, '127.0.0.1');
  clients.push(socket);
  const self: Client = { socket, got: '', ended: '' };
  socket.on('data', (data) => (self.got += data.toString()));
  socket.on('error', (error: NodeJS.ErrnoException) => (self.ended = error.code ?? 'error'));
  socket.on('close', () => (self.ended ||= 'closed'));
  return self;
}

test('passes on what either side says, and its end', async () => {
  const one = await client();
  one.socket.write('a');
  await eventually(() => one.got === '<a>');
  one.socket.end();
  await eventually(() => one.ended === 'closed' && proxy.connections === 0);
});

test('a black hole swallows nothing for good: all of it arrives, in order, when it is over', async () => {
  const one = await client();
  one.socket.write('a');
  await eventually(() => one.got === '<a>');
  proxy.become('blackhole');
  one.socket.write('b');
  served[0]?.write('!');
  const meanwhile = await client();
  meanwhile.socket.write('new');
  // Another proxy's traffic goes round meanwhile: had anything come through, it would be there.
  const other = await startProxy((server.address() as AddressInfo).port);
  const passing = connect(other.port, '127.0.0.1');
  clients.push(passing);
  passing.write('x');
  await once(passing, 'data');
  expect([one.got, one.ended, meanwhile.got]).toEqual(['<a>', '', '']);
  proxy.become('pass');
  await eventually(() => one.got === '<a>!<b>' && meanwhile.got === '<new>');
  passing.destroy();
  await other.stop();
});

test('a half-open connection is believed in until it works again, then it is reset', async () => {
  const one = await client();
  one.socket.write('a');
  await eventually(() => one.got === '<a>');
  const gone = once(served[0] as Socket, 'close');
  proxy.become('half-open');
  await gone;
  one.socket.write('b');
  expect(one.ended).toBe('');
  proxy.become('pass');
  await eventually(() => one.ended === 'ECONNRESET');
  expect(one.got).toBe('<a>');
});

test('refusing resets what is there and what comes; afterwards it works again', async () => {
  const one = await client();
  proxy.become('refuse');
  await eventually(() => one.ended !== '');
  const other = refused();
  await eventually(() => other.ended !== '');
  proxy.become('pass');
  const third = await client();
  third.socket.write('c');
  await eventually(() => third.got === '<c>');
});

test('a delay keeps the order, also while it ends', async () => {
  proxy.become('delay', 30);
  const one = await client();
  for (const letter of 'abc') {
    one.socket.write(letter);
    await eventually(() => served[0]?.bytesRead === 'abc'.indexOf(letter) + 1);
  }
  proxy.become('pass');
  one.socket.write('d');
  await eventually(() => one.got === '<a><b><c><d>');
});

test('one reset, and new connections work at once', async () => {
  const one = await client();
  proxy.reset();
  await eventually(() => one.ended !== '');
  const other = await client();
  other.socket.write('e');
  await eventually(() => other.got === '<e>');
});
