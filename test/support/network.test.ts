import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { eventually } from './eventually.js';
import { startNetwork, type TestNetwork } from './network.js';
import { startProcess, type ServiceProcess } from './service-process.js';

/** Answers each line with itself, and says each second what the time is. */
const ECHO = `
  require('node:net').createServer((socket) => {
    socket.on('data', (data) => { console.log('got ' + data.toString().trim()); socket.write('re ' + data); });
    socket.on('error', () => undefined);
  }).listen(4000, process.argv[1], () => console.log('ready'));`;

let network: TestNetwork<'one' | 'two'> | { impossible: string };
let echo: ServiceProcess | undefined;

beforeAll(async () => {
  network = await startNetwork(['one', 'two']);
  if ('impossible' in network) return;
  const [file = '', ...args] = network.enter;
  echo = startProcess({
    file,
    args: [...args, process.execPath, '-e', ECHO, network.links.one.inside],
    env: { PATH: process.env.PATH },
  });
  const { lines } = echo;
  await eventually(() => lines.includes('ready'), { what: 'the program inside' });
}, 30_000);

afterAll(async () => {
  if (echo) await echo.kill('SIGKILL');
  if ('remove' in network) await network.remove();
});

test('a link carries, is cut without a word in either or both directions, and carries again what was sent meanwhile', async () => {
  if ('impossible' in network) {
    // The reason is what a run of chaos tells instead of these faults.
    expect(network.impossible).not.toBe('');
    return;
  }
  const { one } = network.links;
  const heard: string[] = [];
  const socket: Socket = connect(4000, one.inside);
  await once(socket, 'connect');
  socket.on('data', (data) => heard.push(...data.toString().trim().split('\n')));
  const { lines } = echo as ServiceProcess;
  socket.write('a\n');
  await eventually(() => heard.includes('re a'));

  await one.become('down');
  socket.write('b\n');
  await one.become('up');
  await eventually(() => heard.join().includes('re b'), { what: 'what was sent while the link was down' });

  // It hears us, and we do not hear it.
  await one.become('dumb');
  socket.write('c\n');
  await eventually(() => lines.includes('got c'), { what: 'it to hear' });
  expect(heard.join()).not.toContain('re c');
  await one.become('up');
  await eventually(() => heard.join().includes('re c'), { what: 'its answer' });

  await one.become('deaf');
  socket.write('d\n');
  expect(lines).not.toContain('got d');
  await one.become('up');
  await eventually(() => heard.join().includes('d'), { what: 'what was sent meanwhile' });
  expect(socket.destroyed).toBe(false);
  socket.destroy();
}, 60_000);
