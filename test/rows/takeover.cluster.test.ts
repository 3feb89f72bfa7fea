import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { complaints, nodeNamed, others, processes } from '../cluster/hub.js';
import { startCluster, type TestCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import type { TestNode } from '../support/node.js';
import { allAtZero, ask, countersOf, expectSteps } from './counters.js';
import { rowsHub } from './fixtures/program.js';

jest.setTimeout(180_000);

let cluster: TestCluster | undefined;
afterEach(async () => {
  await cluster?.stop();
  cluster = undefined;
});

const ROWS = 600;
const FROM = 30;

/** Three nodes that share the slices, with rows that have taken some of their steps. */
async function underWay(): Promise<TestCluster> {
  const started = await startCluster({
    program: rowsHub,
    topics: {},
    nodes: 3,
    env: { LEASE_MS: '3000' },
    schema: countersOf(ROWS, 0),
  });
  cluster = started;
  // All at once, when every node is there to take its share.
  const quietly = `alter table counters disable trigger note; update counters set value = ${FROM}; alter table counters enable trigger note`;
  await ask(started, quietly);
  await eventually(async () => (await owners(started)).size === 3, { what: 'slices on all nodes', deadlineMs: 60_000 });
  await steps(started, ROWS * 2);
  return started;
}

async function owners({ nodes }: TestCluster): Promise<Map<string, number>> {
  const alive = nodes.find((node) => node.alive())!;
  const counts = new Map<string, number>();
  for (const { kind, node } of await processes(alive)) {
    if (kind === 'rows:countdown#' && node !== null) counts.set(node, (counts.get(node) ?? 0) + 1);
  }
  return counts;
}

/** The node with the most slices that is not the monitor's: then both kinds of process are there to be missed. */
async function busiest(of: TestCluster): Promise<TestNode> {
  const [most] = [...(await owners(of))].sort(([, a], [, b]) => b - a);
  return nodeNamed(of.nodes, most![0]);
}

const steps = (of: TestCluster, at: number) =>
  eventually(async () => (await ask<{ n: number }>(of, 'select count(*)::int as n from changes'))[0]!.n >= at, {
    what: `${at} steps`,
    deadlineMs: 60_000,
  });

describe('rows under way', () => {
  it('take exactly their steps when a node is killed', async () => {
    const of = await underWay();
    const victim = await busiest(of);
    await victim.kill('SIGKILL');
    await allAtZero(of);
    await expectSteps(of, ROWS, FROM);
    expect(others(of.nodes, victim.name).flatMap(complaints)).toEqual([]);
  });

  it('take exactly their steps when nodes are stopped in order, one after the other', async () => {
    const of = await underWay();
    await (await busiest(of)).stop();
    await steps(of, ROWS * 6);
    const left = of.nodes.filter((node) => node.alive());
    await left[0]!.stop();
    await allAtZero(of);
    await expectSteps(of, ROWS, FROM);
    expect(left.flatMap(complaints)).toEqual([]);
  });

  it('take exactly their steps when a node hangs until others have taken over, and then goes on', async () => {
    const of = await underWay();
    const victim = await busiest(of);
    victim.freeze();
    try {
      const alive = others(of.nodes, victim.name);
      await eventually(
        async () =>
          (await processes(alive[0]!)).every(({ kind, node }) => kind !== 'rows:countdown#' || node !== victim.name),
        { what: 'its slices to be taken over', deadlineMs: 60_000 },
      );
    } finally {
      victim.thaw();
    }
    await allAtZero(of);
    await expectSteps(of, ROWS, FROM);
  });

  it('take exactly their steps when the database is away for 10 s', async () => {
    const of = await underWay();
    await of.postgres.down();
    // The outage itself: nothing is waited for by it.
    await sleep(10_000);
    expect(of.nodes.every((node) => node.alive())).toBe(true);
    await of.postgres.up();
    await allAtZero(of);
    await expectSteps(of, ROWS, FROM);
    expect(of.nodes.flatMap(complaints)).toEqual([]);
  });
});
