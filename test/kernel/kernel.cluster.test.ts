import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newNodeId } from '../../src/kernel/identity.js';
import { silent } from '../../src/kernel/log.js';
import { openRedisCluster, type RedisPorts } from '../../src/kernel/redis/cluster.js';
import { eventually } from '../support/eventually.js';
import { startRedisCluster, type TestRedisCluster } from '../support/redis-cluster.js';

/** A Redis Cluster of two shards: every operation of the kernel must stay within one of them. */
describe('the kernel’s ports over a Redis Cluster', () => {
  let cluster: TestRedisCluster;
  let a: RedisPorts;
  let b: RedisPorts;

  beforeAll(async () => {
    cluster = await startRedisCluster();
    const { url } = cluster;
    const open = (name: string) =>
      openRedisCluster({ node: newNodeId(name), url, lockUrls: [], prefix: 'c', log: silent });
    [a, b] = [await open('a'), await open('b')];
  });
  afterAll(async () => {
    await a?.close();
    await b?.close();
    await cluster.stop();
  });

  it('grants, fences, renews and lists leases', async () => {
    const grant = await a.leases.acquire('x', 60_000);
    if (!grant) throw new Error('not granted');
    expect(await b.leases.acquire('x', 60_000)).toBeNull();
    expect(await a.leases.fence(grant)).toBeGreaterThan(0);
    const more = await a.leases.acquire('y', 60_000);
    expect(await a.leases.renewAll([grant, more as NonNullable<typeof more>], 60_000)).toHaveLength(2);
    expect((await b.leases.all()).map((holder) => holder.name).sort()).toEqual(['x', 'y']);
    expect(await b.leases.takeOver('x', grant.value, 60_000)).not.toBeNull();
  });

  it('keeps nodes, specs and holds', async () => {
    const record = { id: a.node, name: 'a', version: '1', startedAt: 0, state: 'live' as const, kinds: [], info: {} };
    expect((await a.store.announce(record, 60_000)).taken).toBeNull();
    await a.store.hold({ name: 'p', kind: 'k', args: 1 }, { node: a.node, ref: 'r', detail: '' });
    expect((await b.store.processes()).map(({ name }) => name)).toEqual(['p']);
    expect(await b.store.holds('p')).toHaveLength(1);
    expect(await b.store.bury(a.node)).toEqual(['p']);
  });

  it('carries messages between nodes and counts pulses from within a script', async () => {
    const heard: string[] = [];
    await b.bus.subscribe('c', (message) => heard.push(message));
    expect(await a.bus.publish('c', 'hello')).toBe(1);
    await eventually(() => heard.length, { what: 'the message' });
    await a.bus.holdPulse(a.node);
    expect(await b.bus.pulses([a.node, b.node])).toEqual([1, 0]);
    await b.bus.holdPulse(b.node);
    expect(await a.bus.pulses([b.node, a.node])).toEqual([1, 1]);
  });

  it('finds its way back after its connections were cut: messages, pulses, and the truth about both', async () => {
    const heard: string[] = [];
    await b.bus.subscribe('d', (message) => heard.push(message));
    await cluster.each((client) => client.call('CLIENT', 'KILL', 'TYPE', 'pubsub'));
    await eventually(async () => (await a.bus.publish('d', 'again')) > 0, { what: 'somebody to listen' });
    await eventually(() => heard.length > 0 && b.bus.up, { what: 'the message' });
    await eventually(async () => (await a.bus.pulses([a.node, b.node])).join() === '1,1', { what: 'both pulses' });
    await eventually(() => a.bus.pulseAgeMs() > 0, { what: 'the pulse to know that it stands' });
  });
});
