import { afterEach, expect, test } from '@jest/globals';
import { newNodeId } from '../../../src/kernel/identity.js';
import { silent } from '../../../src/kernel/log.js';
import { MemoryCluster } from '../../../src/kernel/memory/cluster.js';
import { Gather } from '../../../src/ops/console/gather.js';
import { VirtualTime } from '../../support/virtual-clock.js';

const time = new VirtualTime();
const clock = time.clock();
let open: Gather[] = [];

afterEach(async () => {
  for (const gather of open) await gather.close();
  open = [];
});

async function nodes(...names: string[]) {
  const cluster = new MemoryCluster();
  const all = names.map((name) => {
    const ports = cluster.connect(newNodeId(name));
    return { ports, gather: new Gather(ports.bus, name, clock, silent) };
  });
  for (const { gather } of all) await gather.open();
  open = all.map(({ gather }) => gather);
  return all;
}

test('all nodes answer, each for itself, and nobody waits longer than for the last of them', async () => {
  const all = await nodes('a', 'b', 'c');
  all.forEach(({ gather }, i) => gather.offer('n', () => i));
  const before = clock.monotonic();
  const answers = await all[1]!.gather.ask<number>('n');
  expect(answers.sort((x, y) => x.answer - y.answer)).toEqual([
    { node: 'a', answer: 0 },
    { node: 'b', answer: 1 },
    { node: 'c', answer: 2 },
  ]);
  expect(clock.monotonic()).toBe(before);
});

test('a node that hangs costs its answer only', async () => {
  const [a, b] = await nodes('a', 'b');
  a!.gather.offer('n', () => 1);
  b!.gather.offer('n', () => {
    throw new Error('hangs');
  });
  const asked = a!.gather.ask<number>('n');
  await time.advance(500);
  expect(await asked).toEqual([{ node: 'a', answer: 1 }]);
});

test('a node that does not know the question says so', async () => {
  const [a] = await nodes('a', 'b');
  a!.gather.offer('n', () => 1);
  const answers = await a!.gather.ask<number | null>('n');
  expect(answers.find(({ node }) => node === 'b')).toEqual({ node: 'b', answer: null });
});

test('a cluster that does not answer is told', async () => {
  const [a] = await nodes('a', 'b');
  a!.ports.cut(true);
  await expect(a!.gather.ask('n')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
});
