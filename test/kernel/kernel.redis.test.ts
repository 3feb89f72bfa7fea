import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually } from '../support/eventually.js';
import { expectNoLeaks } from '../support/leaks.js';
import { startRedis, type TestRedis } from '../support/redis.js';
import { RedisBench } from './ports/redis-bench.js';
import { RedisNodes, spec, type RedisNode } from './redis-nodes.js';

const LEASE_MS = 900;

describe('kernels over a real Redis', () => {
  let redis: TestRedis;
  let cluster: RedisNodes;
  let a: RedisNode;
  let b: RedisNode;

  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());
  beforeEach(async () => {
    cluster = new RedisNodes(new RedisBench(redis), LEASE_MS);
    a = await cluster.node('a');
    b = await cluster.node('b');
  });
  afterEach(async () => {
    redis.thaw();
    await redis.up();
    await cluster.close();
    await expectNoLeaks({ redis, prefix: cluster.bench.prefix });
  });

  /** Looks again and again, until `over`, that no name has two owners that trust in their leases. */
  const watch = (names: readonly string[], over: Promise<unknown>): Promise<number> =>
    (async () => {
      let looking = true;
      void over.finally(() => (looking = false)).catch(() => undefined);
      let most = 0;
      while (looking) {
        for (const name of names)
          most = Math.max(most, cluster.running(name).filter((life) => life.context.owns()).length);
        await new Promise((turn) => setTimeout(turn, 3));
      }
      return most;
    })();

  it('starts each of 100 names once when both want all of them at the same moment', async () => {
    // Leases that a machine with other work does not run out of: whoever loses one is started again, and rightly.
    await cluster.close();
    cluster = new RedisNodes(new RedisBench(redis), 10_000);
    [a, b] = [await cluster.node('a'), await cluster.node('b')];
    const names = Array.from({ length: 100 }, (_, i) => `race:${i}`);
    await Promise.all(names.flatMap((name) => [a, b].map((node) => node.kernel.ensure(spec(name)))));
    await cluster.settled(names);
    expect(cluster.lives).toHaveLength(100);
    const fences = await Promise.all(names.map((name) => b.kernel.call<number>(name, 'fence')));
    expect(fences).toEqual(names.map((name) => cluster.running(name)[0]?.fence));
  });

  it('is never without a process that is held, whenever it ends and is wanted again: 60 races', async () => {
    const ending = cluster.kind((life) => ({
      holdsChanged: async () => {
        if ((await life.context.holds()).length === 0) await life.context.retire();
      },
    }));
    const [c, d] = [await cluster.node('c', ending), await cluster.node('d', ending)];
    for (let i = 0; i < 60; i++) {
      await c.kernel.hold(spec('x'), 'viewer');
      const [left, joined] = await Promise.allSettled([
        c.kernel.unhold('x', 'viewer'),
        d.kernel.hold(spec('x'), 'viewer'),
      ]);
      expect([left.status, joined.status]).toEqual(['fulfilled', 'fulfilled']);
      await cluster.settled(['x']);
      expect(await d.kernel.call<number>('x', 'fence')).toBe(cluster.running('x')[0]?.fence);
      await d.kernel.unhold('x', 'viewer');
    }
    await eventually(async () => (await c.ports.store.process('x')) === null, { what: 'the last end' });
    await eventually(() => cluster.running('x').length === 0, { what: 'the last to stop' });
  });

  it.each([
    ['with its data', true],
    ['without its data', false],
  ])('goes on when Redis restarts %s, with nothing run twice', async (_how, keepData) => {
    const names = ['x', 'y', 'z'];
    for (const name of names) await a.kernel.ensure(spec(name));
    await b.kernel.hold(spec('held'), 'viewer');
    const before = await cluster.settled([...names, 'held']);
    const restart = redis.restart({ keepData });
    const settled = restart.then(async () => {
      if (!keepData)
        await eventually(() => a.events.some(({ name }) => name === 'rejoined'), { what: 'the loss to be seen' });
      return cluster.settled([...names, 'held']);
    });
    const most = await watch([...names, 'held'], settled);
    const after = await settled;
    expect(most).toBe(1);
    for (const life of after)
      expect(life.fence).toBeGreaterThanOrEqual(before.find((one) => one.name === life.name)?.fence ?? 0);
    expect(a.events.filter(({ name }) => name === 'node:down')).toEqual([]);
    await eventually(() => a.kernel.up && b.kernel.up, { what: 'the end of the outage to be told' });
  });

  it('falls silent while Redis is away for longer than a lease, and runs everything again afterwards', async () => {
    await a.kernel.ensure(spec('x'));
    await b.kernel.ensure(spec('y'));
    await cluster.settled(['x', 'y']);
    await redis.down({ keepData: true });
    await eventually(() => cluster.lives.every((life) => life.stopped === 'lease-lost'), { what: 'silence' });
    await eventually(() => !a.kernel.up && !b.kernel.up, { what: 'the outage to be told' });
    await expect(a.kernel.ensure(spec('z'))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(a.kernel.call('x', 1)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await redis.up();
    await cluster.settled(['x', 'y']);
    expect([...a.events, ...b.events].filter(({ name }) => name === 'node:down')).toEqual([]);
  });

  it('takes nobody for dead because Redis was frozen, and no lease outlives its time meanwhile', async () => {
    await a.kernel.ensure(spec('x'));
    await cluster.settled(['x']);
    redis.freeze();
    await eventually(() => cluster.running('x').length === 0, { what: 'silence' });
    await eventually(() => !a.kernel.up && !b.kernel.up, { what: 'the outage to be told' });
    redis.thaw();
    await cluster.settled(['x']);
    await eventually(() => a.kernel.up && b.kernel.up, { what: 'both to be back' });
    expect([...a.events, ...b.events].filter(({ name }) => name === 'node:down')).toEqual([]);
  });

  it.each(['frozen', 'gone'])('is closed although Redis is %s, and leaves nothing running', async (how) => {
    const names = Array.from({ length: 40 }, (_, i) => `p:${i}`);
    await Promise.all(names.map((name) => a.kernel.ensure(spec(name))));
    if (how === 'frozen') redis.freeze();
    else await redis.down();
    await a.kernel.close();
    expect(names.flatMap((name) => cluster.running(name))).toEqual([]);
  });
});

describe('kernels with a quorum of lock masters', () => {
  let all: TestRedis[];
  let cluster: RedisNodes;

  beforeAll(async () => {
    all = await Promise.all([startRedis(), startRedis(), startRedis()]);
  });
  afterAll(async () => {
    await Promise.all(all.map((redis) => redis.stop()));
  });
  afterEach(() => cluster.close());

  it('place, move and run on with one of the masters down', async () => {
    const [first, , last] = all as [TestRedis, TestRedis, TestRedis];
    cluster = new RedisNodes(new RedisBench(first, all), 3_000);
    const [a, b] = [await cluster.node('a'), await cluster.node('b')];
    await last.down();
    const names = Array.from({ length: 10 }, (_, i) => `p:${i}`);
    await Promise.all(names.flatMap((name) => [a, b].map((node) => node.kernel.ensure(spec(name)))));
    await cluster.settled(names);
    await a.kernel.close();
    const after = await cluster.settled(names);
    expect(new Set(after.map((life) => life.node))).toEqual(new Set([b.kernel.id]));
  });
});
