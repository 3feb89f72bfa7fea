import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Socket } from 'socket.io';
import { createHub, watchExport, type Export, type ExportWatch, type Hub } from '../../client/index.js';
import { eventually } from '../support/eventually.js';
import { HubServer } from './hub-server.js';

let server: HubServer;
let hub: Hub;
let watch: ExportWatch | undefined;

beforeEach(async () => {
  server = await HubServer.start();
});

afterEach(async () => {
  watch?.close();
  hub.close();
  await server.close();
});

const of = (change: Partial<Export> = {}): Export => ({
  id: 'one',
  topic: 'things',
  title: 'Things',
  params: {},
  format: 'csv',
  state: 'processing',
  progress: 0.5,
  rows: 10,
  requestedAt: 1,
  ...change,
});

type Ack = (reply: object) => void;

/** Answers the calls of the contract's exports by `answers`. */
function answering(answers: Record<string, (body: Record<string, unknown>, ack: Ack, socket: Socket) => void>): void {
  server.io.on('connection', (socket) => {
    for (const [name, answer] of Object.entries(answers)) {
      socket.on(name, (body: Record<string, unknown>, ack: Ack) => answer(body, ack, socket));
    }
  });
}

const shown = (): Export | null | undefined => watch?.snapshot().export;

test('what is told while the answer is on its way is newer than the answer', async () => {
  answering({
    'export:current': (_body, ack, socket) => {
      socket.emit('export', of({ progress: 0.9 }));
      ack({ ok: true, export: of({ progress: 0.1 }) });
      socket.emit('export', of({ progress: 0.9, rows: 99 }));
    },
  });
  hub = createHub(server.url);
  const seen: (number | undefined)[] = [];
  watch = watchExport(hub);
  watch.subscribe(() => seen.push(shown()?.progress));
  await eventually(() => shown()?.rows === 99);
  expect(seen).not.toContain(0.1);
});

test('what was seen last is there before the hub has answered, and is asked for again after each loss', async () => {
  let kept: string | null = JSON.stringify(of({ rows: 7 }));
  const memory = { read: () => kept, write: (text: string | null) => void (kept = text) };
  let asked = 0;
  answering({
    'export:current': (_body, ack) => {
      asked += 1;
      ack({ ok: true, export: asked === 1 ? of({ rows: 8 }) : null });
    },
  });
  hub = createHub(server.url, { retryFirstMs: 10, retryMostMs: 20 });
  watch = watchExport(hub, { memory });
  expect(shown()?.rows).toBe(7);
  await eventually(() => shown()?.rows === 8);
  expect(JSON.parse(kept ?? '')).toMatchObject({ rows: 8 });
  server.io.disconnectSockets(true);
  await eventually(() => shown() === null);
  expect(kept).toBeNull();
});

test('one that was dismissed on another page goes; what is said of an earlier one is no news', async () => {
  const ready = of({ state: 'ready', progress: 1, url: '/api/exports/one/file' });
  answering({
    'export:current': (_body, ack, socket) => {
      ack({ ok: true, export: ready });
      socket.emit('export', of({ id: 'earlier', state: 'cancelled', gone: true }));
      socket.emit('export', { ...ready, rows: 11 });
    },
    'export:link': ({ id }, ack, socket) => {
      ack({ ok: true, url: `/api/exports/${String(id)}/file?link=x`, expiresAt: 1 });
      socket.emit('export', of({ state: 'cancelled', gone: true }));
    },
  });
  hub = createHub(server.url);
  const seen: unknown[] = [];
  watch = watchExport(hub);
  watch.subscribe(() => seen.push(shown()?.id ?? null));
  await eventually(() => shown()?.rows === 11);
  expect(seen).not.toContain(null);
  expect(await watch.link()).toBe('/api/exports/one/file?link=x');
  await eventually(() => shown() === null);
  await expect(watch.link()).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test('silence while it is under way makes it ask', async () => {
  let asked = 0;
  answering({
    'export:current': (_body, ack) => {
      asked += 1;
      ack({ ok: true, export: asked < 3 ? of() : of({ state: 'ready', progress: 1, url: '/x' }) });
    },
  });
  hub = createHub(server.url);
  watch = watchExport(hub, { silenceMs: 5 });
  await eventually(() => shown()?.state === 'ready');
  expect(asked).toBe(3);
});

test('a refusal names the export that runs; one that is gone is no error', async () => {
  const running = of({ id: 'other' });
  answering({
    'export:current': (_body, ack) => ack({ ok: true, export: null }),
    'export:request': (_body, ack) =>
      ack({ ok: false, error: { code: 'EXPORT_RUNNING', message: 'no', details: { export: running } } }),
    'export:dismiss': (_body, ack) => ack({ ok: false, error: { code: 'NOT_FOUND', message: 'gone' } }),
  });
  hub = createHub(server.url);
  watch = watchExport(hub);
  await watch.request({ topic: 'things', format: 'csv' });
  expect(watch.snapshot()).toMatchObject({ export: running, asking: false, error: { code: 'EXPORT_RUNNING' } });
  watch.forget();
  await watch.dismiss();
  expect(watch.snapshot()).toEqual({ export: null, asking: false, error: undefined });
});
