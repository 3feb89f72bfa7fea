import { describe, expect, it } from '@jest/globals';
import { MemoryCluster } from '../../../src/kernel/memory/cluster.js';
import { leaseSuite } from './lease.suite.js';

leaseSuite('memory', async () => {
  const cluster = new MemoryCluster();
  return {
    port: async (node) => cluster.connect(node).leases,
    wipe: async () => cluster.wipe(),
    close: async () => undefined,
  };
});

describe('leases of a node that is cut off', () => {
  it('rejects with UNAVAILABLE and changes nothing', async () => {
    const cluster = new MemoryCluster();
    const [a, b] = [cluster.connect('a~1'), cluster.connect('b~1')];
    const grant = await a.leases.acquire('x', 60_000);
    if (!grant) throw new Error('not granted');
    a.cut(true);
    await expect(a.leases.release(grant)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect((await b.leases.holders(['x']))[0]?.value).toBe(grant.value);
    a.cut(false);
    expect(await a.leases.release(grant)).toBe(true);
  });
});
