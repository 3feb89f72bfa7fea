import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { settle } from '../support/virtual-clock.js';
import { LEASE_MS, VirtualCluster, type VirtualNode } from './virtual-cluster.js';

const spec = (name: string) => ({ name, kind: 'counter', args: null });

describe('membership', () => {
  let cluster: VirtualCluster;
  let a: VirtualNode;
  let b: VirtualNode;

  beforeEach(async () => {
    cluster = new VirtualCluster();
    a = await cluster.node('a');
    b = await cluster.node('b');
    await cluster.time.advance(LEASE_MS * 2);
    await cluster.within(a.kernel.ensure(spec('x')));
    await settle(8);
  });
  afterEach(() => cluster.close());

  const names = (node: VirtualNode, event: string) => node.events.filter(({ name }) => name === event);

  describe('two owners of one name', () => {
    it('the lower fence stops, and the other learns what it knew', async () => {
      const lower = cluster.only('x');
      await cluster.within(a.kernel.call('x', 'one'));
      // Taken away behind its back, as by a node that took it for dead.
      const [holder] = await b.ports.leases.holders(['x']);
      const grant = await b.ports.leases.takeOver('x', holder?.value ?? '', LEASE_MS);
      await b.ports.leases.release(grant as NonNullable<typeof grant>);
      await b.ports.store.disown('x', lower.fence);
      await cluster.within(b.kernel.ensure(spec('x')));
      await cluster.time.until(() => cluster.running('x').length === 1, 'one of them to stop');
      const higher = cluster.only('x');
      expect(higher.node).toBe(b.id);
      expect(lower.stopped).toBe('lease-lost');
      await expect(lower.context.save(1)).rejects.toMatchObject({ code: 'CONFLICT' });
    });

    it('a node that was taken for dead by mistake stops within moments, and what it knew is merged', async () => {
      const lower = cluster.only('x');
      await cluster.within(a.kernel.call('x', 'one'));
      // Its pulse is seen missing twice, while it lives on.
      cluster.shared.pulses.delete(a.id);
      await cluster.time.until(() => names(b, 'node:down').length === 1, 'the false alarm');
      cluster.shared.pulses.set(a.id, 1);
      const began = cluster.time.elapsed;
      await cluster.time.until(
        () => cluster.running('x').length === 1 && cluster.only('x').node === b.id,
        'the lower to stop',
      );
      expect(cluster.time.elapsed - began).toBeLessThan(100);
      expect(lower.stopped).toBe('lease-lost');
      await cluster.time.until(() => cluster.only('x').merged.length > 0, 'the merge');
      expect(cluster.only('x').merged).toEqual([1]);
      expect(names(a, 'process:conflict')).toHaveLength(1);
      await cluster.time.advance(LEASE_MS * 2);
      expect(names(a, 'rejoined')).toHaveLength(1);
      expect(
        b.kernel
          .nodes()
          .map((node) => node.name)
          .sort(),
      ).toEqual(['a', 'b']);
    });

    it('a snapshot that throws does not keep the lower one alive', async () => {
      const kind = cluster.counter('bad', {
        running: () => ({
          snapshot: () => {
            throw new Error('a bug');
          },
        }),
      });
      const c = await cluster.node('c', [kind]);
      await cluster.within(c.kernel.ensure({ name: 'bad', kind: 'bad', args: null }));
      const lower = cluster.only('bad');
      await c.ports.store.claim('bad', b.id, lower.fence + 1);
      await cluster.time.until(() => lower.stopped !== null, 'the lower to stop');
      expect(lower.stopped).toBe('lease-lost');
    });
  });

  describe('a node that was buried', () => {
    it('joins again, and may hold at once', async () => {
      await cluster.within(a.kernel.hold(spec('x'), 'viewer'));
      await b.ports.store.bury(a.id);
      expect(await b.kernel.holds('x')).toEqual([]);
      await cluster.within(a.kernel.hold(spec('x'), 'viewer'));
      expect(await b.kernel.holds('x')).toHaveLength(1);
      expect(names(a, 'rejoined')).toEqual([{ name: 'rejoined', event: { storeLost: false } }]);
    });

    it('keeps what nobody has taken from it', async () => {
      await b.ports.store.bury(a.id);
      await cluster.time.advance(LEASE_MS * 3);
      expect(cluster.running('x').length).toBe(1);
      expect(cluster.incarnations.length).toBeLessThanOrEqual(2);
    });

    it('does not join again when another incarnation has its name: it leaves what it had to others', async () => {
      await b.ports.store.bury(a.id);
      const twin = await cluster.node('a');
      await cluster.time.advance(LEASE_MS * 3);
      expect(names(a, 'rejoined')).toEqual([]);
      expect(a.kernel.up).toBe(false);
      expect((await b.ports.store.nodes()).map((node) => node.id).sort()).toEqual([b.id, twin.id].sort());
    });
  });

  describe('a store that lost its data', () => {
    const wipe = async (leasesToo: boolean): Promise<void> => {
      if (leasesToo) cluster.shared.wipe();
      else cluster.shared.store.wipe();
      await settle();
    };

    it.each([
      ['with the leases', true],
      ['while the lock masters kept theirs', false],
    ])('gets its specs back from those who ran them, %s: at whatever moment it happens', async (_how, leasesToo) => {
      const all = Array.from({ length: 12 }, (_, i) => `p:${i}`);
      await cluster.within(Promise.all(all.map((name, i) => (i % 2 ? a : b).kernel.ensure(spec(name)))));
      await cluster.within(b.kernel.hold(spec('held'), 'viewer'));
      for (let moment = 0; moment < LEASE_MS; moment += 190) {
        await cluster.time.advance(190);
        await wipe(leasesToo);
        let most = 0;
        for (let at = 0; at < LEASE_MS * 2; at += 20) {
          await cluster.time.advance(20);
          for (const name of [...all, 'x']) {
            most = Math.max(most, cluster.running(name).filter((one) => one.context.owns()).length);
          }
        }
        expect([moment, most]).toEqual([moment, 1]);
        for (const name of [...all, 'x', 'held']) {
          expect([moment, name, cluster.running(name).length]).toEqual([moment, name, 1]);
          expect(await a.ports.store.process(name)).toMatchObject({
            node: cluster.only(name).node,
            fence: cluster.only(name).fence,
          });
        }
      }
      expect(names(a, 'rejoined').length).toBeGreaterThan(0);
      expect(names(a, 'rejoined').every(({ event }) => (event as { storeLost: boolean }).storeLost)).toBe(true);
    });

    it('does not bring back what was stopped for good', async () => {
      await cluster.within(b.kernel.stop('x'));
      await wipe(true);
      await cluster.time.advance(LEASE_MS * 4);
      expect(await a.ports.store.process('x')).toBeNull();
      expect(cluster.running('x')).toEqual([]);
    });

    it('has what is to stand again, although it ran nowhere', async () => {
      await cluster.within(a.kernel.stand(spec('always')));
      await wipe(true);
      await cluster.time.advance(LEASE_MS * 2);
      expect(cluster.running('always')).toHaveLength(1);
    });
  });

  describe('an outage of the cluster', () => {
    it.each([300, 1_900, 2_500, 3_500, 20_000])(
      'of %i ms: nobody runs twice, and everything runs soon after it',
      async (ms) => {
        await cluster.within(b.kernel.ensure(spec('y')));
        for (const node of [a, b]) node.ports.cut(true);
        for (let at = 0; at < ms; at += 50) {
          await cluster.time.advance(50);
          for (const name of ['x', 'y']) expect(cluster.running(name).length).toBeLessThanOrEqual(1);
        }
        if (ms > LEASE_MS) {
          expect(cluster.running('x')).toEqual([]);
          expect(a.kernel.up).toBe(false);
        }
        for (const node of [a, b]) node.ports.cut(false);
        const began = cluster.time.elapsed;
        await cluster.time.until(
          () => ['x', 'y'].every((name) => cluster.running(name).length === 1),
          'everything to run',
        );
        expect(cluster.time.elapsed - began).toBeLessThanOrEqual(LEASE_MS / 3 + 300);
        await cluster.time.advance(LEASE_MS * 2);
        for (const name of ['x', 'y']) cluster.only(name);
        expect(a.kernel.up).toBe(true);
        expect([...names(a, 'node:down'), ...names(b, 'node:down')]).toEqual([]);
      },
    );

    it('during which holds came and went: their owner looks at them anew', async () => {
      const self = cluster.only('x');
      self.holdsChanged = 0;
      a.ports.cut(true);
      await cluster.within(b.kernel.hold(spec('x'), 'viewer'));
      await settle(8);
      expect(self.holdsChanged).toBe(0);
      a.ports.cut(false);
      await settle(8);
      expect(self.holdsChanged).toBe(1);
      expect(await self.context.holds()).toHaveLength(1);
    });

    it('that only one node suffers: its processes run elsewhere, after it has fallen silent', async () => {
      const cutOff = cluster.only('x');
      a.ports.cut(true);
      for (let at = 0; at < LEASE_MS + 1_000; at += 25) {
        await cluster.time.advance(25);
        const owners = cluster.running('x').filter((one) => one.context.owns());
        expect(owners.length).toBeLessThanOrEqual(1);
      }
      expect(cutOff.stopped).toBe('lease-lost');
      expect(cluster.only('x').node).toBe(b.id);
      a.ports.cut(false);
      await cluster.time.advance(LEASE_MS * 2);
      expect(cluster.only('x').node).toBe(b.id);
      expect(names(a, 'rejoined')).toHaveLength(1);
    });
  });
});
