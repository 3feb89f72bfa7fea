import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { EventStreamViewer } from '../../src/channels/event-stream.js';
import { SharedFrame } from '../../src/channels/shared-frame.js';
import { eventually } from '../support/eventually.js';
import { ManualClock } from '../access/support.js';

const STALL_MS = 8_000;

let server: Server;
let reader: Socket;
let response: ServerResponse;
let clock: ManualClock;
let cuts: number;
let skips: number;
let viewer: EventStreamViewer;

beforeEach(async () => {
  server = createServer();
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  reader = connect((server.address() as AddressInfo).port, '127.0.0.1');
  reader.on('error', () => undefined);
  const asked = once(server, 'request');
  reader.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  [, response] = (await asked) as [unknown, ServerResponse];
  response.writeHead(200);
  clock = new ManualClock();
  [cuts, skips] = [0, 0];
  viewer = new EventStreamViewer('sse:1', 'ann', response, {
    clock,
    stallMs: STALL_MS,
    onCut: () => (cuts += 1),
    onSkip: () => (skips += 1),
  });
});

afterEach(async () => {
  reader.destroy();
  await new Promise((closed) => server.close(closed));
});

function frame(seq: number): SharedFrame {
  const rows = JSON.stringify([{ seq, text: 'x'.repeat(100_000) }]);
  return new SharedFrame({ channel: 'big', epoch: 1, seq, polledAt: seq, rows });
}

describe('an event stream', () => {
  test('that nobody reads keeps the newest frame alone, and is cut', async () => {
    reader.pause();
    for (let seq = 1; seq <= 200; seq++) viewer.frame(frame(seq));
    // What the system's own buffers have not taken: one frame, and one that waits.
    expect(response.writableLength).toBeLessThan(2 * 1024 * 1024);
    expect(skips).toBeGreaterThan(150);
    clock.advance(STALL_MS - 1);
    expect(cuts).toBe(0);
    clock.advance(1);
    expect(cuts).toBe(1);
    expect(viewer.gone).toBe(true);
    await eventually(() => response.destroyed);
    viewer.frame(frame(201));
    expect(clock.waiting).toBe(0);
  });

  test('that is read again in time gets the newest frame, and is not cut', async () => {
    reader.pause();
    for (let seq = 1; seq <= 200; seq++) viewer.frame(frame(seq));
    clock.advance(STALL_MS - 1);
    let text = '';
    reader.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    reader.resume();
    await eventually(() => text.includes('id: 1-200\n') && text.endsWith('\n\n\r\n'), { what: 'the newest frame' });
    clock.advance(STALL_MS);
    expect(cuts).toBe(0);
    const seen = [...text.matchAll(/^id: 1-(\d+)$/gm)].map(([, seq]) => Number(seq));
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.length).toBeLessThan(60);
  });

  test('that has gone wants nothing more', async () => {
    reader.destroy();
    await eventually(() => viewer.gone, { what: 'the end of the connection' });
    viewer.frame(frame(1));
    viewer.keepAlive();
    expect(clock.waiting).toBe(0);
  });
});
