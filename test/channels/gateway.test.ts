import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Socket } from 'socket.io-client';
import { WebSocket } from 'ws';
import { eventually } from '../support/eventually.js';
import { topicT } from '../polling/poller-bench.js';
import { rows } from '../polling/scripted-source.js';
import { GatewayBench, type Answer } from './gateway-bench.js';

const bench = new GatewayBench(
  topicT({ intervalMs: 50, retainMs: 60_000 }),
  topicT({ name: 'seen', params: [], intervalMs: 50, presence: true }),
  topicT({ name: 'keyed', params: [], intervalMs: 50, key: ['id'] }),
  topicT({ name: 'secret', params: [], roles: ['boss'] }),
);
let socket: Socket;
let events: [string, Record<string, unknown>][];
beforeAll(() => bench.start(500));
afterAll(() => bench.stop());
beforeEach(async () => {
  socket = await bench.connect();
  events = [];
  socket.onAny((name: string, body: Record<string, unknown>) => events.push([name, body]));
});

const call = (event: string, ...body: unknown[]): Promise<Answer> => bench.call(socket, event, ...body);
const frames = () => events.filter(([name]) => name === 'frame').map(([, body]) => body);
let fresh = 100;

describe('a call', () => {
  it.each(['dance', 'disconnect.me', 'toString', '__proto__'])(
    '%s, that nobody offers, is answered with a code',
    async (event) => {
      const answer = await call(event, {});
      expect(answer).toMatchObject({ ok: false, error: { code: 'BAD_REQUEST' } });
      expect(answer.error?.message).toContain(event);
      expect(await call('unsubscribe', { channel: 'seen' })).toHaveProperty('ok');
    },
  );
});

describe('subscribe', () => {
  it('is acknowledged with the first rows, before any frame, in the shapes of the contract', async () => {
    const n = fresh++;
    const channel = `t?n=${n}`;
    bench.source.results.set(channel, rows('[{"a":1}]'));
    const answer = await call('subscribe', { topic: 't', params: { n }, every: '1s' });
    expect(answer).toEqual({
      ok: true,
      channel,
      epoch: expect.any(Number),
      seq: 1,
      rows: [{ a: 1 }],
      polledAt: expect.any(Number),
      every: '1s',
      resumed: false,
    });
    expect(frames()).toEqual([]);
    bench.source.results.set(channel, rows('[{"a":"ü🚀"}]'));
    await eventually(() => frames().length > 0);
    expect(frames()).toEqual([
      { channel, epoch: answer['epoch'], seq: 2, polledAt: expect.any(Number), rows: [{ a: 'ü🚀' }] },
    ]);
  });

  it('twice is one subscription', async () => {
    const n = fresh++;
    const channel = `t?n=${n}`;
    await Promise.all([
      call('subscribe', { topic: 't', params: { n } }),
      call('subscribe', { topic: 't', params: { n } }),
    ]);
    bench.source.results.set(channel, rows('[5]'));
    await eventually(() => frames().length > 0);
    expect(frames().filter((frame) => frame['channel'] === channel)).toHaveLength(1);
    expect(await call('unsubscribe', { channel })).toEqual({ ok: true });
    expect(bench.hub.watching(socket.id ?? '').size).toBe(0);
  });

  it('resumes with nothing, with the frames that were missed, or with rows', async () => {
    const n = fresh++;
    const channel = `t?n=${n}`;
    const other = await bench.connect();
    const first = await bench.call(other, 'subscribe', { topic: 't', params: { n } });
    const since = { epoch: first['epoch'] as number, seq: 1 };
    const nothing = await call('subscribe', { topic: 't', params: { n }, since });
    expect(nothing).toMatchObject({ ok: true, resumed: true, seq: 1 });
    expect(nothing).not.toHaveProperty('rows');
    for (const value of [1, 2, 3]) {
      bench.source.results.set(channel, rows(`[${value}]`));
      await eventually(() => frames().some((frame) => JSON.stringify(frame['rows']) === `[${value}]`));
    }
    const late = await bench.connect();
    const missed: unknown[] = [];
    late.on('frame', (frame: { seq: number }) => missed.push(frame.seq));
    const resumed = await bench.call(late, 'subscribe', { topic: 't', params: { n }, since });
    expect(resumed).toMatchObject({ ok: true, resumed: true, seq: 1 });
    await eventually(() => missed.length === 3);
    expect(missed).toEqual([2, 3, 4]);
    const lost = await bench.call(late, 'subscribe', { topic: 't', params: { n }, since: { epoch: 1, seq: 1 } });
    expect(lost).toMatchObject({ resumed: false, rows: [3], seq: 4 });
  });

  it('sends deltas to who asks for them, whole frames to the others, and both end with the same rows', async () => {
    const table = (v: number): string =>
      JSON.stringify(Array.from({ length: 20 }, (_, id) => ({ id, v: id === 3 ? v : 0 })));
    bench.source.results.set('keyed', rows(table(0)));
    const plain = await bench.connect();
    const whole: Record<string, unknown>[] = [];
    plain.on('frame', (frame: Record<string, unknown>) => whole.push(frame));
    await bench.call(plain, 'subscribe', { topic: 'keyed' });
    await call('subscribe', { topic: 'keyed', delta: true });
    bench.source.results.set('keyed', rows(table(1)));
    await eventually(() => frames().length > 0 && whole.length > 0);
    expect(frames()[0]).toEqual({
      channel: 'keyed',
      epoch: whole[0]?.['epoch'],
      seq: 2,
      polledAt: expect.any(Number),
      base: 1,
      upsert: [{ id: 3, v: 1 }],
      remove: [],
    });
    expect(whole[0]?.['rows']).toEqual(JSON.parse(table(1)));
  });
});

