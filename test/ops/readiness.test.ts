import { describe, expect, it } from '@jest/globals';
import { newNodeId } from '../../src/kernel/identity.js';
import { silent } from '../../src/kernel/log.js';
import { MemoryCluster } from '../../src/kernel/memory/cluster.js';
import { canaryCheck, clusterCheck, Readiness, type HealthCheck } from '../../src/ops/readiness.js';

function readiness(checks: HealthCheck[], leaving = (): boolean => false): Readiness {
  return new Readiness(checks, leaving, silent, 20);
}

describe('a node', () => {
  it('is ready when all that it needs answers', async () => {
    const ports = new MemoryCluster().connect(newNodeId('a'));
    expect(await readiness([clusterCheck(ports), canaryCheck(ports)]).reasons()).toEqual([]);
  });

  it('is not while its cluster is away, and is again afterwards', async () => {
    const ports = new MemoryCluster().connect(newNodeId('a'));
    const checked = readiness([clusterCheck(ports), canaryCheck(ports)]);
    ports.cut(true);
    expect(await checked.reasons()).toEqual([
      'cluster: the cluster does not answer',
      'canary: the cluster does not answer',
    ]);
    ports.cut(false);
    expect(await checked.reasons()).toEqual([]);
  });

  it('is not when messages vanish although everything answers', async () => {
    const ports = new MemoryCluster().connect(newNodeId('a'));
    const bus = Object.assign(Object.create(ports.bus) as typeof ports.bus, {
      subscribe: () => Promise.resolve(() => Promise.resolve()),
      publish: () => Promise.resolve(),
    });
    const checked = readiness([canaryCheck({ ...ports, node: ports.node, bus, close: () => ports.close() })]);
    expect(await checked.reasons()).toEqual(['canary: no answer within 20 ms']);
  });

  it('is not when an answer takes too long', async () => {
    expect(await readiness([{ name: 'database', run: () => new Promise(() => undefined) }]).reasons()).toEqual([
      'database: no answer within 20 ms',
    ]);
  });

  it('is not when it began to leave while it was looking', async () => {
    let leaving = false;
    const run = (): Promise<void> => Promise.resolve(void (leaving = true));
    expect(await readiness([{ name: 'cluster', run }], () => leaving).reasons()).toEqual(['draining']);
  });

  it('looks once for all who ask at the same time', async () => {
    let looks = 0;
    const checked = readiness([{ name: 'cluster', run: () => Promise.resolve(void looks++) }]);
    await Promise.all([checked.reasons(), checked.reasons(), checked.reasons()]);
    expect(looks).toBe(1);
    await checked.reasons();
    expect(looks).toBe(2);
  });
});
