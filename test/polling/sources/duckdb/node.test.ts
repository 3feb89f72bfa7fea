import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { runCli } from '../../../../src/ops/cli/program.js';
import { startNode, type TestNode } from '../../../support/node.js';
import { topicsFolder } from '../../../support/project.js';

let lake: string;
let topics: string;
let node: TestNode | undefined;
beforeAll(async () => {
  lake = await mkdtemp(join(tmpdir(), 'pollcast-lake-'));
  await writeFile(join(lake, 'orders.csv'), 'region,total\nEU,10.5\nEU,2\nUS,4\n');
  topics = await topicsFolder({
    'by_region.sql': `/*
interval: 200ms
params:
  region: { type: text, default: all }
key: [region]
*/
select region, sum(total) as revenue
from orders
where :region = 'all' or region = :region
group by region
order by region`,
  });
});
afterAll(async () => {
  await node?.stop();
  for (const folder of [lake, topics]) await rm(folder, { recursive: true, force: true });
});

async function check(): Promise<{ code: number; out: string }> {
  let out = '';
  const code = await runCli(['topics', 'check'], {
    env: { DATABASE_URL: `duckdb:${lake}`, TOPICS_DIR: topics },
    out: (text) => void (out += text),
    error: (text) => void (out += text),
    colour: false,
    signal: new AbortController().signal,
    interruptible: () => undefined,
  });
  return { code, out };
}

test('a node serves topics over files, and leaves in order', async () => {
  node = await startNode({ env: { DATABASE_URL: `duckdb:${lake}`, TOPICS_DIR: topics } });
  const ask = async (query: string): Promise<unknown> =>
    (await fetch(`${node!.url}/api/topics/by_region${query}`)).json();
  expect(await ask('')).toMatchObject({
    rows: [
      { region: 'EU', revenue: 12.5 },
      { region: 'US', revenue: 4 },
    ],
  });
  expect(await ask('?region=US')).toMatchObject({ rows: [{ region: 'US', revenue: 4 }] });
  await node.stop();
}, 120_000);

test('`topics check` has DuckDB prepare each statement, and tells faults with their place', async () => {
  expect(await check()).toEqual({ code: 0, out: expect.stringContaining('Errors: 0. Warnings: 0.') });
  await writeFile(join(topics, 'wrong.sql'), 'select region,\n  nosuch\nfrom orders');
  expect(await check()).toEqual({
    code: 1,
    out: expect.stringMatching(/^wrong\.sql:2:3: error: Binder Error: Referenced column "nosuch" not found/),
  });
}, 60_000);
