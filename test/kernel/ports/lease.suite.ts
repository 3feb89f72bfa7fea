import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { newNodeId, type NodeId } from '../../../src/kernel/identity.js';
import type { Grant, LeasePort } from '../../../src/kernel/ports/lease.js';
import { eventually } from '../../support/eventually.js';

/** An empty cluster for one test, and any number of nodes in it. */
export interface LeaseBench {
  port(node: NodeId): Promise<LeasePort>;
  /** Forgets everything, as a server that lost its data does. */
  wipe(): Promise<void>;
  close(): Promise<void>;
}

const LONG = 60_000;

/** What every lease port promises, whatever is behind it. */
export function leaseSuite(name: string, open: () => Promise<LeaseBench>): void {
  describe(`leases in ${name}`, () => {
    const a = newNodeId('a');
    const b = newNodeId('b');
    let bench: LeaseBench;
    let ofA: LeasePort;
    let ofB: LeasePort;

    beforeEach(async () => {
      bench = await open();
      ofA = await bench.port(a);
      ofB = await bench.port(b);
    });
    afterEach(() => bench.close());

    const acquired = async (port: LeasePort, key = 'x', leaseMs = LONG): Promise<Grant> => {
      const grant = await port.acquire(key, leaseMs);
      if (!grant) throw new Error(`${key} is held by somebody else`);
      return grant;
    };

    it('grants a free name to one, and refuses it to everybody else, the holder included', async () => {
      const grant = await acquired(ofA);
      expect(grant).toMatchObject({ name: 'x' });
      expect(await ofB.acquire('x', LONG)).toBeNull();
      expect(await ofA.acquire('x', LONG)).toBeNull();
    });

    it('grants a name to exactly one of many that ask at the same moment', async () => {
      const asked = await Promise.allSettled(
        Array.from({ length: 40 }, (_, i) => (i % 2 ? ofA : ofB).acquire('x', LONG)),
      );
      const granted = asked.filter((one) => one.status === 'fulfilled' && one.value !== null).length;
      const doubts = asked.filter((one) => one.status === 'rejected');
      for (const { reason } of doubts) expect(reason).toMatchObject({ code: 'UNAVAILABLE' });
      // On a machine that stands still for a moment an answer may come too late, and the winner's may be that one.
      expect(granted).toBeLessThanOrEqual(1);
      expect(granted + doubts.length).toBeGreaterThanOrEqual(1);
    });

    it('says who holds a name, and for how long yet', async () => {
      const grant = await acquired(ofA);
      const [held, free] = await ofB.holders(['x', 'free']);
      expect(held).toMatchObject({ node: a, value: grant.value });
      expect(held?.leftMs).toBeGreaterThan(0);
      expect(held?.leftMs).toBeLessThanOrEqual(LONG);
      expect(free).toBeNull();
      expect(await ofB.holders([])).toEqual([]);
    });

    it('gives deadlines on both clocks that lie before the end of the lease at the server', async () => {
      const [mono, wall] = [performance.now(), Date.now()];
      const grant = await acquired(ofA, 'x', LONG);
      expect(grant.untilMono - mono).toBeLessThan(LONG);
      expect(grant.untilWall - wall).toBeLessThan(LONG);
      expect(grant.untilMono - performance.now()).toBeGreaterThan(LONG * 0.9);
    });

    it('ends a lease that is not renewed, and then grants it to another', async () => {
      await acquired(ofA, 'x', 120);
      expect(await ofB.acquire('x', 120)).toBeNull();
      const grant = await eventually(() => ofB.acquire('x', LONG), { what: 'the end of the lease' });
      expect((await ofA.holders(['x']))[0]?.value).toBe(grant.value);
    });

    it('renews, so that the lease outlives its first time, and moves the deadline', async () => {
      const first = await acquired(ofA, 'x', 200);
      const second = await ofA.renew(first, LONG);
      expect(second?.value).toBe(first.value);
      expect(second?.untilMono).toBeGreaterThan(first.untilMono + LONG / 2);
      expect((await ofB.holders(['x']))[0]?.leftMs).toBeGreaterThan(LONG / 2);
    });

    it('does not renew what is somebody else’s, or nobody’s', async () => {
      const grant = await acquired(ofA);
      await ofA.release(grant);
      expect(await ofA.renew(grant, LONG)).toBeNull();
      const other = await acquired(ofB);
      expect(await ofA.renew(grant, LONG)).toBeNull();
      expect((await ofA.holders(['x']))[0]?.value).toBe(other.value);
    });

    it('renews many at once and answers for each in order', async () => {
      const grants = await Promise.all(['p', 'q', 'r'].map((key) => acquired(ofA, key, 5_000)));
      await ofB.takeOver('q', (grants[1] as Grant).value, LONG);
      const renewed = await ofA.renewAll(grants, LONG);
      expect(renewed.map((grant) => grant?.name ?? null)).toEqual(['p', null, 'r']);
      expect(renewed[2]?.untilMono).toBeGreaterThan((grants[2] as Grant).untilMono);
      expect(await ofA.renewAll([], LONG)).toEqual([]);
    });

    it('replaces the very grant that it is told, and no other', async () => {
      const first = await acquired(ofA);
      const taken = await ofB.takeOver('x', first.value, LONG);
      expect((await ofA.holders(['x']))[0]).toMatchObject({ node: b, value: taken?.value });
      expect(await ofB.takeOver('x', first.value, LONG)).toBeNull();
      expect(await ofA.renew(first, LONG)).toBeNull();
      expect(await ofA.fence(first)).toBeNull();
      expect(await ofB.takeOver('free', first.value, LONG)).toBeNull();
    });

    it('lets exactly one of several take over', async () => {
      const first = await acquired(ofA);
      const c = await bench.port(newNodeId('c'));
      const takers = await Promise.all([ofB, c, ofB, c].map((port) => port.takeOver('x', first.value, LONG)));
      expect(takers.filter((grant) => grant !== null)).toHaveLength(1);
    });

    it('releases what is ours, once, and nothing else', async () => {
      const grant = await acquired(ofA);
      expect(await ofA.release(grant)).toBe(true);
      expect(await ofA.release(grant)).toBe(false);
      const other = await acquired(ofB);
      expect(await ofA.release(grant)).toBe(false);
      expect((await ofA.holders(['x']))[0]?.value).toBe(other.value);
    });

    it('removes anybody’s lease by its exact value', async () => {
      const grant = await acquired(ofA);
      expect(await ofB.remove('x', `${grant.value}?`)).toBe(false);
      expect(await ofB.remove('x', grant.value)).toBe(true);
      expect(await ofB.remove('x', grant.value)).toBe(false);
      expect(await ofA.holders(['x'])).toEqual([null]);
    });

    it('mints fences that strictly rise, over names, owners and calls', async () => {
      const seen: number[] = [];
      for (let i = 0; i < 5; i++) {
        const grant = await acquired(i % 2 ? ofA : ofB);
        for (let k = 0; k < 3; k++) seen.push((await (i % 2 ? ofA : ofB).fence(grant)) ?? 0);
        await ofA.remove('x', grant.value);
      }
      expect(seen).toEqual([...new Set(seen)].sort((p, q) => p - q));
      expect(seen).toHaveLength(15);
    });

    it('mints no fence for a grant that is over', async () => {
      const grant = await acquired(ofA, 'x', 60);
      await eventually(async () => (await ofB.holders(['x']))[0] === null, { what: 'the end of the lease' });
      expect(await ofA.fence(grant)).toBeNull();
    });

    it('mints above everything that it minted before it lost its data, however fast it did', async () => {
      const before = await acquired(ofA);
      const burst: (number | null)[] = [];
      for (let i = 0; i < 30; i++)
        burst.push(...(await Promise.all(Array.from({ length: 50 }, () => ofA.fence(before)))));
      await bench.wipe();
      const after = await acquired(ofB);
      expect(await ofB.fence(after)).toBeGreaterThan(Math.max(...burst.map(Number)));
    });

    it('lists all leases there are', async () => {
      const names = Array.from({ length: 30 }, (_, i) => `many:${i}?a=*[x]#${i}`);
      await Promise.all(names.map((key) => acquired(ofA, key)));
      const all = await ofB.all();
      expect(all.map((holder) => holder.name).sort()).toEqual([...names].sort());
      expect(new Set(all.map((holder) => holder.node))).toEqual(new Set([a]));
      await bench.wipe();
      expect(await ofB.all()).toEqual([]);
    });
  });
}
