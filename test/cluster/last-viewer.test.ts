import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startCluster, type TestCluster } from '../support/cluster.js';
import { eventually } from '../support/eventually.js';
import type { TestNode } from '../support/node.js';
import { clock, get, Lookout, nodeNamed, oneRow, others } from './hub.js';
import { TestViewer } from './viewer.js';

const INTERVAL_MS = 200;
const LINGER_MS = 600;
const RACES = 200;
const LANES = 4;
let cluster: TestCluster;
let lookout: Lookout;
/** Watches another topic all the while: its frames are the time that passes. */
let pacer: TestViewer;

const leaving = ['clean', 'cut', 'killed', 'joined'];

beforeAll(async () => {
  const names = [...leaving, 'pace', ...Array.from({ length: LANES }, (_, lane) => `race${lane}`)];
  cluster = await startCluster({
    topics: Object.fromEntries(names.map((name) => [`${name}.sql`, clock(`watched_${name}`, `${INTERVAL_MS}ms`, '')])),
    schema: names.map((name) => oneRow(`watched_${name}`)).join('\n'),
    env: { LINGER_MS: String(LINGER_MS) },
  });
  lookout = new Lookout(cluster);
  pacer = await TestViewer.watch(url(0), { topic: 'pace' });
}, 60_000);

afterAll(async () => {
  pacer.close();
  await lookout.close();
  await cluster.stop();
}, 60_000);

function url(i: number): string {
  return node(i).url;
}

function node(i: number): TestNode {
  const found = cluster.nodes.filter((one) => one.alive())[i];
  if (!found) throw new Error(`no living node ${i}`);
  return found;
}

const queries = (topic: string) => cluster.postgres.queryCount(`watched_${topic}`, cluster.database.name);

/** Polls that happen after `leave`, until the poller is gone and then for as long again. */
async function pollsAfter(topic: string, leave: () => Promise<unknown>): Promise<number> {
  const before = await queries(topic);
  await leave();
  await eventually(async () => !(await lookout.names()).includes(`poller:${topic}`), {
    what: `the end of poller:${topic}`,
  });
  const ended = await queries(topic);
  await pacer.more(5);
  expect(await queries(topic)).toBe(ended);
  return ended - before;
}

/** Linger and one interval, and what it takes to notice: in polls, which a slow machine makes fewer, not more. */
const most = (noticeMs: number) => Math.ceil((LINGER_MS + INTERVAL_MS + noticeMs) / INTERVAL_MS) + 1;

test('a clean leave: no SQL after the linger and one interval', async () => {
  const viewer = await TestViewer.watch(url(0), { topic: 'clean' });
  await viewer.more(2);
  expect(await pollsAfter('clean', () => viewer.unsubscribe())).toBeLessThanOrEqual(most(500));
  viewer.close();
});

test('a connection that dies without a word: the same', async () => {
  const viewer = await TestViewer.watch(url(1), { topic: 'cut' });
  await viewer.more(2);
  expect(await pollsAfter('cut', async () => viewer.cut())).toBeLessThanOrEqual(most(500));
  viewer.close();
});

test('the node of the last viewer is killed: the same, whoever polls', async () => {
  const victim = node(2);
  const viewer = await TestViewer.watch(victim.url, { topic: 'killed' });
  await viewer.more(2);
  const polls = await pollsAfter('killed', async () => {
    await victim.kill('SIGKILL');
    viewer.close();
  });
  expect(polls).toBeLessThanOrEqual(most(1_500));
  await cluster.add({ NODE_NAME: `again-${cluster.prefix}` });
});

test('a join within the linger restarts nothing: the same owner, the same epoch, no poll extra', async () => {
  const viewer = await TestViewer.watch(url(0), { topic: 'joined' });
  await viewer.more(2);
  const owner = await lookout.owner('poller:joined');
  viewer.close();
  // The leave is known before anybody comes back.
  await eventually(async () => {
    const rows = await get<{ channel: string }[]>(`${url(1)}/api/viewers`);
    return rows.every(({ channel }) => channel !== 'joined');
  });
  const next = await TestViewer.watch(url(1), { topic: 'joined' });
  expect(await lookout.owner('poller:joined')).toEqual(owner);
  expect(next.last.epoch).toBe(viewer.last.epoch);
  expect(next.last.seq).toBeGreaterThanOrEqual(viewer.last.seq);
  await next.more(1);
  expect(next.violations).toEqual([]);
  next.close();
});

test(`${RACES} races of leave against join: every viewer gets its frames, and no poller is left`, async () => {
  const lanes = Array.from({ length: LANES }, async (_, lane) => {
    const topic = `race${lane}`;
    for (let round = 0; round < RACES / LANES; round++) {
      const [here, there] = round % 2 === 0 ? [0, 1] : [1, 2];
      const leaver = await TestViewer.watch(url(here), { topic });
      // Close to the end of the poller that the leave begins, a little earlier or later each time.
      const joinAfter = round % 5 === 0 ? LINGER_MS - 20 + (round % 7) * 8 : round % 4;
      if (round % 3 === 0) leaver.cut();
      else void leaver.unsubscribe().finally(() => leaver.close());
      await new Promise((wake) => setTimeout(wake, joinAfter));
      const joiner = await TestViewer.watch(url(there), { topic });
      await joiner.more(1, `a frame for the joiner of round ${round} on ${topic}`);
      expect(joiner.violations).toEqual([]);
      joiner.close();
    }
  });
  await Promise.all(lanes);

  await eventually(
    async () => (await lookout.names()).filter((name) => name.startsWith('poller:')).join() === 'poller:pace',
    {
      what: 'the end of all raced pollers',
    },
  );
  const ended = await queries('race');
  await pacer.more(5);
  expect(await queries('race')).toBe(ended);
  const holds = await lookout.client.keys(`*${cluster.prefix}*:holds:*`);
  expect(holds).toEqual([expect.stringContaining('poller:pace')]);
  const pace = await lookout.owner('poller:pace');
  expect([...others(cluster.nodes, ''), nodeNamed(cluster.nodes, pace?.node ?? '')].every((one) => one.alive())).toBe(
    true,
  );
}, 120_000);
