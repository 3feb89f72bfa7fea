import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { complaints, processes } from '../cluster/hub.js';
import { startCluster, type TestCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { allAtZero, countersOf, expectSteps } from './counters.js';
import { rowsHub } from './fixtures/program.js';

jest.setTimeout(180_000);

let cluster: TestCluster | undefined;
afterEach(async () => {
  await cluster?.stop();
  cluster = undefined;
});

describe('row workers', () => {
  it('take each row from 3 to 0 in exactly three steps, spread over the nodes', async () => {
    cluster = await startCluster({ program: rowsHub, topics: {}, schema: countersOf(1_000), nodes: 3 });
    await eventually(
      async () => {
        const slices = (await processes(cluster!.nodes[0]!)).filter(({ kind }) => kind === 'rows:countdown#');
        return slices.length > 8 && new Set(slices.map(({ node }) => node)).size === 3;
      },
      { what: 'slices on all nodes', deadlineMs: 60_000 },
    );
    await allAtZero(cluster);
    await expectSteps(cluster, 1_000);
    await eventually(
      async () => (await processes(cluster!.nodes[0]!)).every(({ kind }) => kind !== 'rows:countdown#'),
      { what: 'slices without rows to end', deadlineMs: 60_000 },
    );
    expect(cluster.nodes.flatMap(complaints)).toEqual([]);
  });
});
