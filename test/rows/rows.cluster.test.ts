import { afterEach, describe, expect, it } from '@jest/globals';
import { complaints, processes } from '../cluster/hub.js';
import { startCluster, type TestCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { countersOf, rowsHub } from './fixtures/program.js';

let cluster: TestCluster | undefined;
afterEach(async () => {
  await cluster?.stop();
  cluster = undefined;
});

const ask = <Row extends Record<string, unknown>>({ postgres, database }: TestCluster, text: string) =>
  postgres.query<Row>(text, [], database.name);

/** Waits until nothing is left to count, and looks that each row went 3 → 2 → 1 → 0 and nothing else. */
async function allCounted(of: TestCluster, rows: number): Promise<void> {
  await eventually(async () => (await ask(of, 'select from counters where value > 0')).length === 0, {
    what: 'all rows at 0',
    deadlineMs: 120_000,
    everyMs: 100,
  });
  const wrong = await ask(
    of,
    `select id, array_agg(before || '>' || after order by n) as steps from changes group by id
     having array_agg(before || '>' || after order by n) <> array['3>2', '2>1', '1>0']`,
  );
  expect(wrong).toEqual([]);
  expect(await ask(of, 'select count(distinct id)::int as rows, count(*)::int as steps from changes')).toEqual([
    { rows, steps: rows * 3 },
  ]);
}

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
    await allCounted(cluster, 1_000);
    await eventually(
      async () => (await processes(cluster!.nodes[0]!)).every(({ kind }) => kind !== 'rows:countdown#'),
      { what: 'slices without rows to end', deadlineMs: 60_000 },
    );
    expect(cluster.nodes.flatMap(complaints)).toEqual([]);
  });
});