describe('the other calls', () => {
  it('gives history within what is kept', async () => {
    const n = fresh++;
    const channel = `t?n=${n}`;
    await call('subscribe', { topic: 't', params: { n } });
    bench.source.results.set(channel, rows('[8]'));
    await eventually(() => frames().length > 0);
    const answer = await call('history', { channel, from: '2020-01-01T00:00:00Z', limit: 1 });
    expect(answer).toEqual({ ok: true, frames: [frames()[0]] });
    expect(await call('history', { channel, to: 0 })).toEqual({ ok: true, frames: [] });
  });

  it('shows who else watches, where the topic allows it', async () => {
    await call('subscribe', { topic: 'seen', presence: true });
    const answer = await call('presence', { channel: 'seen' });
    expect(answer).toMatchObject({ ok: true, count: 1, viewers: [{ count: 1, since: expect.any(Number) as unknown }] });
    const other = await bench.connect();
    await bench.call(other, 'subscribe', { topic: 'seen' });
    await eventually(() => events.some(([name, body]) => name === 'presence' && body['count'] === 2));
    const n = fresh++;
    await call('subscribe', { topic: 't', params: { n } });
    expect(await call('presence', { channel: `t?n=${n}` })).toMatchObject({ ok: false, error: { code: 'FORBIDDEN' } });
  });

  it.each<[string, string, unknown[]]>([
    ['UNKNOWN_TOPIC', 'subscribe', [{ topic: 'nope' }]],
    ['INVALID_PARAMS', 'subscribe', [{ topic: 't', params: { n: 'x', surplus: 1 } }]],
    ['FORBIDDEN', 'subscribe', [{ topic: 'secret' }]],
    ['NOT_SUBSCRIBED', 'unsubscribe', [{ channel: 't?n=77' }]],
    ['NOT_SUBSCRIBED', 'presence', [{ channel: 'seen' }]],
    ['NOT_SUBSCRIBED', 'history', [{ channel: 't?n=77' }]],
    ['BAD_REQUEST', 'subscribe', [{ topic: 't', every: '40d' }]],
    ['BAD_REQUEST', 'subscribe', [{ topic: 't', every: '999999h' }]],
    ['BAD_REQUEST', 'subscribe', [{ topic: 't', since: { epoch: -1, seq: 'a' } }]],
    ['BAD_REQUEST', 'subscribe', [{ topic: 't', more: 1 }]],
    ['BAD_REQUEST', 'subscribe', [null]],
    ['BAD_REQUEST', 'subscribe', ['text']],
    ['BAD_REQUEST', 'subscribe', [[1, 2]]],
    ['BAD_REQUEST', 'subscribe', []],
    ['BAD_REQUEST', 'unsubscribe', [{}]],
    ['BAD_REQUEST', 'presence', [7]],
    ['BAD_REQUEST', 'frobnicate', [{}]],
    ['BAD_REQUEST', 'history', [{ channel: 'seen', limit: 0 }]],
    ['BAD_REQUEST', 'history', [{ channel: 'seen', from: -1 }]],
  ])('answers %s to %s %j', async (code, event, body) => {
    const answer = await call(event, ...body);
    expect(answer).toMatchObject({ ok: false, error: { code, message: expect.any(String) as unknown } });
    expect(bench.hub.watching(socket.id ?? '').size).toBe(0);
  });

  it('survives calls without an acknowledgement', async () => {
    socket.emit('subscribe', { topic: 'nope' });
    socket.emit('unsubscribe');
    expect((await call('subscribe', { topic: 't' })).ok).toBe(true);
  });
});

