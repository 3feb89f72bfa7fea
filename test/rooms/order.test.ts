import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { silent } from '../../src/kernel/log.js';
import { LocalRoom, type RoomViewer } from '../../src/rooms/local-room.js';
import type { RoomEvent } from '../../src/rooms/room-state.js';
import { MemoryRooms } from '../../src/rooms/store/memory.js';
import { gate, type Gate } from '../kernel/gate.js';
import { settle } from '../support/virtual-clock.js';
import { RoomBench, type RoomNode, type Window } from './room-bench.js';

describe('messages to a room', () => {
  it('take effect in the order in which each window sent them, however many send at once, also while their room moves', async () => {
    const plans = fc.record({
      windows: fc.integer({ min: 2, max: 6 }),
      /** Who sends next; -1: the node of the room is killed, -2: a moment passes. */
      sends: fc.array(fc.integer({ min: -2, max: 5 }), { minLength: 20, maxLength: 60 }),
    });
    await fc.assert(
      fc.asyncProperty(plans, async ({ windows, sends }) => {
        const bench = new RoomBench();
        const nodes = [await bench.node('a'), await bench.node('b'), await bench.node('c')];
        const live = () => nodes.filter(({ clock }) => !clock.paused);
        const all = await Promise.all(
          Array.from({ length: windows }, (_, i) => bench.enter(nodes[1 + (i % 2)] as RoomNode, 'r', `u${i}`)),
        );
        const sent: Promise<{ version: number } | null>[] = [];
        const inOrder = new Map(all.map((window) => [window, [] as (typeof sent)[number][]]));
        for (const [n, send] of sends.entries()) {
          const window = all[send];
          const owner = nodes.find(({ kernel }) => kernel.owned().some(({ name }) => name === 'room:r'));
          if (send === -2) await bench.cluster.time.advance(20);
          else if (send === -1) {
            // Only a node that nobody of these is on: they would be cut off, and that is another test's.
            if (owner === nodes[0] && live().length === 3) await bench.cluster.kill(owner as RoomNode);
            else if (owner) await bench.cluster.within(owner.kernel.move('room:r')).catch(() => undefined);
          } else if (window) {
            const answer = window.status(`${n}`).catch(() => null);
            sent.push(answer);
            inOrder.get(window)?.push(answer);
          }
        }
        const answers = await Promise.all(sent);
        await bench.cluster.time.advance(2_000);
        const reader = all[0] as Window;
        const events = new Map(reader.events.map((event) => [event.version, event]));
        const acknowledged = answers.flatMap((made) => made?.version ?? []);
        // Each acknowledged one is there, with a version of its own.
        expect(new Set(acknowledged).size).toBe(acknowledged.length);
        for (const version of acknowledged) {
          if (version > (reader.view?.version ?? 0)) expect(events.get(version)?.status).toBeDefined();
        }
        for (const window of all) {
          expect(window.isGapless).toBe(true);
          const its = reader.events.filter(({ by, status }) => by === window.user && status !== undefined);
          const numbers = its.map(({ status }) => Number(status));
          expect(numbers).toEqual([...numbers].sort((x, y) => x - y));
          expect(new Set(numbers).size).toBe(numbers.length);
          const versions = (await Promise.all(inOrder.get(window) ?? [])).flatMap((made) => made?.version ?? []);
          expect(versions).toEqual([...versions].sort((x, y) => x - y));
        }
        await bench.close();
      }),
      { numRuns: 40 },
    );
  }, 120_000);
});

class SlowRooms extends MemoryRooms {
  readonly reads: Gate[] = [];
  waits = false;

  override async after(room: string, version: number): Promise<RoomEvent[]> {
    const events = await super.after(room, version);
    if (!this.waits) return events;
    const one = gate();
    this.reads.push(one);
    await one.promise;
    return events;
  }
}

describe('a node’s windows on a room', () => {
  let store: SlowRooms;
  let local: LocalRoom;
  beforeEach(async () => {
    store = new SlowRooms();
    local = new LocalRoom('r', store, silent);
    await local.connect();
  });
  afterEach(() => local.close());

  const commit = (version: number) =>
    store.commit('r', 1, {
      head: { room: 'r', version, status: null, members: 1, at: 0 },
      state: '{}',
      events: [{ room: 'r', version, status: version, by: 'ada', at: 0 }],
      keepMs: null,
    });

  function window(id: string): RoomViewer & { readonly heard: number[] } {
    const heard: number[] = [];
    return { id, user: id, name: id, heard, tell: ({ version }) => void heard.push(version) };
  }

  it('one that comes in with less than what is just being read for others gets what is between', async () => {
    const [ada, bob] = [window('ada'), window('bob')];
    local.enter(ada, 0);
    await commit(1);
    local.admit('ada', 1);
    local.enter(bob, 0);
    await commit(2);
    await commit(3);
    store.waits = true;
    local.catchUp();
    await settle();
    // Its answer was made before 2 was written, and came only now; a read of what comes after 3 is under way.
    await commit(4);
    local.admit('bob', 1);
    store.waits = false;
    for (const read of store.reads) read.open();
    await settle();
    await commit(5);
    await settle();
    expect(ada.heard).toEqual([2, 3, 4, 5]);
    expect(bob.heard).toEqual([2, 3, 4, 5]);
  });

  it('one that joins again in vain is told on from what it had', async () => {
    const ada = window('ada');
    local.enter(ada, 0);
    await commit(1);
    local.admit('ada', 1);
    await commit(2);
    const before = local.enter(ada, 0);
    await commit(3);
    local.admit('ada', before ?? 0);
    await settle();
    await commit(4);
    expect(ada.heard).toEqual([2, 3, 4]);
  });
});
