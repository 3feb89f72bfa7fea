import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { NodeId } from '../../src/kernel/identity.js';
import { settle } from '../support/virtual-clock.js';
import { gate } from './gate.js';
import { LEASE_MS, VirtualCluster, type VirtualNode } from './virtual-cluster.js';

const spec = (name: string) => ({ name, kind: 'counter', args: null });

/** Every change of who holds a name, from the lease's own table: `null` is an interval without an owner. */
function history(cluster: VirtualCluster, name: string): (NodeId | null)[] {
  const seen: (NodeId | null)[] = [];
  const { leases } = cluster.shared;
  const note = (node: NodeId | null): void => {
    if (seen.at(-1) !== node) seen.push(node);
  };
  const [set, remove] = [leases.set.bind(leases), leases.delete.bind(leases)];
  leases.set = (key, lease) => {
    if (key === name) note(lease.value.split('#')[0] ?? null);
    return set(key, lease);
  };
  leases.delete = (key) => {
    if (key === name) note(null);
    return remove(key);
  };
  return seen;
}

describe('a node that leaves in order', () => {
  let cluster: VirtualCluster;
  let a: VirtualNode;
  let b: VirtualNode;

  beforeEach(async () => {
    cluster = new VirtualCluster();
    a = await cluster.node('a');
    b = await cluster.node('b');
    await cluster.time.advance(LEASE_MS);
  });
  afterEach(() => cluster.close());

  const own = async (names: readonly string[]): Promise<void> => {
    await cluster.within(Promise.all(names.map((name) => a.kernel.ensure(spec(name)))));
  };

  it('hands its processes over with their state, with no interval in which a name is free', async () => {
    await own(['x']);
    await cluster.only('x').context.save({ count: 3 });
    const owners = history(cluster, 'x');
    await cluster.within(a.kernel.close());
    expect(owners).toEqual([b.id]);
    expect(cluster.only('x')).toMatchObject({ node: b.id, origin: 'handover', saved: { count: 3 } });
    expect(a.events.filter((event) => event.name === 'lease:lost')).toEqual([]);
  });

  it('hands over 500, each once, none twice, none lost', async () => {
    const names = Array.from({ length: 500 }, (_, i) => `p:${i}`);
    await own(names);
    await cluster.within(a.kernel.close());
    expect(b.kernel.owned()).toHaveLength(500);
    for (const name of names) expect(cluster.only(name).origin).toBe('handover');
    expect(cluster.incarnations).toHaveLength(1_000);
    expect((await b.ports.store.nodes()).map((node) => node.name)).toEqual(['b']);
  });

  it('starts a process on its next node only when it has stopped here', async () => {
    const freed = gate();
    const kind = cluster.counter('slow', {
      running: (self) => ({
        stop: async (reason) => {
          if (self.origin === 'first') await freed.promise;
          self.stopped = reason;
        },
      }),
    });
    const c = await cluster.node('c', [kind]);
    const d = await cluster.node('d', [kind]);
    await cluster.within(c.kernel.ensure({ name: 'slow', kind: 'slow', args: null }));
    const drained = c.kernel.drain();
    await cluster.time.advance(LEASE_MS * 2);
    expect(cluster.running('slow')).toHaveLength(1);
    expect(d.kernel.owned()).toEqual([]);
    freed.open();
    await cluster.within(drained);
    expect(cluster.only('slow').node).toBe(d.id);
  });

  it('takes no work any more once it drains, and says so to the others', async () => {
    const drained = a.kernel.drain();
    await cluster.within(drained);
    await settle(8);
    expect(b.kernel.nodes().find((node) => node.name === 'a')?.state).toBe('draining');
    await cluster.within(a.kernel.ensure(spec('late')));
    expect(cluster.only('late').node).toBe(b.id);
    await expect(cluster.within(b.kernel.cordon('a', false))).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  it('takes what is just being started with it', async () => {
    const ensured = a.kernel.ensure(spec('x'));
    const closed = a.kernel.close();
    await cluster.within(Promise.all([ensured, closed]));
    await cluster.time.until(() => cluster.running('x').length === 1, 'the process');
    expect(cluster.only('x').node).toBe(b.id);
  });

  it('asks the next one when the first declines', async () => {
    const c = await cluster.node('c');
    await settle(8);
    await own(['p:1', 'p:2', 'p:3', 'p:4', 'p:5', 'p:6']);
    // Declines everything although the others still see it as a node that takes work.
    c.kernel.define(cluster.counter('other'));
    (c.ports.leases as { takeOver: unknown }).takeOver = () => Promise.resolve(null);
    await cluster.within(a.kernel.close());
    expect(b.kernel.owned()).toHaveLength(6);
  });

  it('leaves its processes to whoever comes when nobody is there to take them', async () => {
    await own(['x']);
    await cluster.within(b.kernel.close());
    await cluster.within(a.kernel.close());
    expect(cluster.running('x')).toEqual([]);
    expect(cluster.shared.leases.size).toBe(0);
    const c = await cluster.node('c');
    await cluster.time.until(() => cluster.running('x').length === 1, 'the process');
    expect(cluster.only('x').node).toBe(c.id);
  });

  it('loses nothing when all leave at once: what one was about to be given, a later one starts', async () => {
    const names = Array.from({ length: 60 }, (_, i) => `p:${i}`);
    await own(names);
    const c = await cluster.node('c');
    await cluster.within(Promise.all([a, b, c].map((node) => node.kernel.close())));
    expect(cluster.shared.leases.size).toBe(0);
    expect(cluster.shared.store.nodes.size).toBe(0);
    await cluster.node('d');
    await cluster.time.until(() => names.every((name) => cluster.running(name).length > 0), 'all processes');
    for (const name of names) expect(cluster.only(name).node.startsWith('d~')).toBe(true);
  });

  it('survives a rolling restart: every process runs all the time but for its moves', async () => {
    const names = Array.from({ length: 30 }, (_, i) => `p:${i}`);
    await own(names);
    const gaps = names.map((name) => history(cluster, name));
    for (const node of [a, b]) {
      await cluster.node(`${node.kernel.name}2`);
      await cluster.within(node.kernel.close());
    }
    for (const gap of gaps) expect(gap).not.toContain(null);
    for (const name of names) cluster.only(name);
  });

  it('tells the owners of the holds that it leaves behind', async () => {
    await cluster.within(b.kernel.ensure(spec('x')));
    await cluster.within(a.kernel.hold(spec('x'), 'viewer'));
    await settle(8);
    const self = cluster.only('x');
    self.holdsChanged = 0;
    await cluster.within(a.kernel.close());
    await settle(8);
    expect(self.holdsChanged).toBe(1);
    expect(await b.kernel.holds('x')).toEqual([]);
  });

  it('is closed within a bound when the cluster does not answer, however many processes it has', async () => {
    await own(Array.from({ length: 300 }, (_, i) => `p:${i}`));
    a.ports.cut(true);
    const began = cluster.time.elapsed;
    await cluster.within(a.kernel.close());
    expect(cluster.time.elapsed - began).toBeLessThan(LEASE_MS);
    expect(a.kernel.owned()).toEqual([]);
    for (const one of cluster.incarnations) if (one.node === a.id) expect(one.stopped).not.toBeNull();
  });

  it('is closed once, however often it is asked', async () => {
    await own(['x']);
    await cluster.within(Promise.all([a.kernel.close(), a.kernel.drain(), a.kernel.close()]));
    expect(a.kernel.close()).toBe(a.kernel.close());
    expect(cluster.incarnations).toHaveLength(2);
  });
});
