import { afterEach, describe, expect, it } from '@jest/globals';
import { fold, type RoomEvent } from '../../src/rooms/room-state.js';
import { RoomBench } from './room-bench.js';

/** Fails of `patch.boom`, as often as told, and of somebody called Mallory. */
function buggy(times = Infinity): { fold: typeof fold; tried: RoomEvent[] } {
  const tried: RoomEvent[] = [];
  return {
    tried,
    fold: (before, event) => {
      const isBad = event.patch?.['boom'] !== undefined || event.joins?.some(({ user }) => user === 'mallory');
      if (isBad && tried.push(event) <= times) throw new TypeError('a bug');
      return fold(before, event);
    },
  };
}

let bench: RoomBench;
afterEach(() => bench.close());

describe('a change that crashes its room', () => {
  it('is refused after the second try, and reported; nobody else notices', async () => {
    const bug = buggy();
    bench = new RoomBench({ fold: bug.fold });
    const [a, b] = [await bench.node('a'), await bench.node('b')];
    const ada = await bench.enter(a, 'r', 'ada');
    const bob = await bench.enter(b, 'r', 'bob');
    const elsewhere = await bench.enter(a, 'other', 'cy');
    await ada.change({ kept: 1 });
    const before = bob.version;

    const bad = ada.change({ boom: true });
    // Under way while the room is down.
    const meanwhile = bob.status('still here');
    await expect(bad).rejects.toMatchObject({ code: 'BAD_REQUEST', message: expect.stringContaining('reported') });
    expect(await meanwhile).toEqual({ version: before + 1 });
    expect(bug.tried).toHaveLength(2);
    expect(bench.crashes(a)).toEqual(['room:r']);
    expect(bench.refused).toBe(1);
    expect(bench.errors.filter(({ text }) => text === 'a change crashes its room: refused')).toHaveLength(1);

    await bob.change({ after: 2 });
    await bench.cluster.time.until(() => ada.version === bob.version);
    const late = await bench.enter(b, 'r', 'dee');
    expect(late.view).toMatchObject({ state: { kept: 1, after: 2 }, status: 'still here' });
    expect(bob.isGapless && ada.isGapless).toBe(true);
    // It restarted, and nobody left for that.
    expect(bob.comings).toEqual(['+dee']);
    expect(elsewhere.events).toEqual([]);
  });

  it('is made when it works the second time, once', async () => {
    bench = new RoomBench({ fold: buggy(1).fold });
    const node = await bench.node('a');
    const ada = await bench.enter(node, 'r', 'ada');
    const { version } = await ada.change({ boom: 'once' });
    await bench.cluster.time.until(() => ada.version === version);
    expect(ada.events.map(({ patch }) => patch)).toEqual([{ boom: 'once' }]);
    expect(bench.crashes(node)).toEqual(['room:r']);
    expect(bench.refused).toBe(0);
  });

  it('does not end the room however many there are', async () => {
    bench = new RoomBench({ fold: buggy().fold });
    const node = await bench.node('a');
    const ada = await bench.enter(node, 'r', 'ada');
    for (let n = 0; n < 20; n++) {
      await expect(ada.change({ boom: n })).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    }
    expect(bench.crashes(node).length).toBeLessThanOrEqual(3);
    expect(await ada.change({ fine: true })).toEqual({ version: ada.version });
  });

  it('may be somebody who comes in: they are refused, and those inside stay', async () => {
    bench = new RoomBench({ fold: buggy().fold });
    const node = await bench.node('a');
    const ada = await bench.enter(node, 'r', 'ada');
    await expect(bench.enter(node, 'r', 'mallory')).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    await bench.cluster.time.advance(10_000);
    expect(await ada.change({ fine: true })).toEqual({ version: ada.version });
    expect(ada.comings).toEqual([]);
    expect(
      node.events.filter(({ name, event }) => name === 'process:crashed' && 'failed' in event && event.failed),
    ).toEqual([]);
  });
});
