import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { settle } from '../support/virtual-clock.js';
import { gate } from './gate.js';
import { LEASE_MS, VirtualCluster, type VirtualNode } from './virtual-cluster.js';

const spec = (name: string) => ({ name, kind: 'counter', args: null });

describe('when a node dies', () => {
  let cluster: VirtualCluster;
  let a: VirtualNode;
  let b: VirtualNode;
  let c: VirtualNode;

  beforeEach(async () => {
    cluster = new VirtualCluster();
    a = await cluster.node('a');
    b = await cluster.node('b');
    c = await cluster.node('c');
    // Every pulse has stood for long enough to be believed in.
    await cluster.time.advance(LEASE_MS * 2);
  });
  afterEach(() => cluster.close());

  const own = async (names: readonly string[], node = a): Promise<void> => {
    await cluster.within(Promise.all(names.map((name) => node.kernel.ensure(spec(name)))));
  };
  const downs = (node: VirtualNode) => node.events.filter((event) => event.name === 'node:down');

  it('runs its processes on, from their backups, long before its leases would have ended', async () => {
    await own(['x']);
    await cluster.only('x').context.save({ count: 5 });
    const died = cluster.time.elapsed;
    const { fence } = cluster.only('x');
    await cluster.kill(a);
    await cluster.time.until(() => cluster.running('x').length === 1, 'the takeover');
    expect(cluster.time.elapsed - died).toBeLessThan(300);
    expect(cluster.only('x')).toMatchObject({ origin: 'takeover', saved: { count: 5 } });
    expect(cluster.only('x').fence).toBeGreaterThan(fence);
  });

  it('takes over each of 300 once, spread over the survivors in rendezvous order', async () => {
    const names = Array.from({ length: 300 }, (_, i) => `p:${i}`);
    await own(names);
    await cluster.kill(a);
    const began = cluster.time.elapsed;
    await cluster.time.until(() => names.every((name) => cluster.running(name).length > 0), 'all takeovers');
    expect(cluster.time.elapsed - began).toBeLessThan(500);
    await cluster.time.advance(LEASE_MS * 2);
    expect(cluster.incarnations).toHaveLength(600);
    for (const node of [b, c]) expect(node.kernel.owned().length).toBeGreaterThan(100);
    for (const name of names) cluster.only(name);
  });

  it('removes it and its holds, and tells the owners of what it held', async () => {
    await own(['x'], b);
    await cluster.within(a.kernel.hold(spec('x'), 'viewer'));
    await settle(8);
    const self = cluster.only('x');
    self.holdsChanged = 0;
    await cluster.kill(a);
    await cluster.time.until(() => self.holdsChanged > 0, 'the news');
    expect(await b.kernel.holds('x')).toEqual([]);
    expect((await b.ports.store.nodes()).map((node) => node.name).sort()).toEqual(['b', 'c']);
    expect(downs(b)).toHaveLength(1);
    expect(downs(c)).toHaveLength(1);
  });

  it('answers calls that come while nobody owns the name, as soon as somebody does', async () => {
    await own(['x']);
    await cluster.within(b.kernel.call('x', 'warm'));
    await cluster.kill(a);
    const [early] = await Promise.allSettled([cluster.within(b.kernel.call('x', 'early', { idempotent: true }))]);
    expect(early).toMatchObject({ status: 'fulfilled', value: 1 });
  });

  it('does not send a message to the dead: it waits for the next owner', async () => {
    await own(['x']);
    await cluster.kill(a);
    await cluster.time.until(() => downs(b).length > 0, 'the death to be seen');
    expect(await cluster.within(b.kernel.call('x', 'not idempotent'))).toBe(1);
  });

  it('runs on what the dead had only begun to own, before the end of its lease', async () => {
    await b.ports.store.register(spec('half'));
    // Killed between its lease and its claim: the record does not tell of it.
    await a.ports.leases.acquire('half', LEASE_MS * 10);
    await cluster.kill(a);
    const began = cluster.time.elapsed;
    await cluster.time.until(() => cluster.running('half').length === 1, 'the start');
    expect(cluster.time.elapsed - began).toBeLessThan(LEASE_MS);
  });

  it('runs on its processes when all but one die at once, the one that was to take over included', async () => {
    const names = Array.from({ length: 40 }, (_, i) => `p:${i}`);
    await own(names);
    await cluster.kill(a);
    await cluster.kill(b);
    await cluster.time.until(() => names.every((name) => cluster.running(name).length === 1), 'all takeovers');
    expect(c.kernel.owned()).toHaveLength(40);
  });

  it('takes up everything when a whole cluster was killed and one node comes back under its old name', async () => {
    await own(['x', 'y']);
    for (const node of [a, b, c]) await cluster.kill(node);
    await cluster.time.advance(LEASE_MS * 4);
    const again = await cluster.node('a');
    const began = cluster.time.elapsed;
    await cluster.time.until(() => ['x', 'y'].every((name) => cluster.running(name).length === 1), 'its processes');
    // As soon as its own pulse has stood for long enough to believe that the others have none.
    expect(cluster.time.elapsed - began).toBeLessThan(LEASE_MS);
    expect(again.kernel.owned()).toHaveLength(2);
  });

  it('may come back at once under its name, and finds its own processes', async () => {
    await cluster.kill(b);
    await cluster.kill(c);
    await cluster.time.advance(LEASE_MS * 3);
    await own(['x']);
    await cluster.within(a.kernel.hold(spec('x'), 'viewer'));
    await cluster.kill(a);
    const again = await cluster.node('a');
    await cluster.time.until(() => cluster.running('x').length === 1, 'its process');
    expect(cluster.only('x').node).toBe(again.id);
    expect(await again.kernel.holds('x')).toEqual([]);
  });

  it('refuses a second node of the same name while the first one lives', async () => {
    const twin = cluster.make('a');
    await expect(cluster.within(twin.kernel.start())).rejects.toMatchObject({ code: 'CONFLICT' });
    expect((await b.ports.store.nodes()).filter((node) => node.name === 'a').map((node) => node.id)).toEqual([a.id]);
  });

  it('is not taken for dead while it is only being born', async () => {
    const newborn = cluster.make('d');
    const started = newborn.kernel.start();
    await cluster.time.advance(200);
    await cluster.within(started);
    await cluster.time.advance(LEASE_MS);
    expect(downs(b)).toEqual([]);
    expect(newborn.events.filter((event) => event.name === 'rejoined')).toEqual([]);
  });

  it('announces itself only with a pulse and an inbox', async () => {
    const newborn = cluster.make('d');
    const seen: unknown[] = [];
    const { announce } = newborn.ports.store;
    newborn.ports.store.announce = async (...args) => {
      seen.push(...(await b.ports.bus.pulses([newborn.id])), cluster.shared.handlers.has(`inbox:${newborn.id}`));
      return announce.apply(newborn.ports.store, args);
    };
    await cluster.within(newborn.kernel.start());
    expect(seen).toEqual([1, true]);
  });
});

