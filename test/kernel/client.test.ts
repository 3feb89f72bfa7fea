import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { KernelClient } from '../../src/kernel/client.js';
import { newNodeId } from '../../src/kernel/identity.js';
import { Kernel } from '../../src/kernel/kernel.js';
import { silent } from '../../src/kernel/log.js';
import { MemoryCluster } from '../../src/kernel/memory/cluster.js';
import type { ClusterPorts } from '../../src/kernel/ports/cluster.js';
import { eventually } from '../support/eventually.js';
import { startRedis, type TestRedis } from '../support/redis.js';
import { RedisBench } from './ports/redis-bench.js';

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

function memory(): { connect(node: string): Promise<ClusterPorts>; close(): Promise<void> } {
  const cluster = new MemoryCluster();
  return { connect: (node) => Promise.resolve(cluster.connect(node)), close: () => Promise.resolve() };
}

describe.each([
  ['memory', memory],
  ['Redis', () => new RedisBench(redis)],
] as const)('a client of the kernels in %s', (_name, open) => {
  let bench: { connect(node: string): Promise<ClusterPorts>; close(): Promise<void> };
  let kernels: Kernel[];
  let client: KernelClient;

  beforeEach(async () => {
    bench = open();
    kernels = [];
    client = await KernelClient.open(await bench.connect(newNodeId('operator')), silent);
  });
  afterEach(async () => {
    await client.close();
    for (const kernel of kernels) await kernel.close();
    await bench.close();
  });

  async function start(name: string): Promise<Kernel> {
    const kernel = new Kernel({
      ports: await bench.connect(newNodeId(name)),
      version: '1',
      log: silent,
      leaseMs: 2_000,
    });
    kernel.define({ kind: 'room', start: () => ({ handle: () => kernel.name }) });
    await kernel.start();
    kernels.push(kernel);
    return kernel;
  }

  const room = { name: 'room:1', kind: 'room', args: null };

  it('ends a process by asking its owner', async () => {
    const kernel = await start('a');
    await kernel.ensure(room);
    await client.stop('room:1');
    expect(kernel.owned()).toEqual([]);
    expect(await kernel.processes()).toEqual([]);
  });

  it('ends one with no node alive, and leaves no lease', async () => {
    const ports = await bench.connect(newNodeId('dead'));
    await ports.store.register(room);
    const grant = await ports.leases.acquire('room:1', 60_000);
    await ports.store.claim('room:1', ports.node, (grant && (await ports.leases.fence(grant))) ?? 0);
    await client.stop('room:1');
    expect(await ports.store.processes()).toEqual([]);
    expect(await ports.leases.all()).toEqual([]);
  });

  it('has an owner end what nobody holds, and only that', async () => {
    const kernel = await start('a');
    await kernel.hold(room, 'somebody');
    expect(await client.stopUnlessHeld('room:1')).toBe(false);
    expect(await kernel.call('room:1', 'who?')).toBe('a');
    await kernel.unhold('room:1', 'somebody');
    expect(await client.stopUnlessHeld('room:1')).toBe(true);
    expect(kernel.owned()).toEqual([]);
  });

  it('moves a process to another node', async () => {
    const [a, b] = [await start('a'), await start('b')];
    await a.ensure(room);
    expect(await client.move('room:1', b.id)).toBe(b.id);
    expect(await a.call('room:1', 'who?')).toBe('b');
    expect(await client.move('room:1')).toBe(a.id);
  });

  it('says so when nobody can take it', async () => {
    const a = await start('a');
    await a.ensure(room);
    await expect(client.move('room:1')).rejects.toThrow('no other node can take room:1');
    expect(await a.call('room:1', 'who?')).toBe('a');
  });

  it('cordons a node, which then takes nothing, and takes that back', async () => {
    const [a, b] = [await start('a'), await start('b')];
    await client.cordon('a');
    await eventually(() => a.state === 'cordoned', { what: 'a to know that it is cordoned' });
    await a.ensure(room);
    expect(await a.call('room:1', 'who?')).toBe('b');
    await client.cordon('a', false);
    await eventually(() => b.nodes().every((node) => node.state === 'live'), { what: 'b to know that a takes work' });
  });

  it('refuses what does not exist', async () => {
    await start('a');
    await expect(client.stop('room:2')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(client.move('room:2')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(client.cordon('c')).rejects.toThrow('there is no node c; there are a');
  });

  it('is not among the nodes, and is not missed when it has gone', async () => {
    const a = await start('a');
    const gone: string[] = [];
    a.on('node:down', ({ node }) => gone.push(node));
    const other = await KernelClient.open(await bench.connect(newNodeId('other')), silent);
    expect(a.nodes().map(({ name }) => name)).toEqual(['a']);
    await other.close();
    await client.cordon('a');
    expect(gone).toEqual([]);
  });
});
