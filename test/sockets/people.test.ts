import { describe, expect, it } from '@jest/globals';
import { newNodeId } from '../../src/kernel/identity.js';
import { silent } from '../../src/kernel/log.js';
import { MemoryCluster } from '../../src/kernel/memory/cluster.js';
import { People } from '../../src/sockets/people.js';
import { eventually } from '../support/eventually.js';

function mailbox(): { emit: (event: string, payload: unknown) => boolean; got: [string, unknown][] } {
  const got: [string, unknown][] = [];
  return { got, emit: (event, payload) => got.push([event, payload]) > 0 };
}

async function twoNodes() {
  const cluster = new MemoryCluster();
  const ports = ['a', 'b'].map((name) => cluster.connect(newNodeId(name)));
  const [a, b] = ports.map((one) => new People(one.bus, silent));
  if (!a || !b || !ports[0]) throw new Error('two nodes');
  await Promise.all([a.open(), b.open()]);
  return { a, b, portsOfA: ports[0] };
}

describe('people', () => {
  it('are reached on every node, by all their sockets, and nobody else is', async () => {
    const { a, b } = await twoNodes();
    const [here, there, second, other] = [mailbox(), mailbox(), mailbox(), mailbox()];
    a.add('ada', here);
    b.add('ada', there);
    b.add('ada', second);
    b.add('bob', other);
    await a.tell('ada', 'export', { id: 1 });
    await eventually(() => second.got.length === 1);
    for (const box of [here, there, second]) expect(box.got).toEqual([['export', { id: 1 }]]);
    expect(other.got).toEqual([]);
    await b.tellAll('release', { version: '2' });
    await eventually(() => here.got.length === 2);
    expect(other.got).toEqual([['release', { version: '2' }]]);
  });

  it('who have left are not told any more', async () => {
    const { a } = await twoNodes();
    const [gone, still] = [mailbox(), mailbox()];
    a.add('ada', gone);
    a.add('ada', still);
    a.remove('ada', gone);
    await a.tell('ada', 'export', {});
    await eventually(() => still.got.length === 1);
    expect(gone.got).toEqual([]);
  });

  it('of this node are told while the cluster is away', async () => {
    const { a, portsOfA } = await twoNodes();
    const here = mailbox();
    a.add('ada', here);
    portsOfA.cut(true);
    await a.tell('ada', 'export', { id: 1 });
    expect(here.got).toEqual([['export', { id: 1 }]]);
  });
});
