import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { LeasePort } from '../../../src/kernel/ports/lease.js';
import { eventually } from '../../support/eventually.js';
import { startRedis, type TestRedis } from '../../support/redis.js';
import { leaseSuite, type LeaseBench } from './lease.suite.js';
import { RedisBench } from './redis-bench.js';

const all: TestRedis[] = [];
beforeAll(async () => {
  all.push(...(await Promise.all([startRedis(), startRedis(), startRedis()])));
});
afterAll(async () => {
  await Promise.all(all.map((redis) => redis.stop()));
});

function bench(locks: number): () => Promise<LeaseBench> {
  return async () => {
    const made = new RedisBench(all[0] as TestRedis, all.slice(0, locks));
    return {
      port: async (node) => (await made.connect(node)).leases,
      wipe: () => made.wipe(),
      close: () => made.close(),
    };
  };
}

leaseSuite('one Redis', bench(0));
leaseSuite('a quorum of three Redis masters', bench(3));

describe('leases when a Redis is frozen', () => {
  let made: RedisBench;
  let a: LeasePort;
  let b: LeasePort;

  beforeEach(async () => {
    made = new RedisBench(all[0] as TestRedis);
    a = (await made.connect('a~1')).leases;
    b = (await made.connect('b~1')).leases;
  });
  afterEach(async () => {
    for (const one of all) one.thaw();
    await made.close();
  });

  it('never grants one, and leaves none behind when it wakes up', async () => {
    (all[0] as TestRedis).freeze();
    await expect(a.acquire('x', 60_000)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    (all[0] as TestRedis).thaw();
    const grant = await eventually(() => b.acquire('x', 60_000), { what: 'the name to be free' });
    expect(grant.name).toBe('x');
  });

  it('leaves no lease of a takeover that was not answered', async () => {
    const first = await a.acquire('x', 60_000);
    if (!first) throw new Error('not granted');
    (all[0] as TestRedis).freeze();
    await expect(b.takeOver('x', first.value, 60_000)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    (all[0] as TestRedis).thaw();
    // It was done, late, and taken back right after: the name is free, and nobody believes to have it.
    await eventually(async () => (await a.holders(['x']))[0] === null, { what: 'the late lease to be taken back' });
    expect(await b.acquire('x', 60_000)).not.toBeNull();
  });

  it('does not free a name by a renewal that was not answered: its owner still trusts its deadline', async () => {
    const grant = await a.acquire('x', 60_000);
    if (!grant) throw new Error('not granted');
    (all[0] as TestRedis).freeze();
    await expect(a.renew(grant, 60_000)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    (all[0] as TestRedis).thaw();
    // Answered after everything that the renewal had sent.
    await eventually(() => a.renew(grant, 60_000), { what: 'a renewal' });
    expect(await b.acquire('x', 60_000)).toBeNull();
    expect((await b.holders(['x']))[0]?.value).toBe(grant.value);
  });

  it('refuses a lease with no time left', async () => {
    // Two milliseconds are less than the margin for drift: granted at the server, over here.
    await expect(a.acquire('x', 2)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('tells a time-out from an answer for every question', async () => {
    const grant = await a.acquire('x', 60_000);
    if (!grant) throw new Error('not granted');
    (all[0] as TestRedis).freeze();
    const unanswered = [a.release(grant), a.fence(grant), a.holders(['x']), a.all(), a.remove('x', grant.value)];
    for (const question of await Promise.allSettled(unanswered)) {
      expect(question).toMatchObject({ status: 'rejected', reason: { code: 'UNAVAILABLE' } });
    }
  });
});

describe('leases over three masters', () => {
  let made: RedisBench;
  let a: LeasePort;
  let b: LeasePort;

  beforeEach(async () => {
    made = new RedisBench(all[0] as TestRedis, all);
    a = (await made.connect('a~1')).leases;
    b = (await made.connect('b~1')).leases;
  });
  afterEach(async () => {
    for (const redis of all) await redis.up();
    await made.close();
  });

  it('go on with one of them down, and still tell a held name from an outage', async () => {
    const grant = await a.acquire('x', 60_000);
    if (!grant) throw new Error('not granted');
    await (all[2] as TestRedis).down();
    expect(await b.acquire('x', 60_000)).toBeNull();
    expect(await a.renew(grant, 60_000)).toMatchObject({ value: grant.value });
    const fence = await a.fence(grant);
    const taken = await b.takeOver('x', grant.value, 60_000);
    expect(taken).not.toBeNull();
    expect(await b.fence(taken as NonNullable<typeof taken>)).toBeGreaterThan(Number(fence));
    expect((await a.all()).map((holder) => holder.node)).toEqual(['b~1']);
    expect(await b.release(taken as NonNullable<typeof taken>)).toBe(true);
    expect(await a.acquire('y', 60_000)).not.toBeNull();
  });

  it('mint above every earlier fence although the next owner’s quorum is another one', async () => {
    const first = await a.acquire('x', 60_000);
    if (!first) throw new Error('not granted');
    await (all[2] as TestRedis).down();
    const fence = await a.fence(first);
    await a.release(first);
    await (all[2] as TestRedis).up();
    // It comes back empty; and now one that took part is lost.
    await (all[0] as TestRedis).down();
    const second = await eventually(() => b.acquire('x', 60_000), { what: 'a lease over the other two' });
    expect(await b.fence(second)).toBeGreaterThan(Number(fence));
  });

  it('are neither granted nor taken for lost with two of them down', async () => {
    const grant = await a.acquire('x', 60_000);
    if (!grant) throw new Error('not granted');
    await Promise.all([(all[1] as TestRedis).down(), (all[2] as TestRedis).down()]);
    await expect(b.acquire('y', 60_000)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(b.takeOver('x', grant.value, 60_000)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(a.renew(grant, 60_000)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    // In doubt the old grant stands, with its old deadline.
    expect(await a.renewAll([grant], 60_000)).toEqual([grant]);
    await expect(a.fence(grant)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(a.all()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});
