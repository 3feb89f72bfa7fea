import { describe, expect, it } from '@jest/globals';
import type { Chain } from '../../src/rows/chain.js';
import { SLOT_MS, Wheel, type Sleeper } from '../../src/rows/wheel.js';
import { VirtualTime } from '../support/virtual-clock.js';

class Item implements Sleeper<Item> {
  prev: Item | null = null;
  next: Item | null = null;
  chain: Chain<Item> | null = null;
  tick = 0;

  constructor(readonly name: string) {}
}

function made() {
  const time = new VirtualTime();
  const woke: [string, number][] = [];
  let turns = 0;
  const wheel: Wheel<Item> = new Wheel<Item>(time.clock(), {
    due: (item) => woke.push([item.name, time.elapsed]),
    ticked: () => (turns += 1),
  });
  return { time, wheel, woke, turns: () => turns };
}

describe('a timer wheel', () => {
  it('wakes each in the first slot at or after its time, and all of a slot together', async () => {
    const { time, wheel, woke, turns } = made();
    for (const ms of [1, 19, 20, 21, 100, 40]) wheel.add(new Item(String(ms)), ms);
    await time.advance(200);
    expect(woke).toEqual([
      ['1', 20],
      ['19', 20],
      ['20', 20],
      ['21', 40],
      ['40', 40],
      ['100', 100],
    ]);
    expect([turns(), wheel.size, time.pending]).toEqual([3, 0, 0]);
  });

  it('keeps those of later turns in their slots', async () => {
    const { time, wheel, woke } = made();
    const turn = 512 * SLOT_MS;
    for (const ms of [60, turn + 60, 3 * turn + 60]) wheel.add(new Item(String(ms)), ms);
    await time.advance(4 * turn);
    expect(woke).toEqual([60, turn + 60, 3 * turn + 60].map((ms) => [String(ms), ms]));
  });

  it('wakes what is past in the next slot, and everybody once when it was held up for longer than a turn', async () => {
    const time = new VirtualTime();
    const clock = time.clock();
    const woke: string[] = [];
    const wheel = new Wheel<Item>(clock, { due: ({ name }) => woke.push(name), ticked: () => undefined });
    for (const ms of [40, 5_000, 10_200, 30_000]) wheel.add(new Item(String(ms)), ms);
    clock.paused = true;
    await time.advance(25_000);
    clock.paused = false;
    wheel.add(new Item('late'), 1_000);
    await time.advance(SLOT_MS);
    expect(woke.sort()).toEqual(['10200', '40', '5000', 'late']);
    await time.advance(10_000);
    expect(woke).toContain('30000');
  });

  it('lets one that wakes sleep again, and takes out those that do not want to wake', async () => {
    const time = new VirtualTime();
    const woke: number[] = [];
    const wheel: Wheel<Item> = new Wheel<Item>(time.clock(), {
      due: (item) => {
        woke.push(time.elapsed);
        if (woke.length < 3) wheel.add(item, time.elapsed + 100);
      },
      ticked: () => undefined,
    });
    const never = new Item('never');
    wheel.add(new Item('again'), 100);
    wheel.add(never, 100);
    expect([wheel.remove(never), wheel.remove(never)]).toEqual([true, false]);
    await time.advance(1_000);
    expect(woke).toEqual([100, 200, 300]);
    expect(never.chain).toBeNull();
  });

  it('has one timer for 10,000 sleepers, and none when it is empty or closed', async () => {
    const { time, wheel, woke } = made();
    const items = Array.from({ length: 10_000 }, (_, i) => new Item(String(i)));
    items.forEach((item, i) => wheel.add(item, 20 + (i % 1_000)));
    expect(time.pending).toBe(1);
    await time.advance(1_100);
    expect([woke.length, time.pending]).toEqual([10_000, 0]);
    wheel.add(new Item('one'), 5_000);
    wheel.close();
    expect(time.pending).toBe(0);
  });
});
