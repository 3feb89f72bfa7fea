import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { processes } from '../cluster/hub.js';
import { call, connectSocket, type Answer } from '../cluster/viewer.js';
import { startCluster, type TestCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { startProxy } from '../support/proxy.js';
import { Visitor } from './visitor.js';

let cluster: TestCluster;
const visitors: Visitor[] = [];

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2, topics: { 'clock.sql': 'SELECT 1 AS n' }, env: { LINGER_MS: '500' } });
}, 60_000);

afterAll(async () => {
  for (const visitor of visitors) visitor.close();
  await cluster.stop();
}, 60_000);

async function enter(node: number, room: string, name: string): Promise<Visitor> {
  const visitor = await Visitor.enter(cluster.nodes[node]?.url ?? '', room, name);
  visitors.push(visitor);
  return visitor;
}

function same(...views: Visitor[]): Promise<unknown> {
  return eventually(() => new Set(views.map(({ view }) => JSON.stringify(view))).size === 1, { what: 'one view' });
}

function refusal(answer: Answer): string {
  if (answer.ok) throw new Error(`expected a refusal, got ${JSON.stringify(answer)}`);
  return answer.error.code;
}

test('two on different nodes see each other, the same state, and each change once', async () => {
  const ada = await enter(0, 'incident-1', 'Ada');
  const bob = await enter(1, 'incident-1', 'Bob');
  await eventually(() => ada.here.length === 2 && bob.here.length === 2);
  const { version } = ada.view;
  expect(await ada.change({ range: '1h', filter: { region: 'EU' } })).toEqual({ ok: true, version: version + 1 });
  await eventually(() => bob.view.version === version + 1);
  expect(bob.view.state).toEqual({ range: '1h', filter: { region: 'EU' } });
  expect(await bob.status('investigating')).toEqual({ ok: true, version: version + 2 });
  await eventually(() => ada.view.status === 'investigating');
  expect(await ada.change({ range: null })).toMatchObject({ ok: true });
  await eventually(() => ada.view.version >= ada.acknowledged, { what: 'its own change' });
  await same(ada, bob);
  expect(ada.view.state).toEqual({ filter: { region: 'EU' } });
  expect(ada.events.find(({ patch }) => patch?.['range'] === null)).toMatchObject({ by: ada.view.members[0]?.user });
  const late = await enter(1, 'incident-1', 'Cy');
  expect({ ...late.view, members: [], version: 0 }).toEqual({ ...ada.view, members: [], version: 0 });

  expect(await call(bob.socket, 'room:leave', { room: 'incident-1' })).toEqual({ ok: true });
  await eventually(() => ada.here.join() === 'Ada,Cy', { what: 'the leave of Bob' });
  expect([...ada.violations, ...bob.violations, ...late.violations]).toEqual([]);
});

test('a change made on an old version is a conflict, with the version that it must be made on', async () => {
  const ada = await enter(0, 'incident-2', 'Ada');
  const old = ada.view.version;
  // Somebody who comes in changes nothing that a change could contradict.
  const bob = await enter(1, 'incident-2', 'Bob');
  expect(await ada.change({ a: 1 }, old)).toMatchObject({ ok: true });
  const stale = await bob.change({ a: 2 }, old);
  expect(stale).toMatchObject({ ok: false, error: { code: 'CONFLICT', details: { version: expect.any(Number) } } });
  if (stale.ok) throw new Error('not refused');
  const { version } = stale.error.details as { version: number };
  expect(await bob.change({ a: 2 }, version)).toMatchObject({ ok: true });
  expect(refusal(await bob.change({ a: 3 }, version + 100))).toBe('CONFLICT');
});

test('what is wrong is answered with a code, and changes nothing', async () => {
  const ada = await enter(0, 'incident-3', 'Ada');
  const before = ada.view;
  for (const patch of [null, [], 'x', 7]) expect(refusal(await ada.change(patch as never))).toBe('BAD_REQUEST');
  expect(refusal(await ada.change({ big: 'x'.repeat(70_000) }))).toBe('BAD_REQUEST');
  expect(refusal(await ada.change(JSON.parse('{"a":'.repeat(40) + '1' + '}'.repeat(40)) as never))).toBe('BAD_REQUEST');
  expect(refusal(await ada.status('x'.repeat(5_000)))).toBe('BAD_REQUEST');
  // The history of all rooms would stop at them.
  for (const text of [String.fromCharCode(0), String.fromCharCode(0xd800)]) {
    expect(refusal(await ada.status({ text }))).toBe('BAD_REQUEST');
    expect(refusal(await ada.change({ [text]: 1 }))).toBe('BAD_REQUEST');
    expect(refusal(await call(ada.socket, 'room:join', { room: ada.room, name: `Ada${text}` }))).toBe('BAD_REQUEST');
  }
  expect(await call(ada.socket, 'room:history', { room: ada.room, before: 0 })).toEqual({ ok: true, events: [] });
  const socket = await connectSocket(cluster.url);
  for (const room of ['', 'Up', 'a b', 'a/b', 'x'.repeat(65), 7, undefined]) {
    expect(refusal(await call(socket, 'room:join', { room }))).toBe('BAD_REQUEST');
  }
  expect(refusal(await call(socket, 'room:join', { room: 'ok', name: 'a\nb' }))).toBe('BAD_REQUEST');
  expect(refusal(await call(socket, 'room:change', { room: 'ok', version: 0, patch: {} }))).toBe('NOT_SUBSCRIBED');
  expect(refusal(await call(socket, 'room:leave', { room: 'ok' }))).toBe('NOT_SUBSCRIBED');
  socket.close();
  expect(ada.view).toEqual(before);
});

