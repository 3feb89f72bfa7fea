import { beforeEach, describe, expect, it } from '@jest/globals';
import type { LeaseKeeper } from '../../src/kernel/lease.js';
import { silent } from '../../src/kernel/log.js';
import { MemoryCluster, type MemoryPorts } from '../../src/kernel/memory/cluster.js';
import type { Monitor } from '../../src/kernel/monitor.js';
import type { OwnedProcess } from '../../src/kernel/process.js';
import { Reconciler } from '../../src/kernel/reconciler.js';
import { rendezvous } from '../../src/kernel/rendezvous.js';
import type { Supervisor } from '../../src/kernel/supervisor.js';
import type { NodeRecord, NodeSighting, ProcessSpec } from '../../src/kernel/ports/store.js';
import { settle, VirtualTime } from '../support/virtual-clock.js';

const LEASE_MS = 3_000;
const [SELF, PEER, DEAD] = ['self~1', 'peer~1', 'dead~1'];

/** Races of a pass with what happens during it: each moment is made, not waited for. */
describe('the reconciler', () => {
  let time: VirtualTime;
  let ports: MemoryPorts;
  let dead: MemoryPorts;
  let started: unknown[][];
  let lost: Map<string, ProcessSpec>;
  let owned: Partial<OwnedProcess>[];
  let onRefresh: () => unknown;
  let membership: number | null;
  let reconciler: Reconciler;

  const sighting = (id: string): NodeSighting => {
    const record: NodeRecord = { id, name: id, version: '1', startedAt: 0, state: 'live', kinds: ['k'], info: {} };
    return { ...record, ageMs: 0 };
  };

  beforeEach(async () => {
    time = new VirtualTime();
    const cluster = new MemoryCluster(time.clock());
    ports = cluster.connect(SELF, time.clock());
    dead = cluster.connect(DEAD, time.clock());
    started = [];
    lost = new Map();
    owned = [];
    onRefresh = () => undefined;
    membership = 0;
    for (const id of [SELF, PEER]) await ports.store.announce(sighting(id), LEASE_MS);
    const supervisor = {
      lost,
      forget: (name: string) => lost.delete(name),
      owned: () => owned,
      get: (name: string) => owned.find((process) => process.name === name),
      isStarting: () => false,
      start: async (...args: unknown[]) => (started.push(args), 'here'),
      drop: async (...args: unknown[]) => void started.push(['drop', ...args]),
    };
    const monitor = {
      nodes: [sighting(SELF), sighting(PEER)],
      isSuspect: () => false,
      reconcileSoon: () => undefined,
      get membership() {
        return membership;
      },
      refresh: async () => {
        const nodes = await ports.store.nodes();
        await onRefresh();
        return nodes;
      },
    };
    reconciler = new Reconciler(
      ports,
      supervisor as unknown as Supervisor,
      { keeps: () => false } as unknown as LeaseKeeper,
      monitor as unknown as Monitor,
      time.clock(),
      LEASE_MS,
      silent,
      { holdsChanged: () => undefined, mergeInto: () => undefined, seized: () => undefined },
    );
  });

  /** A name for which this node is first, or second, in order. */
  const nameOfRank = (rank: number): string => {
    for (let i = 0; ; i++) if (rendezvous(`p:${i}`, [SELF, PEER])[rank] === SELF) return `p:${i}`;
  };
  const orphan = async (name: string): Promise<string> => {
    await ports.store.register({ name, kind: 'k', args: null });
    const grant = await dead.leases.acquire(name, LEASE_MS);
    await ports.store.claim(name, DEAD, 5);
    return grant?.value ?? '';
  };

  it('replaces the grant of the dead: at once when it is first in order, in its turn when it is second', async () => {
    const [first, second] = [nameOfRank(0), nameOfRank(1)];
    const [valueOfFirst, valueOfSecond] = [await orphan(first), await orphan(second)];
    const done = reconciler.takeOverFrom(sighting(DEAD), { by: 'pulse', evidence: '' });
    await settle();
    expect(started).toEqual([[first, 'k', 'takeover', valueOfFirst]]);
    await time.advance(200);
    await done;
    expect(started[1]).toEqual([second, 'k', 'takeover', valueOfSecond]);
  });

  it('leaves alone what its owner has taken up again before the second’s turn', async () => {
    const name = nameOfRank(1);
    const value = await orphan(name);
    const done = reconciler.takeOverFrom(sighting(DEAD), { by: 'pulse', evidence: '' });
    await settle();
    // It lives after all, and has a fresh grant, but has not claimed it yet.
    await dead.leases.remove(name, value);
    await dead.leases.acquire(name, LEASE_MS);
    await time.advance(200);
    await done;
    expect(started).toEqual([]);
  });

  it('acts on nothing that it read before it was paused', async () => {
    const name = nameOfRank(0);
    await orphan(name);
    await dead.bus.close();
    onRefresh = () => time.advance(LEASE_MS);
    await reconciler.run();
    expect(started).toEqual([]);
  });

  it('does not forget what was lost after it had begun to read', async () => {
    const spec = { name: 'x', kind: 'k', args: null };
    lost.set('before', spec);
    onRefresh = () => lost.set('meanwhile', spec);
    await reconciler.run();
    expect([...lost.keys()]).toEqual(['meanwhile']);
  });

  it.each([
    ['does not know this node', async () => void (await ports.store.bury(SELF))],
    ['is just being written again', async () => void (membership = null)],
    ['was written again meanwhile', async () => void (onRefresh = () => (membership = 1))],
  ])('ends nothing for want of a record in a store that %s', async (_what, happen) => {
    owned = [{ name: 'x', ending: null }];
    lost.set('y', { name: 'y', kind: 'k', args: null });
    await happen();
    await reconciler.run();
    expect(started).toEqual([]);
    expect([...lost.keys()]).toEqual(['y']);
  });

  it('ends what was retired elsewhere', async () => {
    owned = [{ name: 'x', ending: null }];
    await reconciler.run();
    expect(started).toEqual([['drop', 'x', 'retired']]);
  });

  it('tells a state again whose report was lost', async () => {
    await ports.store.register({ name: 'x', kind: 'k', args: null });
    await ports.store.claim('x', SELF, 7);
    let told = 0;
    owned = [
      {
        name: 'x',
        fence: 7,
        state: 'running',
        ending: null,
        lease: {
          name: 'x',
          grant: { name: 'x', value: '', untilMono: 0, untilWall: 0 },
          alive: () => true,
          leftMs: () => 1,
        },
        reportAgain: async () => void (told += 1),
      },
    ];
    await reconciler.run();
    expect(told).toBe(1);
    await ports.store.report('x', 7, 'running', 0, null);
    await reconciler.run();
    expect(told).toBe(1);
  });

  it('leaves a name alone that has only just been registered', async () => {
    const name = nameOfRank(0);
    await ports.store.register({ name, kind: 'k', args: null });
    await reconciler.run();
    expect(started).toEqual([]);
    await time.advance(250);
    await reconciler.run();
    expect(started).toHaveLength(1);
  });
});
