import { beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { PollcastError } from '../../src/errors.js';
import { LeaseKeeper, type Lease } from '../../src/kernel/lease.js';
import { silent } from '../../src/kernel/log.js';
import { MemoryCluster, type MemoryPorts } from '../../src/kernel/memory/cluster.js';
import type { Grant, LeasePort } from '../../src/kernel/ports/lease.js';
import { settle, VirtualTime, type VirtualClock } from '../support/virtual-clock.js';

const LEASE_MS = 3_000;
const TICK = LEASE_MS / 24;

/** Counts renewals, and answers them as a test wants. */
class Watched implements LeasePort {
  renewals: { at: number; names: string[] }[] = [];
  answer: (grants: (Grant | null)[]) => Promise<(Grant | null)[]> = (grants) => Promise.resolve(grants);

  constructor(
    private readonly port: LeasePort,
    private readonly time: VirtualTime,
  ) {}

  async renewAll(grants: readonly Grant[], leaseMs: number): Promise<(Grant | null)[]> {
    this.renewals.push({ at: this.time.elapsed, names: grants.map((grant) => grant.name) });
    return this.answer(await this.port.renewAll(grants, leaseMs));
  }
  acquire = (name: string, leaseMs: number) => this.port.acquire(name, leaseMs);
  renew = (grant: Grant, leaseMs: number) => this.port.renew(grant, leaseMs);
  takeOver = (name: string, from: string, leaseMs: number) => this.port.takeOver(name, from, leaseMs);
  release = (grant: Grant) => this.port.release(grant);
  remove = (name: string, value: string) => this.port.remove(name, value);
  fence = (grant: Grant) => this.port.fence(grant);
  holders = (names: readonly string[]) => this.port.holders(names);
  all = () => this.port.all();
}

describe('the lease keeper', () => {
  let time: VirtualTime;
  let clock: VirtualClock;
  let ports: MemoryPorts;
  let other: MemoryPorts;
  let watched: Watched;
  let keeper: LeaseKeeper;
  let lost: { at: number; certain: boolean }[];

  beforeEach(() => {
    time = new VirtualTime();
    clock = time.clock();
    const cluster = new MemoryCluster(time.clock());
    ports = cluster.connect('a~1', clock);
    other = cluster.connect('b~1', time.clock());
    watched = new Watched(ports.leases, time);
    keeper = new LeaseKeeper(watched, clock, LEASE_MS, silent);
    lost = [];
  });

  const acquire = async (name = 'x'): Promise<Lease> => {
    const lease = await keeper.acquire(name, (certain) => lost.push({ at: time.elapsed, certain }));
    if (!lease) throw new Error(`${name} is held`);
    return lease;
  };

  it('renews at a third of the time, again and again', async () => {
    const lease = await acquire();
    await time.advance(LEASE_MS * 10);
    expect(lost).toEqual([]);
    expect(lease.alive()).toBe(true);
    expect(watched.renewals[0]?.at).toBeGreaterThan(LEASE_MS / 3 - 2 * TICK);
    const gaps = watched.renewals.map(({ at }, i) => at - (watched.renewals[i - 1]?.at ?? 0));
    for (const gap of gaps) {
      expect(gap).toBeGreaterThan(LEASE_MS / 3 - 2 * TICK);
      expect(gap).toBeLessThanOrEqual(LEASE_MS / 3 + TICK);
    }
    keeper.close();
  });

  it('renews those that are due together in one question', async () => {
    for (const name of ['p', 'q', 'r']) await acquire(name);
    await time.advance(LEASE_MS);
    expect(watched.renewals[0]?.names.sort()).toEqual(['p', 'q', 'r']);
    keeper.close();
  });

  it('gives up at two thirds when nobody answers: in doubt, and while the lease still stands', async () => {
    const lease = await acquire();
    ports.cut(true);
    await time.advance(LEASE_MS);
    expect(lost).toEqual([{ at: expect.any(Number), certain: false }]);
    expect(lost[0]?.at).toBeGreaterThanOrEqual((LEASE_MS * 2) / 3 - 2 * TICK);
    expect(lost[0]?.at).toBeLessThanOrEqual((LEASE_MS * 2) / 3 + TICK);
    expect(lease.alive()).toBe(false);
    expect(lease.leftMs()).toBe(0);
    expect(keeper.keeps('x')).toBe(false);
    keeper.close();
  });

  it('asks again at each tick while renewals fail, and goes on when one succeeds in time', async () => {
    await acquire();
    watched.answer = () => Promise.reject(new PollcastError('UNAVAILABLE'));
    await time.advance(LEASE_MS / 2);
    expect(watched.renewals.length).toBeGreaterThan(2);
    watched.answer = (grants) => Promise.resolve(grants);
    await time.advance(LEASE_MS * 3);
    expect(lost).toEqual([]);
    keeper.close();
  });

  it('counts the time from when a renewal was asked, however late it is answered', async () => {
    const lease = await acquire();
    let answer = (): void => undefined;
    watched.answer = (grants) => new Promise((resolve) => (answer = () => resolve(grants)));
    await time.advance(LEASE_MS / 3 + TICK);
    const asked = watched.renewals[0]?.at ?? 0;
    await time.advance(LEASE_MS / 6);
    answer();
    watched.answer = () => new Promise(() => undefined);
    await settle();
    expect(lease.grant.untilMono - asked).toBeLessThan(LEASE_MS);
    await time.advance(LEASE_MS);
    expect(lost[0]?.at).toBeLessThanOrEqual(asked + (LEASE_MS * 2) / 3 + TICK);
    keeper.close();
  });

  it('is told for certain when another has the lease', async () => {
    const lease = await acquire();
    await other.leases.takeOver('x', lease.grant.value, LEASE_MS);
    await time.advance(LEASE_MS / 3 + TICK);
    expect(lost).toEqual([{ at: expect.any(Number), certain: true }]);
    expect(await keeper.fence(lease)).toBeNull();
    keeper.close();
  });

  it('ends by the deadline itself, between two ticks, on the clock that says later', async () => {
    const lease = await acquire();
    clock.paused = true;
    await time.advance(LEASE_MS - 1);
    expect(lease.alive()).toBe(false);
    keeper.close();
  });

  it('takes a step of the wall clock beyond the deadline for the end', async () => {
    const lease = await acquire();
    clock.step(LEASE_MS);
    expect(lease.alive()).toBe(false);
    await time.advance(TICK);
    expect(lost).toEqual([{ at: TICK, certain: false }]);
    keeper.close();
  });

  it('does not live longer by a wall clock that is stepped back', async () => {
    const lease = await acquire();
    clock.step(-86_400_000);
    ports.cut(true);
    await time.advance((LEASE_MS * 2) / 3 + TICK);
    expect(lost).toHaveLength(1);
    expect(lease.alive()).toBe(false);
    keeper.close();
  });

  it('knows at once after a pause that it is over, and tells it only once', async () => {
    const lease = await acquire();
    clock.paused = true;
    await time.advance(LEASE_MS * 3);
    clock.paused = false;
    expect(lease.alive()).toBe(false);
    await time.advance(LEASE_MS);
    expect(lost).toHaveLength(1);
    expect(watched.renewals).toEqual([]);
    keeper.close();
  });

  it('does not call it a loss when a successor has replaced what is leaving', async () => {
    const lease = await acquire();
    keeper.leave(lease);
    await time.advance(LEASE_MS * 2);
    expect(lease.alive()).toBe(true);
    await other.leases.takeOver('x', lease.grant.value, LEASE_MS);
    await time.advance(LEASE_MS);
    expect(lease.alive()).toBe(false);
    expect(lost).toEqual([]);
    keeper.close();
  });

  it('forgets an old lease although a new one on the name is kept already', async () => {
    const first = await acquire();
    await other.leases.remove('x', first.grant.value);
    const second = await acquire();
    keeper.forget(first);
    expect(first.alive()).toBe(false);
    expect(second.alive()).toBe(true);
    expect(keeper.keeps('x')).toBe(true);
    keeper.close();
  });

  it('releases what it can, and minds not when it cannot', async () => {
    const lease = await acquire();
    ports.cut(true);
    await keeper.release(lease);
    expect(lease.alive()).toBe(false);
    ports.cut(false);
    await time.advance(LEASE_MS);
    expect(await other.leases.acquire('x', LEASE_MS)).not.toBeNull();
    expect(time.pending).toBe(0);
    keeper.close();
  });

  it('never believes in a lease that the cluster has ended: whatever the clocks, pauses and outages', async () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: LEASE_MS }) }),
      fc.record({ do: fc.constant('cut' as const), ms: fc.constant(0) }),
      fc.record({ do: fc.constant('uncut' as const), ms: fc.constant(0) }),
      fc.record({ do: fc.constant('pause' as const), ms: fc.integer({ min: 1, max: LEASE_MS * 2 }) }),
      fc.record({ do: fc.constant('step' as const), ms: fc.integer({ min: -LEASE_MS * 2, max: LEASE_MS * 2 }) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const line = new VirtualTime();
        const [mine, servers] = [line.clock(), line.clock()];
        const cluster = new MemoryCluster(servers);
        const [here, there] = [cluster.connect('a~1', mine), cluster.connect('b~1', line.clock())];
        const kept = new LeaseKeeper(here.leases, mine, LEASE_MS, silent);
        const lease = await kept.acquire('x', () => undefined);
        const honest = async (): Promise<void> => {
          const [holder] = await there.leases.holders(['x']);
          if (lease?.alive()) expect(holder?.node).toBe('a~1');
        };
        for (const { do: what, ms } of steps) {
          if (what === 'cut' || what === 'uncut') here.cut(what === 'cut');
          else if (what === 'step') mine.step(ms);
          else {
            mine.paused = what === 'pause';
            await line.advance(ms);
            mine.paused = false;
          }
          await honest();
          await settle(1);
          await honest();
        }
        kept.close();
      }),
      { numRuns: 150 },
    );
  });
});
