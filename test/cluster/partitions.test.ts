import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startCluster, type TestCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import { complaints, processes } from './hub.js';
import { TestViewer } from './viewer.js';

const CHANNELS = 4;
const topic = (partitions: number): string => `/*
interval: 200ms
retain: 5m
partitions: ${partitions}
params:
  k: { type: int, default: 0 }
*/
SELECT :k AS k, (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS at FROM split_rows`;
let cluster: TestCluster;

beforeAll(async () => {
  cluster = await startCluster({
    nodes: 2,
    topics: { 'split.sql': topic(1) },
    schema: 'create table split_rows (n int); insert into split_rows values (1);',
    env: { LINGER_MS: '500' },
  });
}, 60_000);
afterAll(() => cluster.stop(), 60_000);

test('partitions of a topic change under viewers on all nodes: their channels go to the new pollers, and the old one ends', async () => {
  const [node] = cluster.nodes;
  if (!node) throw new Error('no node');
  const viewers = await Promise.all(
    cluster.nodes.flatMap(({ url }) =>
      Array.from({ length: CHANNELS }, (_, k) => TestViewer.watch(url, { topic: 'split', params: { k } })),
    ),
  );
  const pollers = async (): Promise<string[]> =>
    (await processes(node))
      .filter(({ kind, state }) => kind === 'poller' && state === 'running')
      .map(({ name }) => name);
  expect(await pollers()).toEqual(['poller:split']);
  await writeFile(join(cluster.topicsDir ?? '', 'split.sql'), topic(3));
  await eventually(
    async () => {
      const names = await pollers();
      return names.length > 0 && names.every((name) => name.startsWith('poller:split#'));
    },
    { what: 'the new pollers alone' },
  );
  await Promise.all(viewers.map((viewer) => viewer.more(3)));
  for (let k = 0; k < CHANNELS; k++) {
    const [one, two] = [viewers[k], viewers[k + CHANNELS]];
    // One sequence for both nodes again.
    await eventually(() => one?.last.epoch === two?.last.epoch, { what: `one epoch of channel ${k}` });
  }
  for (const viewer of viewers) {
    expect(viewer.violations).toEqual([]);
    expect(viewer.statuses).toEqual([]);
    const times = viewer.received.map(({ rows: [row] }) => Number(row?.at));
    expect(times).toEqual([...times].sort((a, b) => a - b));
    viewer.close();
  }
  await eventually(async () => (await pollers()).length === 0, { what: 'the pollers to end' });
  expect(cluster.nodes.flatMap(complaints)).toEqual([]);
});
