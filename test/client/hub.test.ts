import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createHub, type Hub, type HubOptions, type Params, type Snapshot } from '../../client/index.js';
import { accepted, frameOf, HubServer } from './hub-server.js';

let server: HubServer;
const hubs: Hub[] = [];

beforeEach(async () => {
  server = await HubServer.start();
});

afterEach(async () => {
  for (const hub of hubs.splice(0)) hub.close();
  await server.close();
});

function open(options: HubOptions = {}): Hub {
  const hub = createHub(server.url, { retryFirstMs: 5, retryMostMs: 20, lingerMs: 0, ...options });
  hubs.push(hub);
  return hub;
}

/** Watches a channel and lets a test wait for the snapshot it expects. */
function watch(hub: Hub, topic: string, params: Params = {}, options = {}) {
  const seen: Snapshot[] = [];
  const waiting: (() => void)[] = [];
  const stop = hub.topic(topic, params, options).watch((snapshot) => {
    seen.push(snapshot);
    for (const wake of waiting.splice(0)) wake();
  });
  const until = async (wanted: (snapshot: Snapshot) => boolean): Promise<Snapshot> => {
    for (;;) {
      const last = seen.at(-1);
      if (last !== undefined && wanted(last)) return last;
      await new Promise<void>((wake) => waiting.push(wake));
    }
  };
  return { seen, stop, until, rows: (n: number) => until((snapshot) => snapshot.rows?.[0]?.n === n) };
}

async function connected(hub: Hub, state: string): Promise<void> {
  if (hub.connection.state === state) return;
  await new Promise<void>((resolve) => {
    const off = hub.onConnection((status) => {
      if (status.state !== state) return;
      off();
      resolve();
    });
  });
}

