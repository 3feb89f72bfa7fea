import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createHub, type Hub, type Row, type Snapshot } from '../../client/index.js';
import { shareRows } from '../../client/sharing.js';
import { accepted, frameOf, HubServer } from './hub-server.js';

let server: HubServer;
let hub: Hub;

beforeEach(async () => {
  server = await HubServer.start();
  server.onSubscribe = (request, ack) => ack({ ...accepted(request, 1, [{ id: 1, n: 1 }]), key: ['id'] });
  hub = createHub(server.url, { retryFirstMs: 5, retryMostMs: 20, lingerMs: 0 });
});

afterEach(async () => {
  hub.close();
  await server.close();
});

describe('subscribe', () => {
  it('tells rows when they change, and the snapshot beside them', async () => {
    const told: [readonly Row[], Snapshot][] = [];
    await new Promise<void>((done) => {
      const stop = hub.topic('a').subscribe((rows, snapshot) => {
        told.push([rows, snapshot]);
        if (told.length === 1) {
          server.status({ channel: 'a', state: 'stale', since: 0 });
          server.frame(frameOf('a', 2, [{ id: 1, n: 1 }]));
          server.frame(
            frameOf('a', 3, [
              { id: 1, n: 1 },
              { id: 2, n: 2 },
            ]),
          );
          return;
        }
        stop();
        done();
      });
    });
    expect(told.map(([rows]) => rows.length)).toEqual([1, 2]);
    expect(told[1]?.[1]).toMatchObject({ state: 'stale', position: { seq: 3 } });
    // The row that says the same is the same object, though it came anew in two whole frames.
    expect(told[1]?.[0][0]).toBe(told[0]?.[0][0]);
  });

  it('ends with the signal', async () => {
    const over = new AbortController();
    const first = new Promise<void>((told) => {
      hub.topic('a', {}, { signal: over.signal }).subscribe(() => told());
    });
    await first;
    over.abort();
    expect((await server.received('unsubscribe', 1))[0]?.request).toEqual({ channel: 'a' });
    hub.topic('b', {}, { signal: over.signal }).watch(() => undefined);
    for await (const _ of hub.topic('c')) break;
    expect(server.named('subscribe').map(({ request }) => request.topic)).toEqual(['a', 'c']);
  });
});

describe('a loop over a topic', () => {
  it('gets the newest rows, skipping what it was too slow for, and leaves the channel at its end', async () => {
    const seen: unknown[] = [];
    for await (const rows of hub.topic('a')) {
      seen.push(rows.at(-1)?.n);
      if (seen.length === 2) break;
      for (const n of [2, 3, 4]) server.frame(frameOf('a', n, [{ id: 1, n }]));
      await new Promise<void>((arrived) => {
        const stop = hub.topic('a').watch(({ position }) => {
          if (position?.seq !== 4) return;
          queueMicrotask(() => stop());
          arrived();
        });
      });
    }
    expect(seen).toEqual([1, 4]);
    expect(await server.received('unsubscribe', 1)).toHaveLength(1);
  });

  it('ends without an error when its signal fires, also while it waits', async () => {
    const over = new AbortController();
    const seen: unknown[] = [];
    for await (const rows of hub.topic('a', {}, { signal: over.signal })) {
      seen.push(rows);
      setImmediate(() => over.abort());
    }
    expect(seen).toHaveLength(1);
  });

  it('throws what the hub refuses for good', async () => {
    server.onSubscribe = (_request, ack) => ack({ ok: false, error: { code: 'FORBIDDEN', message: 'not you' } });
    const loop = (async () => {
      for await (const rows of hub.topic('a')) throw new Error(`unexpected ${rows.length}`);
    })();
    await expect(loop).rejects.toMatchObject({ code: 'FORBIDDEN', message: 'not you' });
  });
});

it('is offline while there is no connection, with the rows that there are, and live again after it', async () => {
  const states: string[] = [];
  let wake = (): void => undefined;
  hub.topic('a').watch(({ state, rows }) => {
    states.push(`${state} ${rows?.length ?? 0}`);
    wake();
  });
  while (states.at(-1) !== 'live 1') await new Promise<void>((resolve) => (wake = resolve));
  for (const socket of await server.io.fetchSockets()) socket.disconnect(true);
  while (states.at(-1) !== 'offline 1') await new Promise<void>((resolve) => (wake = resolve));
  while (states.at(-1) !== 'live 1') await new Promise<void>((resolve) => (wake = resolve));
  expect(states.slice(-3)).toEqual(['live 1', 'offline 1', 'live 1']);
});

describe('rows that are shared', () => {
  const last: Row[] = [
    { id: 1, tags: ['a'] },
    { id: 2, tags: ['b', { x: null }] },
  ];
  const copy = (rows: readonly Row[]): Row[] => JSON.parse(JSON.stringify(rows)) as Row[];

  it('are the same list when nothing changed, with a key and without', () => {
    expect(shareRows(last, copy(last), ['id'])).toBe(last);
    expect(shareRows(last, copy(last), undefined)).toBe(last);
  });

  it('are found by their key wherever they stand', () => {
    const next = shareRows(last, copy([...last].reverse()), ['id']);
    expect(next).toEqual([...last].reverse());
    expect(next[0]).toBe(last[1]);
    expect(next[1]).toBe(last[0]);
  });

  it('are new where anything in them differs', () => {
    const [one, two] = copy(last) as [Row, Row];
    const next = shareRows(last, [one, { ...two, tags: ['b', { x: 0 }] }], ['id']);
    expect(next[0]).toBe(last[0]);
    expect(next[1]).toEqual({ id: 2, tags: ['b', { x: 0 }] });
    expect(shareRows(last, [one], ['id'])).toEqual([last[0]]);
    expect(shareRows(last, [{ id: 1 }, two], ['id'])[0]).toEqual({ id: 1 });
  });
});