describe('when a node hangs', () => {
  let cluster: VirtualCluster;
  let a: VirtualNode;
  let b: VirtualNode;

  beforeEach(async () => {
    cluster = new VirtualCluster();
    const kind = cluster.counter('counter', {
      running: (self) => ({
        handle: (message) => {
          if (message === 'crash') throw new Error('a bug');
          return self.messages.push(message);
        },
      }),
    });
    a = await cluster.node('a', [kind]);
    b = await cluster.node('b', [kind]);
    await cluster.time.advance(LEASE_MS * 2);
    await cluster.within(a.kernel.ensure(spec('x')));
    await cluster.time.advance(LEASE_MS);
  });
  afterEach(() => cluster.close());

  it('takes over when its lease is over, not before: it may wake up and believe in it', async () => {
    const hung = cluster.only('x');
    const began = cluster.time.elapsed;
    a.clock.paused = true;
    await cluster.time.until(() => cluster.running('x').length === 2, 'the takeover');
    expect(cluster.time.elapsed - began).toBeLessThanOrEqual(LEASE_MS + 1_000);
    expect(hung.context.owns()).toBe(false);
  });

  it('never has two owners, whenever it wakes up: tried at every moment of two leases', async () => {
    for (let ms = 100; ms < LEASE_MS * 2; ms += 170) {
      a.clock.paused = true;
      const hung = cluster.only('x');
      for (let at = 0; at < ms; at += 50) {
        await cluster.time.advance(50);
        const owners = cluster.running('x').filter((one) => one.context.owns());
        expect(owners.length).toBeLessThanOrEqual(1);
      }
      a.clock.paused = false;
      for (let at = 0; at < 400; at += 20) {
        await cluster.time.advance(20);
        expect(cluster.running('x').filter((one) => one.context.owns()).length).toBeLessThanOrEqual(1);
      }
      await cluster.time.until(() => cluster.running('x').length === 1, 'one owner');
      await cluster.time.advance(LEASE_MS * 2);
      if (cluster.only('x').node !== a.id) {
        await expect(hung.context.save('late')).rejects.toMatchObject({ code: 'CONFLICT' });
        await cluster.within(b.kernel.move('x', a.id));
      }
    }
  });

  it('claims nothing that its lease has run out on, between the fence and the claim', async () => {
    const minted = gate<number | null>();
    const claims: string[] = [];
    const { claim } = a.ports.store;
    a.ports.store.claim = (name, ...rest) => (claims.push(name), claim.call(a.ports.store, name, ...rest));
    a.ports.leases.fence = () => minted.promise;
    const ensured = Promise.allSettled([a.kernel.ensure(spec('y'))]);
    // To start anew, and to start again after a crash, are two ways to the same place.
    const crashed = Promise.allSettled([a.kernel.call('x', 'crash')]);
    await cluster.time.advance(LEASE_MS / 6);
    a.clock.paused = true;
    await cluster.time.advance(LEASE_MS);
    minted.open(99);
    await settle(16);
    expect(claims).toEqual([]);
    a.clock.paused = false;
    await cluster.time.until(() => cluster.running('x').length === 1, 'one owner of x');
    await cluster.within(Promise.all([ensured, crashed]));
    expect(cluster.only('x').node).toBe(b.id);
  });

  it('takes over hundreds in one lease’s time, not in one lease after the other', async () => {
    const names = Array.from({ length: 300 }, (_, i) => `p:${i}`);
    await cluster.within(Promise.all(names.map((name) => a.kernel.ensure(spec(name)))));
    a.clock.paused = true;
    const began = cluster.time.elapsed;
    await cluster.time.until(() => b.kernel.owned().length === 301, 'all takeovers');
    expect(cluster.time.elapsed - began).toBeLessThanOrEqual(LEASE_MS + 1_500);
  });

  it('is in the cluster again after it has woken up, and can hold and own', async () => {
    a.clock.paused = true;
    await cluster.time.advance(LEASE_MS * 3);
    a.clock.paused = false;
    await cluster.within(a.kernel.hold(spec('y'), 'viewer'));
    await cluster.time.advance(LEASE_MS);
    expect(a.events.filter((event) => event.name === 'rejoined')).toHaveLength(1);
    expect((await b.ports.store.nodes()).map((node) => node.name).sort()).toEqual(['a', 'b']);
    expect(cluster.only('x').node).toBe(b.id);
    expect(cluster.only('y').node).toBe(a.id);
    expect(
      b.kernel
        .nodes()
        .map((node) => node.name)
        .sort(),
    ).toEqual(['a', 'b']);
  });

  it('is mourned again when it dies after it has come back', async () => {
    a.clock.paused = true;
    await cluster.time.advance(LEASE_MS * 2);
    a.clock.paused = false;
    await cluster.time.advance(LEASE_MS * 2);
    await cluster.within(b.kernel.move('x', a.id));
    await cluster.kill(a);
    const began = cluster.time.elapsed;
    await cluster.time.until(() => cluster.running('x').length === 1, 'the takeover');
    expect(cluster.time.elapsed - began).toBeLessThan(300);
  });
});