describe('a hub', () => {
  it('gives the first rows from the acknowledgement and then every frame', async () => {
    const viewer = watch(open(), 'sales.total');
    const first = await viewer.rows(1);
    expect(first).toMatchObject({ channel: 'sales.total', state: 'live', position: { epoch: 1, seq: 1 } });
    server.frame(frameOf('sales.total', 2, [{ n: 2 }]));
    expect((await viewer.rows(2)).updatedAt).toBeLessThanOrEqual(Date.now());
  });

  it('sends one subscription for a channel however many listen, and ends it with the last of them', async () => {
    const hub = open();
    const [one, two] = [watch(hub, 'a', { x: 1, y: 2 }), watch(hub, 'a', { y: 2, x: 1 })];
    await Promise.all([one.rows(1), two.rows(1)]);
    one.stop();
    server.frame(frameOf('a?x=1&y=2', 2, [{ n: 2 }]));
    await two.rows(2);
    two.stop();
    const left = await server.received('unsubscribe', 1);
    expect(left[0]?.request).toEqual({ channel: 'a?x=1&y=2' });
    expect(server.named('subscribe')).toHaveLength(1);
    expect(one.seen.at(-1)?.rows).toEqual([{ n: 1 }]);
  });

  it('keeps a channel that two keys share until both have left it', async () => {
    server.onSubscribe = (request, ack) =>
      ack(accepted({ topic: request.topic, params: { region: 'all' } }, 1, [{ n: 1 }]));
    const hub = open();
    const [short, full] = [watch(hub, 'a'), watch(hub, 'a', { region: 'all' })];
    await Promise.all([short.rows(1), full.rows(1)]);
    short.stop();
    // A call that comes after it shows that no `unsubscribe` was sent in between.
    await watch(hub, 'b').rows(1);
    server.frame(frameOf('a?region=all', 2, [{ n: 2 }]));
    await full.rows(2);
    expect(server.named('unsubscribe')).toHaveLength(0);
  });

  it('does not end a channel while a subscription that may turn out to be the same is on its way', async () => {
    const held: (() => void)[] = [];
    server.onSubscribe = (request, ack) => {
      const reply = accepted({ topic: 'a', params: { region: 'all' } }, 1, [{ n: 1 }]);
      if (request.params?.region === 'all') held.push(() => ack(reply));
      else ack(reply);
    };
    const hub = open();
    const short = watch(hub, 'a');
    await short.rows(1);
    const full = watch(hub, 'a', { region: 'all' });
    await server.received('subscribe', 2);
    short.stop();
    server.io.emit('frame', frameOf('a?region=all', 2, [{ n: 2 }]));
    held[0]?.();
    await full.until((snapshot) => snapshot.rows !== undefined);
    server.frame(frameOf('a?region=all', 3, [{ n: 3 }]));
    await full.rows(3);
    expect(server.named('unsubscribe')).toHaveLength(0);
  });

  it('ignores frames that go back in seq or in epoch', async () => {
    const viewer = watch(open(), 'a');
    await viewer.rows(1);
    server.frame(frameOf('a', 5, [{ n: 5 }], 2));
    await viewer.rows(5);
    server.frame(frameOf('a', 9, [{ n: 9 }], 1));
    server.frame(frameOf('a', 5, [{ n: 55 }], 2));
    server.frame(frameOf('a', 4, [{ n: 4 }], 2));
    server.frame(frameOf('a', 6, [{ n: 6 }], 2));
    await viewer.rows(6);
    expect(viewer.seen.map((snapshot) => snapshot.rows?.[0]?.n)).toEqual([1, 5, 6]);
  });

  it('applies an event that overtakes its acknowledgement', async () => {
    server.onSubscribe = (request, ack, socket) => {
      socket.emit('frame', frameOf('a', 2, [{ n: 2 }]));
      socket.emit('status', { channel: 'a', state: 'stale', reason: 'Redis is away', since: 0 });
      ack(accepted(request, 1, [{ n: 1 }]));
    };
    const viewer = watch(open(), 'a');
    const snapshot = await viewer.until(({ state }) => state === 'stale');
    expect(snapshot).toMatchObject({ rows: [{ n: 2 }], reason: 'Redis is away' });
  });

  it('comes back after the connection broke and resumes where it was', async () => {
    const hub = open();
    const viewer = watch(hub, 'a');
    await viewer.rows(1);
    server.frame(frameOf('a', 7, [{ n: 7 }]));
    await viewer.rows(7);
    server.onSubscribe = (request, ack, socket) => {
      ack({ ok: true, channel: 'a', epoch: 1, seq: 8, polledAt: 0, every: '1s', resumed: true });
      socket.emit('frame', frameOf('a', 8, [{ n: 8 }]));
    };
    for (const socket of await server.io.fetchSockets()) socket.disconnect(true);
    expect(await viewer.rows(8)).toMatchObject({ state: 'live' });
    expect(server.named('subscribe').at(-1)?.request.since).toEqual({ epoch: 1, seq: 7 });
    expect(viewer.seen.every((snapshot) => snapshot.rows !== undefined)).toBe(true);
  });

  it('tells its connection: connecting, online, offline, online', async () => {
    const hub = open();
    const states: string[] = [hub.connection.state];
    hub.onConnection((status) => void (states.at(-1) === status.state || states.push(status.state)));
    await connected(hub, 'online');
    for (const socket of await server.io.fetchSockets()) socket.disconnect(true);
    await connected(hub, 'offline');
    await connected(hub, 'online');
    expect(states).toEqual(['connecting', 'online', 'offline', 'online']);
  });

  it('leaves a channel whose last listener went while the acknowledgement was on its way', async () => {
    const held: (() => void)[] = [];
    server.onSubscribe = (request, ack) => void held.push(() => ack(accepted(request, 1, [{ n: 1 }])));
    const hub = open();
    const viewer = watch(hub, 'a');
    await server.received('subscribe', 1);
    viewer.stop();
    await new Promise((resolve) => setImmediate(resolve));
    held[0]?.();
    const [left] = await server.received('unsubscribe', 1);
    expect(left?.request).toEqual({ channel: 'a' });
    expect(viewer.seen).toHaveLength(0);
  });

  it('asks again with presence when a second listener wants it, and tells the count', async () => {
    server.onPresence = () => ({ ok: true, viewers: [], count: 4 });
    const hub = open();
    const plain = watch(hub, 'a');
    await plain.rows(1);
    const curious = watch(hub, 'a', {}, { presence: true });
    await curious.until(({ viewers }) => viewers === 4);
    server.io.emit('presence', { channel: 'a', count: 5, joins: [], leaves: [] });
    await plain.until(({ viewers }) => viewers === 5);
    expect(server.named('subscribe').map((call) => call.request.presence)).toEqual([undefined, true]);
  });

  it('leaves the count open where the topic does not show its viewers', async () => {
    server.onPresence = () => ({ ok: false, error: { code: 'FORBIDDEN', message: 'no presence here' } });
    const viewer = watch(open(), 'a', {}, { presence: true });
    await viewer.rows(1);
    await server.received('presence', 1);
    server.frame(frameOf('a', 2, [{ n: 2 }]));
    expect((await viewer.rows(2)).viewers).toBeUndefined();
  });

  it('ends a channel that the hub still sends though nobody here watches it', async () => {
    const viewer = watch(open(), 'a');
    await viewer.rows(1);
    server.frame(frameOf('left.behind', 2, [{ n: 2 }]));
    const [left] = await server.received('unsubscribe', 1);
    expect(left?.request).toEqual({ channel: 'left.behind' });
  });

  it('tells the others when one listener throws', async () => {
    const thrown: unknown[] = [];
    const hub = open({ onListenerError: (error) => thrown.push(error) });
    hub.topic('a').subscribe(() => {
      throw new Error('a listener of its own making');
    });
    const viewer = watch(hub, 'a');
    expect((await viewer.rows(1)).state).toBe('live');
    expect(thrown).toEqual([new Error('a listener of its own making')]);
  });

  it('gives the kept frames of a channel in their order, and the reason when there are none to be had', async () => {
    const hub = open();
    await watch(hub, 'a').rows(1);
    server.onHistory = (channel) => ({ ok: true, frames: [frameOf(channel, 3, []), frameOf(channel, 2, [])] });
    expect((await hub.history({ channel: 'a', limit: 2 })).map(({ seq }) => seq)).toEqual([2, 3]);
    server.onHistory = () => ({ ok: false, error: { code: 'NOT_SUBSCRIBED', message: 'not watched' } });
    await expect(hub.history({ channel: 'b' })).rejects.toMatchObject({ code: 'NOT_SUBSCRIBED' });
  });

  it('moves to the channel of changed parameters and leaves the old one', async () => {
    const hub = open();
    const before = watch(hub, 'a', { region: 'EU' });
    await before.rows(1);
    const after = watch(hub, 'a', { region: 'US' });
    before.stop();
    await after.rows(1);
    const [left] = await server.received('unsubscribe', 1);
    expect(left?.request).toEqual({ channel: 'a?region=EU' });
    expect(after.seen.at(-1)?.channel).toBe('a?region=US');
  });
});

