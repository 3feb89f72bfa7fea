import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { call } from '../../cluster/viewer.js';
import { processes } from '../../cluster/hub.js';
import { startCluster, type TestCluster } from '../../support/cluster.js';
import { eventually } from '../../support/eventually.js';
import { Visitor } from '../visitor.js';

let cluster: TestCluster;
const visitors: Visitor[] = [];

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2, topics: { 'clock.sql': 'SELECT 1 AS n' }, env: { LINGER_MS: '500' } });
}, 60_000);

afterAll(async () => {
  for (const visitor of visitors) visitor.close();
  await cluster.stop();
}, 60_000);

interface Event {
  version: number;
  patch?: { n?: number };
}

async function history(visitor: Visitor, before?: number, limit = 200): Promise<Event[]> {
  const answer = await call(visitor.socket, 'room:history', { room: visitor.room, before, limit });
  if (!answer.ok) throw new Error(answer.error.message);
  return answer['events'] as Event[];
}

const written = async (room: string): Promise<number[]> => {
  const rows = await cluster.postgres.query<{ version: string }>(
    'select version from pollcast.room_history where room = $1 order by version',
    [room],
    cluster.database.name,
  );
  return rows.map(({ version }) => Number(version));
};

const isContiguous = (versions: readonly number[]): boolean =>
  versions.every((version, i) => i === 0 || version === (versions[i - 1] ?? 0) + 1);

test('what happened is read by page, in the order in which all saw it, also beyond what is at hand', async () => {
  // Three, since one alone may not change so much so fast; more than is kept at hand.
  const [ada, bea, cat] = await Promise.all(
    ['Ada', 'Bea', 'Cat'].map((name) => Visitor.enter(cluster.nodes[0]?.url ?? '', 'past-1', name)),
  );
  if (!ada || !bea || !cat) throw new Error('three visitors');
  visitors.push(ada, bea, cat);
  let version = 0;
  for (let n = 0; n < 285; n++) {
    const visitor = [ada, bea, cat][n % 3] as Visitor;
    const answer = await visitor.change({ n }, Math.max(version, visitor.view.version));
    expect(answer).toMatchObject({ ok: true });
    version = visitor.acknowledged;
  }
  const events = await ada.past();
  expect(events.flatMap(({ patch }) => patch?.n ?? [])).toEqual(Array.from({ length: 285 }, (_, n) => n));
  expect(isContiguous(events.map(({ version }) => version))).toBe(true);
  await eventually(async () => (await written('past-1')).length === events.length, { what: 'all of it to be written' });
}, 60_000);

test('while nothing can write it, rooms go on; afterwards nothing is missing, and nothing there twice', async () => {
  const bob = await Visitor.enter(cluster.nodes[1]?.url ?? '', 'past-2', 'Bob');
  visitors.push(bob);
  expect(await bob.change({ n: -1 })).toMatchObject({ ok: true });
  await eventually(async () => (await written('past-2')).length > 0);
  await cluster.postgres.down();
  for (let n = 0; n < 20; n++) expect(await bob.change({ n })).toMatchObject({ ok: true });
  expect((await history(bob)).flatMap(({ patch }) => patch?.n ?? [])).toHaveLength(21);
  await cluster.postgres.up();
  await eventually(async () => (await written('past-2')).at(-1) === bob.acknowledged, {
    what: 'what happened meanwhile to be written',
    deadlineMs: 30_000,
  });
  expect(isContiguous(await written('past-2'))).toBe(true);

  const owner = (await processes(cluster.nodes[0] as never)).find(({ name }) => name === 'room-history')?.node;
  const killed = cluster.nodes.find(({ name }) => name === owner);
  await killed?.kill('SIGKILL');
  await eventually(() => bob.socket.connected || killed?.name !== cluster.nodes[1]?.name, { deadlineMs: 20_000 });
  const survivor = cluster.nodes.find((node) => node.alive());
  const eve = await Visitor.enter(survivor?.url ?? '', 'past-2', 'Eve');
  visitors.push(eve);
  for (let n = 100; n < 120; n++) expect(await eve.change({ n })).toMatchObject({ ok: true });
  await eventually(async () => ((await written('past-2')).at(-1) ?? 0) >= eve.acknowledged, {
    what: 'the successor of the writer to write',
    deadlineMs: 30_000,
  });
  const versions = await written('past-2');
  expect(isContiguous(versions)).toBe(true);
  expect(new Set(versions).size).toBe(versions.length);
}, 90_000);

test('only those who are in a room read its past', async () => {
  const survivor = cluster.nodes.find((node) => node.alive());
  const cy = await Visitor.enter(survivor?.url ?? '', 'past-3', 'Cy');
  visitors.push(cy);
  expect(await call(cy.socket, 'room:history', { room: 'past-1' })).toMatchObject({
    ok: false,
    error: { code: 'NOT_SUBSCRIBED' },
  });
  expect(await call(cy.socket, 'room:history', { room: 'past-3', limit: 201 })).toMatchObject({
    ok: false,
    error: { code: 'BAD_REQUEST' },
  });
  const heads = (await (await fetch(`${survivor?.url}/api/rooms`)).json()) as { room: string; members: number }[];
  expect(heads.find(({ room }) => room === 'past-3')).toMatchObject({ members: 1 });
});
