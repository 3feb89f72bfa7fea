import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ProcessKind } from '../../src/kernel/kind.js';
import { LEASE_MS, VirtualCluster } from './virtual-cluster.js';

const spec = (name: string) => ({ name, kind: 'few', args: null });

describe('a kind that asks for room', () => {
  let cluster: VirtualCluster;
  beforeEach(() => void (cluster = new VirtualCluster()));
  afterEach(() => cluster.close());

  /** One process of the kind at a time on each node. */
  const few = (more: Partial<ProcessKind> = {}): ProcessKind => ({
    ...cluster.counter('few'),
    admit: (_name, running) => running < 1,
    ...more,
  });

  it('goes to a node that has some; one that nobody admits is started when there is room again', async () => {
    const a = await cluster.node('a', [few()]);
    await cluster.node('b', [few()]);
    await cluster.within(a.kernel.ensure(spec('x')));
    await cluster.within(a.kernel.ensure(spec('y')));
    expect(cluster.only('x').node).not.toBe(cluster.only('y').node);
    const third = a.kernel.ensure(spec('z')).catch((error: unknown) => error);
    await cluster.time.advance(LEASE_MS * 3);
    expect(await third).toMatchObject({ code: 'UNAVAILABLE' });
    expect(cluster.running('z')).toHaveLength(0);
    await cluster.within(a.kernel.stop('x'));
    await cluster.time.advance(LEASE_MS * 2);
    expect(cluster.running('z')).toHaveLength(1);
  });

  it('is made ready on its next node while it still runs here, and goes there', async () => {
    const steps: string[] = [];
    const ready = (node: string, answer: boolean): Partial<ProcessKind> => ({
      prepare: async ({ name }) => {
        steps.push(`${node} prepares, ${cluster.running(name).length} running`);
        return answer;
      },
    });
    const a = await cluster.node('a', [few(ready('a', true))]);
    await cluster.within(a.kernel.ensure(spec('x')));
    await cluster.node('b', [few(ready('b', false))]);
    const c = await cluster.node('c', [few(ready('c', true))]);
    await cluster.time.advance(LEASE_MS);
    await cluster.within(a.kernel.close());
    expect(steps).toContain('c prepares, 1 running');
    expect(cluster.only('x')).toMatchObject({ node: c.id, origin: 'handover' });
  });
});