describe('a refused subscription', () => {
  it('is tried again when something is unavailable, until it is there', async () => {
    let refusals = 3;
    server.onSubscribe = (request, ack) => {
      if (refusals-- > 0) ack({ ok: false, error: { code: 'UNAVAILABLE', message: 'Postgres is away' } });
      else ack(accepted(request, 1, [{ n: 1 }]));
    };
    const viewer = watch(open(), 'a');
    const failed = await viewer.until(({ state }) => state === 'failed');
    expect(failed.error).toMatchObject({ code: 'UNAVAILABLE', message: 'Postgres is away' });
    expect(await viewer.rows(1)).toMatchObject({ state: 'live', error: undefined });
    expect(server.named('subscribe')).toHaveLength(4);
  });

  it('is not tried again when it is wrong in itself, but on the next connection', async () => {
    const details = [{ param: 'minutes', message: 'expected an int, got "x"' }];
    server.onSubscribe = (_request, ack) =>
      ack({ ok: false, error: { code: 'INVALID_PARAMS', message: 'wrong', details } });
    const hub = open();
    const viewer = watch(hub, 'a', { minutes: 'x' });
    const failed = await viewer.until(({ state }) => state === 'failed');
    expect(failed.error).toMatchObject({ code: 'INVALID_PARAMS', details });
    server.onSubscribe = (request, ack) => ack(accepted(request, 1, [{ n: 1 }]));
    await watch(hub, 'b').rows(1);
    expect(server.named('subscribe')).toHaveLength(2);
    for (const socket of await server.io.fetchSockets()) socket.disconnect(true);
    await viewer.rows(1);
    expect(server.named('subscribe').filter((call) => call.request.topic === 'a')).toHaveLength(2);
  });
});

describe('a token', () => {
  it('is fetched for each connection, and told when it was refused', async () => {
    const expired = { code: 'UNAUTHENTICATED' as const, message: 'expired' };
    server.admit = (token) => (token === 'fresh' ? undefined : expired);
    const refusals: unknown[] = [];
    const hub = open({
      token: async (refused) => {
        refusals.push(refused?.code);
        return refused === undefined ? 'old' : 'fresh';
      },
    });
    await watch(hub, 'a').rows(1);
    expect(refusals).toEqual([undefined, 'UNAUTHENTICATED']);
    expect(server.tokens).toEqual(['old', 'fresh']);
  });

  it('that cannot be had keeps the hub offline with the reason, and is asked for again', async () => {
    let failures = 1;
    const hub = open({
      token: () => {
        if (failures-- > 0) throw new Error('signed out');
        return 'fresh';
      },
    });
    const reasons: (string | undefined)[] = [];
    hub.onConnection(({ error }) => reasons.push(error?.code));
    await watch(hub, 'a').rows(1);
    expect(reasons).toEqual(['UNAUTHENTICATED', undefined]);
  });
});
