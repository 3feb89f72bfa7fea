import { afterEach, expect, it } from '@jest/globals';
import { migrate } from '../../src/rooms/migrations.js';
import { NOTHING, SCHEMA } from '../../src/rooms/room-state.js';
import { RoomBench } from './room-bench.js';

let bench: RoomBench | null = null;
afterEach(async () => {
  await bench?.close();
  bench = null;
});

const FIRST = { schema: 1, version: 7, state: { a: 1 }, status: 'calm', members: ['ada'] };

/** A room as another release has left it. */
async function leftBy(saved: { version: number }): Promise<RoomBench> {
  const made = (bench = new RoomBench());
  const state = JSON.stringify(saved);
  const head = { room: 'r', version: saved.version, status: null, members: 0, at: 0 };
  await made.store.commit('r', 0, { head, state, events: [], keepMs: null });
  return made;
}

it('takes each older shape to the present one', () => {
  expect(migrate(JSON.stringify(FIRST))).toEqual({
    schema: SCHEMA,
    version: 7,
    patched: 7,
    state: { a: 1 },
    status: 'calm',
    members: [{ user: 'ada', name: 'ada', since: 0 }],
  });
  const present = { ...NOTHING, version: 9 };
  expect(migrate(JSON.stringify(present))).toEqual(present);
});

it('a room that an older release has saved goes on with all it had', async () => {
  const made = await leftBy(FIRST);
  const ada = await made.enter(await made.node('a'), 'r', 'ada');
  expect(ada.view).toMatchObject({ state: { a: 1 }, status: 'calm', members: [{ user: 'ada', name: 'ada' }] });
  expect(await ada.change({ b: 2 }, 7)).toEqual({ version: ada.version });
  const { saved } = (await made.store.open('r', Number.MAX_SAFE_INTEGER)) as { saved: string };
  expect(JSON.parse(saved)).toMatchObject({ schema: SCHEMA, state: { a: 1, b: 2 } });
});

it('a room that a newer release has saved is not touched', async () => {
  const newer = { ...NOTHING, schema: SCHEMA + 1, version: 3, mood: 'what this release does not know' };
  const made = await leftBy(newer);
  const node = await made.node('a');
  await expect(made.enter(node, 'r', 'ada')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  expect(await made.store.open('r', Number.MAX_SAFE_INTEGER)).toEqual({ saved: JSON.stringify(newer) });
});
