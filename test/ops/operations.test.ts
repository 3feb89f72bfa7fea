import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ClusterCommands } from '../../src/kernel/commands.js';
import type { ClusterPorts } from '../../src/kernel/ports/cluster.js';
import { Operations } from '../../src/ops/operations.js';
import { MemoryFrames } from '../../src/polling/frames/memory.js';
import { memoryBench, run, watch, type OpsBench } from './bench.js';

/** That each backend answers alike is the conformance suites' matter: these tables are computed from their answers alone. */
describe('an operator', () => {
  let bench: OpsBench;
  let operator: ClusterPorts;
  let asked: unknown[][];
  let frames: MemoryFrames;

  beforeEach(async () => {
    bench = memoryBench();
    operator = await bench.operator();
    asked = [];
    frames = new MemoryFrames();
  });
  afterEach(() => bench.close());

  function operations(): Operations {
    const note =
      <T>(answer: T) =>
      (...args: unknown[]): Promise<T> =>
        Promise.resolve((asked.push(args), answer));
    const commands: ClusterCommands = {
      stop: note(undefined),
      stopUnlessHeld: note(true),
      move: note('b~1'),
      cordon: note(undefined),
    };
    const settings = { leaseMs: 5_000, lingerMs: 5_000, confirmMs: 5 };
    return new Operations({ ports: operator, commands, frames, settings });
  }

  it('sees the nodes, with what they run and who watches there, and which of them is dead', async () => {
    const [a, b] = [await bench.node('a', { slots: 2 }), await bench.node('b')];
    await run(a, 'poller:x');
    await run(b, 'poller:y');
    await watch(a, 'poller:x', 'x?n=1', 3);
    await watch(b, 'poller:x', 'x?n=1', 1);
    await watch(a, 'poller:y', 'y', 4);
    await a.store.setNodeState(a.node, 'cordoned');
    await bench.kill(b);
    const common = { version: '1.2.3', startedAt: expect.any(Number) };
    expect(await operations().nodes()).toEqual([
      { ...common, name: 'a', state: 'cordoned', processes: 1, viewers: 7, slots: 2 },
      { ...common, name: 'b', state: 'dead', processes: 1, viewers: 0, slots: 0 },
    ]);
  });

  it('sees the processes, with the time left on their leases', async () => {
    const [a, b] = [await bench.node('a'), await bench.node('b')];
    const { record, grant } = await run(a, 'poller:x');
    await a.store.report('poller:x', record.fence, 'failed', 6, 'no such table');
    await run(b, 'poller:y');
    await bench.kill(b);
    await operator.store.register({ name: 'room:1', kind: 'room', args: null });
    const rows = await operations().processes();
    expect(rows).toEqual([
      {
        name: 'poller:x',
        kind: 'poller',
        node: 'a',
        fence: record.fence,
        state: 'failed',
        since: expect.any(Number),
        restarts: 6,
        leaseLeftMs: expect.any(Number),
        error: 'no such table',
      },
      expect.objectContaining({ name: 'poller:y', node: 'b', state: 'orphaned' }),
      expect.objectContaining({ name: 'room:1', node: null, state: 'orphaned', leaseLeftMs: null, error: null }),
    ]);
    await a.leases.release(grant);
    expect((await operations().processes())[0]).toMatchObject({ state: 'failed', leaseLeftMs: null });
  });

  it('sees the channels that are watched, over all nodes, with what was published', async () => {
    const [a, b] = [await bench.node('a'), await bench.node('b')];
    await watch(a, 'poller:x', 'x?n=2', 3);
    await watch(b, 'poller:x', 'x?n=2', 2);
    await watch(a, 'poller:x', 'x?n=1', 1);
    await frames.open('poller:x', 1);
    const changed = [{ channel: 'x?n=2', rows: '[]', hash: 'h' }];
    const statuses = [{ channel: 'x?n=2', state: 'stale' as const, since: 10 }];
    await frames.publish('poller:x', 1, { polledAt: 10, changed, statuses }, { retainMs: 0 });
    await frames.publish('poller:x', 1, { polledAt: 20, changed: [], statuses: [] }, { retainMs: 0 });
    expect(await operations().viewers()).toEqual([
      { channel: 'x?n=1', viewers: 1, nodes: { a: 1 }, seq: null, changedAt: null, polledAt: null, state: null },
      { channel: 'x?n=2', viewers: 5, nodes: { a: 3, b: 2 }, seq: 1, changedAt: 10, polledAt: 20, state: 'stale' },
    ]);
    await bench.kill(b);
    expect((await operations().viewers())[1]).toMatchObject({ viewers: 3, nodes: { a: 3 } });
  });

  it('may name nodes and processes as people do', async () => {
    const b = await bench.node('b');
    await run(b, 'poller:x');
    expect(await operations().move('poller:x', 'b')).toBe('b');
    await operations().cordon('b', true);
    await operations().stop('poller:x');
    expect(asked).toEqual([['poller:x', b.node], [b.node, true], ['poller:x']]);
  });

  it('is told the nearest name for one that does not exist', async () => {
    const a = await bench.node('node-a');
    await run(a, 'poller:sales.by_region');
    await expect(operations().stop('poller:sale.by_region')).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: 'there is no process `poller:sale.by_region`: did you mean `poller:sales.by_region`?',
    });
    await expect(operations().move('poller:sales.by_region', 'node-b')).rejects.toThrow('did you mean `node-a`?');
    await expect(operations().cordon('elsewhere', true)).rejects.toThrow(
      'there is no node `elsewhere`; there are node-a',
    );
    expect(asked).toEqual([]);
  });

  it('cannot ask anything of a dead node', async () => {
    const a = await bench.node('a');
    await bench.kill(a);
    await expect(operations().cordon('a', false)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});
