import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { ClusterPorts } from '../../src/kernel/ports/cluster.js';
import type { StorePort } from '../../src/kernel/ports/store.js';
import { ZombieHunter, type ZombieSource } from '../../src/ops/zombie-hunter.js';
import type { Zombie } from '../../src/ops/zombies.js';
import { MemoryFrames } from '../../src/polling/frames/memory.js';
import { startRedis, type TestRedis } from '../support/redis.js';
import { LEASE_MS, memoryBench, redisBench, run, watch, type OpsBench } from './bench.js';

const LINGER_MS = 5_000;
const settings = { leaseMs: LEASE_MS, lingerMs: LINGER_MS, confirmMs: 5 };
const PAST_LINGER = LINGER_MS + LEASE_MS + 1_000;

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

describe.each([
  ['memory', () => memoryBench()],
  ['Redis', () => redisBench(redis)],
] as const)('zombies in %s', (_name, open) => {
  let bench: OpsBench;
  let operator: ClusterPorts;
  let living: ClusterPorts;
  /** What the owners of processes were asked to end, and what they say. */
  let asked: string[];
  let ends: boolean;
  let frames: MemoryFrames;

  beforeEach(async () => {
    bench = open();
    operator = await bench.operator();
    living = await bench.node('living', { leaseMs: LEASE_MS, lingerMs: LINGER_MS });
    asked = [];
    ends = true;
    frames = new MemoryFrames();
  });
  afterEach(() => bench.close());

  function hunter(ports = operator, sources: ZombieSource[] = []): ZombieHunter {
    const stopUnlessHeld = (name: string): Promise<boolean> => Promise.resolve(asked.push(name) > 0 && ends);
    return new ZombieHunter(ports, { stopUnlessHeld }, frames, settings, sources);
  }

  const brief = (zombies: readonly Zombie[]): string[] =>
    zombies.map(({ kind, name, node }) => `${kind} ${name} ${node}`).sort();

  /** One of each kind, beside processes and viewers that are as they should be. */
  async function plant(): Promise<void> {
    await watch(living, 'poller:watched', 'watched?a=1', 3);
    await run(living, 'poller:watched');
    await run(living, 'room:full', 'room');
    await operator.store.register({ name: 'room:waiting', kind: 'room', args: null });
    const dead = await bench.node('dead');
    await watch(dead, 'poller:watched', 'watched?a=2', 2);
    await watch(dead, 'poller:owned', 'owned', 1);
    await run(dead, 'poller:owned');
    await run(dead, 'room:owned', 'room');
    await dead.leases.acquire('export:over', LEASE_MS);
    const { grant } = await run(living, 'room:leaseless', 'room');
    await living.leases.release(grant);
    await operator.store.register({ name: 'poller:unwatched', kind: 'poller', args: null });
    await bench.unheldFor('poller:unwatched', PAST_LINGER);
    await bench.kill(dead);
  }

  const planted = [
    'dead-owner poller:owned dead',
    'dead-owner room:owned dead',
    'dead-presence poller:owned dead',
    'dead-presence poller:watched dead',
    'lost-lease room:leaseless living',
    'orphan-lease export:over dead',
    'unwatched-poller poller:unwatched null',
  ];

  it('are found, one of each kind, each with its evidence', async () => {
    await plant();
    const zombies = await hunter().find();
    expect(brief(zombies)).toEqual(planted);
    const evidence = (kind: string): string => zombies.find((zombie) => zombie.kind === kind)?.evidence ?? '';
    expect(evidence('dead-owner')).toMatch(
      /^owned by dead with fence \d+, but that node is dead: pulse gone, seen 2 times in a row; its lease ends in \d+ ms$/,
    );
    expect(evidence('dead-presence')).toMatch(/^presence of dead on poller:\w+, but that node is dead: pulse gone/);
    expect(evidence('lost-lease')).toMatch(
      /^running on living with fence \d+, but nobody holds its lease: seen twice$/,
    );
    expect(evidence('orphan-lease')).toMatch(
      /^dead, which is not alive, holds a lease for \d+ ms more on a name without a process$/,
    );
    expect(evidence('unwatched-poller')).toMatch(/^without viewers for \d+ ms, which is past the linger of 5000 ms$/);
  });

  it('tell their age', async () => {
    await plant();
    const watching = hunter();
    const first = await watching.find();
    expect(first.every(({ ageMs }) => Number.isInteger(ageMs) && ageMs >= 0)).toBe(true);
    expect(first.find(({ kind }) => kind === 'unwatched-poller')?.ageMs).toBeGreaterThanOrEqual(PAST_LINGER);
    const again = await watching.find();
    const lost = (zombies: readonly Zombie[]): number => zombies.find(({ kind }) => kind === 'lost-lease')?.ageMs ?? -1;
    expect(lost(again)).toBeGreaterThan(lost(first));
  });

  it('are removed, the living untouched, and a second time finds nothing', async () => {
    await plant();
    const before = await Promise.all([operator.store.process('poller:watched'), operator.store.process('room:full')]);
    const leases = await operator.leases.holders(['poller:watched', 'room:full']);

    const cleaned = await hunter().clean();
    expect(brief(cleaned)).toEqual(planted);
    expect(cleaned.filter(({ removed }) => !removed)).toEqual([]);

    expect(await Promise.all([operator.store.process('poller:watched'), operator.store.process('room:full')])).toEqual(
      before,
    );
    const after = await operator.leases.holders(['poller:watched', 'room:full']);
    expect(after.map((holder) => holder?.value)).toEqual(leases.map((holder) => holder?.value));
    expect(await operator.store.holds('poller:watched')).toEqual([
      { node: living.node, ref: 'watched?a=1', detail: '{"n":3}' },
    ]);
    expect(await hunter().find()).toEqual([]);
    expect(await hunter().clean()).toEqual([]);
  });

  it('leave what others may go on with: a room of the dead is kept for the next owner, with its state', async () => {
    await plant();
    const owned = await operator.store.process('room:owned');
    await operator.store.save('room:owned', owned?.fence ?? 0, '{"members":7}');
    const poller = await operator.store.process('poller:owned');
    await frames.open('poller:owned', poller?.fence ?? 0);
    const changed = [{ channel: 'owned', rows: '[]', hash: 'h' }];
    await frames.publish('poller:owned', poller?.fence ?? 0, { polledAt: 1, changed, statuses: [] }, { retainMs: 0 });
    expect(await frames.all('poller:owned')).toHaveLength(1);
    await hunter().clean();
    expect(await operator.store.process('room:owned')).toMatchObject({ node: null, state: 'orphaned' });
    expect(await operator.store.load('room:owned')).toBe('{"members":7}');
    expect(await operator.store.process('room:leaseless')).toMatchObject({ node: null, state: 'orphaned' });
    expect(await operator.store.process('room:waiting')).not.toBeNull();
    // Nobody is left who wants these.
    expect(await operator.store.process('poller:owned')).toBeNull();
    expect(await frames.all('poller:owned')).toEqual([]);
    expect(await operator.store.process('poller:unwatched')).toBeNull();
    expect(await operator.leases.all()).toHaveLength(2);
  });

  it('leave a dead owner’s poller to be run on when the living watch it', async () => {
    const dead = await bench.node('dead');
    await run(dead, 'poller:wanted');
    await watch(living, 'poller:wanted', 'wanted', 1);
    await bench.kill(dead);
    expect(await hunter().clean()).toMatchObject([{ kind: 'dead-owner', removed: true }]);
    expect(await operator.store.process('poller:wanted')).toMatchObject({ node: null, state: 'orphaned' });
  });

  it('are none while a step is under way: what is so in one look only is not told', async () => {
    const { grant } = await run(living, 'room:restarting', 'room');
    await living.leases.release(grant);
    let looks = 0;
    const changing = before(operator, 'processes', async () => {
      if (++looks === 2) await living.leases.acquire('room:restarting', LEASE_MS);
    });
    expect(await hunter(changing).find()).toEqual([]);
  });

  it('are none where everything is as it should be', async () => {
    await run(living, 'poller:x');
    await watch(living, 'poller:x', 'x', 1);
    expect(await hunter().find()).toEqual([]);
  });

  it('are left alone once somebody has taken them over, however late that is', async () => {
    const dead = await bench.node('dead');
    const { grant } = await run(dead, 'room:contested', 'room');
    await bench.kill(dead);
    // A survivor claims it between the last look and the removal.
    const late = before(operator, 'disown', async () => {
      const taken = await living.leases.acquire('room:contested', LEASE_MS);
      const fence = taken && (await living.leases.fence(taken));
      await living.store.claim('room:contested', living.node, fence ?? 0);
    });
    const cleaned = await hunter(late).clean();
    expect(cleaned).toMatchObject([{ kind: 'dead-owner', removed: false, outcome: 'it has another owner now' }]);
    expect(await operator.store.process('room:contested')).toMatchObject({ node: living.node, state: 'starting' });
    expect((await operator.leases.holders(['room:contested']))[0]?.value).not.toBe(grant.value);
  });

  it('with a lease of a node that may wake up are left until it has run out', async () => {
    // Its pulse is there, its heartbeats are not: it hangs.
    const hanging = await bench.node('hanging');
    await run(hanging, 'room:frozen', 'room');
    // Nobody is left who says how long a lease is, and to this one everybody is late.
    await living.store.bury(living.node);
    const commands = { stopUnlessHeld: () => Promise.resolve(true) };
    const impatient = new ZombieHunter(operator, commands, frames, { ...settings, leaseMs: -1 });
    const cleaned = (await impatient.clean()).filter(({ node }) => node === 'hanging');
    expect(cleaned).toMatchObject([{ kind: 'dead-owner', removed: false }]);
    expect(cleaned[0]?.outcome).toMatch(/^its owner may wake up; its lease ends in \d+ ms$/);
    expect((await operator.leases.holders(['room:frozen']))[0]?.node).toBe(hanging.node);
  });

  it('are ended by their owner alone when that lives', async () => {
    await run(living, 'poller:idle');
    await bench.unheldFor('poller:idle', PAST_LINGER);
    expect(await hunter().clean()).toMatchObject([
      { kind: 'unwatched-poller', removed: true, outcome: 'ended by its owner' },
    ]);
    expect(asked).toEqual(['poller:idle']);
    ends = false;
    expect(await hunter().clean()).toMatchObject([{ removed: false, outcome: 'it is watched again' }]);
    expect(await operator.store.process('poller:idle')).toMatchObject({ node: living.node, state: 'running' });
  });

  it('are none within the linger, and the time that a poller needs to see it', async () => {
    await run(living, 'poller:lingering');
    await bench.unheldFor('poller:lingering', LINGER_MS + LEASE_MS / 2);
    expect(await hunter().find()).toEqual([]);
  });

  it('that are leases of a living node are told, but left to it', async () => {
    await living.leases.acquire('room:leaked', LEASE_MS);
    const cleaned = await hunter().clean();
    expect(cleaned).toMatchObject([{ kind: 'orphan-lease', name: 'room:leaked', removed: false }]);
    expect(cleaned[0]?.evidence).toMatch(/^living, which lives, holds a lease/);
    expect(await operator.leases.all()).toHaveLength(1);
  });

  it('of other things than processes come from their own sources', async () => {
    const file: Zombie = { kind: 'orphan-file', name: 'a.csv', node: null, ageMs: 10, evidence: 'no export names it' };
    const files = [file];
    const source: ZombieSource = {
      find: () => Promise.resolve([...files]),
      clean: () => Promise.resolve({ removed: files.splice(0).length > 0, outcome: 'file removed' }),
    };
    expect(await hunter(operator, [source]).find()).toEqual([file]);
    expect(await hunter(operator, [source]).clean()).toEqual([{ ...file, removed: true, outcome: 'file removed' }]);
    expect(await hunter(operator, [source]).find()).toEqual([]);
  });
});

/** The same ports, on which something happens right before each call of one of the store's operations. */
function before(ports: ClusterPorts, operation: keyof StorePort, step: () => Promise<void>): ClusterPorts {
  const store = new Proxy(ports.store, {
    get(target, name) {
      const method = (Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>).bind(target);
      if (name !== operation) return method;
      return async (...args: unknown[]) => {
        await step();
        return method(...args);
      };
    },
  });
  const { node, leases, bus } = ports;
  return { node, leases, store, bus, close: () => ports.close() };
}
