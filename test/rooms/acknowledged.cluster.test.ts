import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { SignJWT } from 'jose';
import type { JsonObject } from '../../src/merge-patch.js';
import type { RoomEvent } from '../../src/rooms/room-state.js';
import { complaints, Lookout, nodeNamed } from '../cluster/hub.js';
import type { Answer } from '../cluster/viewer.js';
import { startCluster, type TestCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { startProxy, type TestProxy } from '../support/proxy.js';
import { startRedis, type TestRedis } from '../support/redis.js';
import { after, canonical, EMPTY, type View } from './fold.js';
import { Visitor } from './visitor.js';

const CLIENTS = 20;
const CHANGES = 2_000;
const KILLS = 3;
const ROOM = 'everybody';
const SECRET = 'a secret of at least thirty-two bytes, for tests';
/** Another one each time; `ROOMS_SEED=…` does one again. */
const SEED = Number(process.env['ROOMS_SEED'] ?? Date.now() % 2 ** 31);

/**
 * From the nodes to Redis, and back. Beside it a write would be under way for less than a millisecond: whoever acknowledged it
 * before its answer would get away with that at nearly every kill.
 */
const WAY_MS = 10;

let redis: TestRedis;
let line: TestProxy;
let cluster: TestCluster;
let lookout: Lookout;
const visitors: Visitor[] = [];

beforeAll(async () => {
  redis = await startRedis();
  line = await startProxy(redis.port);
  line.become('delay', WAY_MS);
  cluster = await startCluster({
    redis,
    nodes: 3,
    nginx: true,
    topics: { 'clock.sql': 'SELECT 1 AS n' },
    env: { AUTH: 'jwt', AUTH_JWT_SECRET: SECRET, REDIS_URL: `redis://127.0.0.1:${line.port}` },
  });
  lookout = new Lookout(cluster);
  for (let i = 0; i < CLIENTS; i++) {
    const token = await new SignJWT({})
      .setProtectedHeader({ alg: 'HS256' })
      .setSubject(`user-${i}`)
      .setExpirationTime('1h')
      .sign(new TextEncoder().encode(SECRET));
    visitors.push(await Visitor.enter(cluster.url, ROOM, `User ${i}`, token));
  }
}, 300_000);

afterAll(async () => {
  for (const visitor of visitors) visitor.close();
  await lookout?.close();
  await cluster?.stop();
  await line?.stop();
  await redis?.stop();
}, 60_000);

type Act =
  | { readonly do: 'change'; readonly patch: JsonObject }
  | { readonly do: 'status'; readonly text: string }
  | { readonly do: 'refresh' | 'leave' };

const leaf = fc.oneof(fc.integer({ min: -9, max: 9 }), fc.string({ maxLength: 6 }), fc.boolean(), fc.constant(null));
const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', '__proto__');
const value = fc.oneof(leaf, fc.array(leaf, { maxLength: 3 }), fc.dictionary(key, leaf, { maxKeys: 3 }));
const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 60, arbitrary: fc.record({ do: fc.constant('change'), patch: fc.dictionary(key, value, { maxKeys: 3 }) }) },
  { weight: 38, arbitrary: fc.record({ do: fc.constant('status'), text: fc.string({ maxLength: 20 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('refresh') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('leave') }) },
);
const plan = fc.record({
  acts: fc.array(act, { minLength: CHANGES, maxLength: CHANGES }),
  /** Before which acts the owner of the room is killed. */
  kills: fc.uniqueArray(fc.integer({ min: 50, max: CHANGES - 50 }), { minLength: KILLS, maxLength: KILLS }),
});

/** A change that a client made, and what it was told of it. */
interface Made {
  readonly n: number;
  readonly by: string;
  /** What the event must say. */
  readonly says: Partial<RoomEvent>;
  /** The version that a patch was made on. */
  readonly on: number | null;
  /** `null`: nobody knows whether it was made. */
  readonly version: number | null;
}

const pause = (ms: number): Promise<void> => new Promise((wake) => setTimeout(wake, ms));

/** Until it is made, or nobody knows: what was refused for certain is done again, as clients do. */
async function make(visitor: Visitor, n: number, act: Act & { do: 'change' | 'status' }): Promise<Made> {
  // Known by its number, wherever it turns up.
  const says = act.do === 'change' ? { patch: { ...act.patch, n } } : { status: { n, text: act.text } };
  for (let on: number | null = null; ;) {
    await visitor.in();
    on = act.do === 'change' ? Math.max(on ?? 0, visitor.view.version, visitor.acknowledged) : null;
    let answer: Answer;
    try {
      answer = await (on === null ? visitor.status(says.status ?? null) : visitor.change(says.patch ?? {}, on));
    } catch {
      return { n, by: visitor.user, says, on, version: null };
    }
    if (answer.ok) return { n, by: visitor.user, says, on, version: answer['version'] as number };
    const { code, details }: { code: string; details?: unknown } = answer.error;
    if (code === 'UNAVAILABLE') return { n, by: visitor.user, says, on, version: null };
    if (code === 'CONFLICT') on = (details as { version: number }).version;
    else if (code === 'RATE_LIMITED') await pause((details as { retryAfterMs: number }).retryAfterMs);
    else if (code !== 'NOT_SUBSCRIBED') throw new Error(`change ${n}: ${code} ${answer.error.message}`);
  }
}

/** The node of the room dies, and comes back under the same address once there is another owner. */
async function killOwner(): Promise<void> {
  const owner = await eventually(() => lookout.owner(`room:${ROOM}`), { what: 'an owner', deadlineMs: 60_000 });
  const live = cluster.nodes.filter((node) => node.alive());
  const node = nodeNamed(live, owner.node);
  await node.kill('SIGKILL');
  await lookout.newOwner(`room:${ROOM}`, owner.node);
  await cluster.add({ NODE_NAME: `${node.name}.again`, PORT: String(node.port) });
}

async function run(acts: readonly Act[], kills: readonly number[]): Promise<Made[]> {
  const made: Made[] = [];
  let next = 0;
  // One at a time, or there would be nobody left.
  let killing = Promise.resolve();
  await Promise.all(
    visitors.map(async (visitor) => {
      for (let n = next++; n < acts.length; n = next++) {
        if (kills.includes(n)) killing = killing.then(killOwner);
        const act = acts[n] as Act;
        if (act.do === 'change' || act.do === 'status') made.push(await make(visitor, n, act));
        else if (act.do === 'refresh') visitor.refresh();
        else {
          await visitor.in();
          // Cut off meanwhile it comes back by itself.
          if ((await visitor.leave().catch(() => null))?.ok) await visitor.join().catch(() => undefined);
          if (visitor.socket.connected && !visitor.joined) visitor.refresh();
        }
      }
    }),
  );
  await killing;
  return made;
}

const numberOf = ({ patch, status }: RoomEvent): number | undefined =>
  ((patch ?? status ?? {}) as { readonly n?: number }).n;

/** Everything that is wrong with the past of a room in which these changes were made. */
function violations(past: readonly RoomEvent[], made: readonly Made[]): string[] {
  const wrong: string[] = [];
  const byNumber = new Map<number, RoomEvent>();
  let patched = 0;
  for (const [i, event] of past.entries()) {
    const before = past[i - 1]?.version;
    if (before !== undefined && event.version !== before + 1) wrong.push(`version ${event.version} after ${before}`);
    if ((before === undefined) !== (event.opened === true)) wrong.push(`version ${event.version} opens the room`);
    const n = numberOf(event);
    if (n === undefined) continue;
    if (byNumber.has(n)) wrong.push(`change ${n} was made twice`);
    byNumber.set(n, event);
    const change = made.find((one) => one.n === n);
    if (!change) wrong.push(`nobody made change ${n}`);
    else {
      const { patch, status, by } = event;
      const said = canonical(patch ? { patch } : { status });
      if (said !== canonical(change.says) || by !== change.by) wrong.push(`change ${change.n} became ${said}`);
      if (change.on !== null && change.version !== null && patched > change.on)
        wrong.push(`change ${change.n} was made on ${change.on}, although ${patched} had changed the state`);
    }
    if (event.patch) patched = event.version;
  }
  for (const { n, version } of made) {
    if (version !== null && byNumber.get(n)?.version !== version)
      wrong.push(`change ${n} was acknowledged as ${version}, and is ${byNumber.get(n)?.version ?? 'lost'}`);
  }
  // What one client does one after the other happened in that order.
  for (const visitor of visitors) {
    const versions = made.filter(({ by }) => by === visitor.user).flatMap(({ n }) => byNumber.get(n)?.version ?? []);
    if (versions.some((version, i) => i > 0 && version <= (versions[i - 1] ?? 0)))
      wrong.push(`the changes of ${visitor.name} are not in order`);
  }
  return wrong;
}

test(`${CHANGES} changes of ${CLIENTS} clients while their room’s node is killed: all end alike, with all that was acknowledged (seed ${SEED})`, async () => {
  const [chosen] = fc.sample(plan, { seed: SEED, numRuns: 1 });
  const { acts, kills } = chosen as NonNullable<typeof chosen>;
  const made = await run(acts, kills);
  await Promise.all(visitors.map((visitor) => visitor.in()));
  const views = () => new Set(visitors.map(({ view }) => canonical(view)));
  await eventually(() => views().size === 1 && visitors[0]?.view.members.length === CLIENTS, {
    what: 'all clients to see the same',
    deadlineMs: 60_000,
  });
  const [reader] = visitors as [Visitor];
  const past = await reader.past();
  expect(violations(past, made)).toEqual([]);
  expect(past.reduce<View>(after, EMPTY)).toEqual(reader.view);
  // What each saw as it happened is what is written down.
  const written = new Map(past.map((event) => [event.version, canonical(event)]));
  for (const { name, events, violations: its } of visitors) {
    expect([name, ...its]).toEqual([name]);
    expect(events.filter((event) => written.get(event.version) !== canonical(event))).toEqual([]);
  }
  // Enough of it happened for this to mean something.
  const acknowledged = made.filter(({ version }) => version !== null);
  expect(acknowledged.length).toBeGreaterThan(made.length * 0.8);
  const rows = () =>
    cluster.postgres.query<{ event: RoomEvent }>(
      'select event from pollcast.room_history where room = $1 order by version',
      [ROOM],
      cluster.database.name,
    );
  const all = await eventually(async () => ((await rows()).length >= past.length ? rows() : null), {
    what: 'all of it to be written down',
    deadlineMs: 60_000,
  });
  expect(all.map(({ event }) => event)).toEqual(past);
  for (const node of cluster.nodes.filter((one) => one.alive())) expect(complaints(node)).toEqual([]);
}, 600_000);

test('the room’s node is stopped in order: who is on another one notices nothing but versions that go on', async () => {
  const owner = await eventually(() => lookout.owner(`room:${ROOM}`), { what: 'an owner' });
  const lost = new Set<Visitor>();
  for (const visitor of visitors) visitor.socket.once('disconnect', () => lost.add(visitor));
  const joins = new Map(visitors.map((visitor) => [visitor, visitor.joins]));
  const { version } = (visitors[0] as Visitor).view;
  let stopped = false;
  const sent: { visitor: Visitor; answer: Answer | null }[] = [];
  const talking = visitors.map(async (visitor) => {
    for (let n = 0; !stopped && !lost.has(visitor); n++) {
      sent.push({ visitor, answer: await visitor.status(`${visitor.name} ${n}`).catch(() => null) });
      await pause(50);
    }
  });
  await nodeNamed(
    cluster.nodes.filter((node) => node.alive()),
    owner.node,
  ).stop();
  stopped = true;
  await Promise.all(talking);
  await Promise.all(visitors.map((visitor) => visitor.in()));
  const rest = visitors.filter((visitor) => !lost.has(visitor));
  expect(rest.length).toBeGreaterThan(0);
  expect(lost.size).toBeGreaterThan(0);
  const theirs = sent.filter(({ visitor }) => !lost.has(visitor));
  expect(theirs.filter(({ answer }) => !answer?.ok)).toEqual([]);
  expect(theirs.length).toBeGreaterThan(0);
  for (const visitor of rest) {
    await eventually(() => visitor.view.version > version);
    expect(visitor.joins).toBe(joins.get(visitor));
    expect(visitor.violations).toEqual([]);
  }
}, 300_000);