describe('viewers that are slow', () => {
  it('are cut when they take nothing, having cost little; the others get every last state', async () => {
    const keys = Array.from({ length: 20 }, (_, i) => i + 1_000);
    await Promise.all(keys.map((n) => call('subscribe', { topic: 't', params: { n } })));
    const stalled = new WebSocket(`${bench.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
    await new Promise((open) => stalled.once('open', open));
    const said: string[] = [];
    stalled.on('message', (data: Buffer) => said.push(data.toString()));
    stalled.send('40');
    await eventually(() => said.some((text) => text.startsWith('40')));
    for (const n of keys) stalled.send(`42${n}["subscribe",{"topic":"t","params":{"n":${n}}}]`);
    await eventually(() => said.filter((text) => text.startsWith('43')).length === keys.length);
    stalled.pause();
    const cut = bench.cuts;
    const big = 'x'.repeat(100_000);
    let round = 0;
    await eventually(
      () => {
        round += 1;
        for (const n of keys) bench.source.results.set(`t?n=${n}`, rows(`["${round} ${big}"]`));
        return bench.cuts > cut;
      },
      { everyMs: 60, what: 'the stalled viewer to be cut' },
    );
    await eventually(() => {
      const last = new Map(frames().map((frame) => [frame['channel'], (frame['rows'] as string[])[0]]));
      return keys.every((n) => last.get(`t?n=${n}`)?.startsWith(`${round} `));
    });
    const seqs = new Map<unknown, number>();
    for (const frame of frames()) {
      expect(frame['seq']).toBeGreaterThan(seqs.get(frame['channel']) ?? 0);
      seqs.set(frame['channel'], frame['seq'] as number);
    }
    expect(seqs.size).toBe(20);
    stalled.terminate();
  });
});

describe('over HTTP', () => {
  it('lists the topics that may be watched, without their SQL', async () => {
    const list = (await (await fetch(`${bench.url}/api/topics`)).json()) as { name: string }[];
    expect(list.map(({ name }) => name)).toEqual(['t', 'seen', 'keyed']);
    expect(JSON.stringify(list)).not.toMatch(/select/i);
  });

  it('gives the shared result once, with an ETag, and 304 to who has it', async () => {
    bench.source.results.set('t?n=5000', rows('[{"a":1}]'));
    const viewers = bench.hub.viewers;
    const first = await fetch(`${bench.url}/api/topics/t?n=5000`);
    expect(await first.json()).toMatchObject({ channel: 't?n=5000', seq: 1, rows: [{ a: 1 }] });
    const etag = first.headers.get('etag') ?? '';
    const again = await fetch(`${bench.url}/api/topics/t?n=5000`, { headers: { 'if-none-match': `"x", ${etag}` } });
    expect([again.status, await again.text()]).toEqual([304, '']);
    expect(bench.hub.viewers).toBe(viewers);
  });

  it.each([
    [404, 'UNKNOWN_TOPIC', '/api/topics/nope'],
    [400, 'INVALID_PARAMS', '/api/topics/t?n=x'],
    [400, 'INVALID_PARAMS', '/api/topics/t/stream?m=1'],
    [403, 'FORBIDDEN', '/api/topics/secret'],
  ])('answers %i %s to %s', async (status, code, path) => {
    const response = await fetch(`${bench.url}${path}`);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ error: { code } });
  });

  it('streams frames as events, and resumes by Last-Event-ID', async () => {
    const channel = 't?n=6000';
    bench.source.results.set(channel, rows('["one"]'));
    const ends = new AbortController();
    const viewers = bench.hub.viewers;
    const read = async (headers: Record<string, string>, until: string): Promise<string> => {
      const response = await fetch(`${bench.url}/api/topics/t/stream?n=6000`, { headers, signal: ends.signal });
      expect(response.headers.get('content-type')).toContain('text/event-stream');
      let text = '';
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
        text += Buffer.from(chunk).toString();
        if (text.includes('"one"')) bench.source.results.set(channel, rows('["two"]'));
        if (text.includes(until)) return text;
      }
      return text;
    };
    const text = await read({}, '"two"');
    const ids = [...text.matchAll(/^id: (\d+-\d+)$/gm)].map(([, id]) => id ?? '');
    expect(ids.map((id) => id.split('-')[1])).toEqual(['1', '2']);
    const resumed = await read({ 'last-event-id': ids[0] ?? '' }, '"two"');
    expect(resumed).not.toContain('"one"');
    expect(resumed).toContain(`id: ${ids[1]}`);
    ends.abort();
    await eventually(() => bench.hub.viewers === viewers);
    expect(bench.hub.viewers).toBe(viewers);
  });
});