test('a refresh is no leave; a browser that dies has left, and an empty room stops and is kept', async () => {
  const ada = await enter(0, 'incident-4', 'Ada');
  await ada.change({ kept: true });
  ada.close();
  await eventually(
    async () => !(await processes(cluster.nodes[0] as never)).some(({ name }) => name === 'room:incident-4'),
    { what: 'the end of the room' },
  );
  const again = await enter(1, 'incident-4', 'Ada');
  expect(again.view.state).toEqual({ kept: true });
  expect(again.view.version).toBeGreaterThan(ada.view.version);
});

test('a connection that goes silent is no member any more; heard again it is, and has missed nothing', async () => {
  const ada = await enter(0, 'incident-5', 'Ada');
  const proxy = await startProxy(cluster.nodes[1]?.port ?? 0);
  const bob = await Visitor.enter(`http://127.0.0.1:${proxy.port}`, 'incident-5', 'Bob');
  visitors.push(bob);
  await eventually(() => ada.here.join() === 'Ada,Bob');
  proxy.become('blackhole');
  // Long before Socket.IO would find out, which ends the connection after 45 seconds.
  await eventually(() => ada.here.join() === 'Ada', { what: 'Bob to have left', deadlineMs: 30_000 });
  expect(await ada.change({ meanwhile: true })).toMatchObject({ ok: true });
  proxy.become('pass');
  await eventually(() => ada.here.join() === 'Ada,Bob', { what: 'Bob to be back' });
  await same(ada, bob);
  expect(bob.view.state).toEqual({ meanwhile: true });
  expect({ joins: bob.joins, violations: [...ada.violations, ...bob.violations] }).toEqual({
    joins: 1,
    violations: [],
  });
  bob.close();
  await proxy.stop();
}, 60_000);

test('who goes while coming in is no member, whatever they had sent', async () => {
  const ada = await enter(0, 'incident-9', 'Ada');
  for (let tries = 0; tries < 20; tries++) {
    const socket = await connectSocket(cluster.nodes[1]?.url ?? '');
    const room = 'incident-9';
    for (const event of ['join', 'leave', 'join', 'leave', 'join'].slice(0, 1 + (tries % 5))) {
      socket.emit(`room:${event}`, { room }, () => undefined);
    }
    if (tries % 2 === 0) await call(socket, 'room:status', { room, status: 'a way to wait' });
    socket.close();
  }
  await eventually(() => ada.here.join() === 'Ada', { what: 'all of them to have left', deadlineMs: 30_000 });
  // Nobody is held by mistake: it ends when the last one leaves.
  ada.close();
  await eventually(
    async () => !(await processes(cluster.nodes[0] as never)).some(({ name }) => name === 'room:incident-9'),
    { what: 'the end of the room', deadlineMs: 30_000 },
  );
}, 90_000);

test('what one window sends at once happens in that order', async () => {
  const [ada, bob] = [await enter(0, 'incident-6', 'Ada'), await enter(1, 'incident-6', 'Bob')];
  const sent = [ada, bob].flatMap((visitor) =>
    Array.from({ length: 40 }, async (_, n) => ({ n, answer: await visitor.status(`${visitor.name} ${n}`) })),
  );
  for (const { answer } of await Promise.all(sent)) expect(answer).toMatchObject({ ok: true });
  await same(ada, bob);
  for (const { name } of [ada, bob]) {
    const statuses = bob.events.flatMap(({ status }) =>
      (status as string | undefined)?.startsWith(name) ? [status] : [],
    );
    expect(statuses).toEqual(Array.from({ length: 40 }, (_, n) => `${name} ${n}`));
  }
});

test('the lobby is told on every node what happens in rooms', async () => {
  const ended = new AbortController();
  const response = await fetch(`${cluster.nodes[1]?.url}/api/rooms/stream`, { signal: ended.signal });
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  let text = '';
  const reading = (async () => {
    for await (const piece of response.body ?? []) text += Buffer.from(piece as Uint8Array).toString();
  })().catch(() => undefined);
  await eventually(() => text.includes('event: rooms\n'), { what: 'all rooms' });
  const ada = await enter(0, 'incident-7', 'Ada');
  await ada.status('seen from outside');
  await eventually(() => /event: changed\ndata: .*"incident-7".*seen from outside/.test(text), { what: 'the change' });
  ended.abort();
  await reading;
});

test('Redis restarts: a room goes on with all it had', async () => {
  const [ada, bob] = [await enter(0, 'incident-8', 'Ada'), await enter(1, 'incident-8', 'Bob')];
  await ada.change({ kept: true });
  await same(ada, bob);
  await cluster.redis.down({ keepData: true });
  await cluster.redis.up();
  await eventually(async () => (await bob.change({ after: true })).ok, { what: 'a change', deadlineMs: 60_000 });
  await eventually(() => ada.view.state['after'] === true, { what: 'the change for the other' });
  await same(ada, bob);
  expect(ada.view.state).toEqual({ kept: true, after: true });
}, 120_000);
