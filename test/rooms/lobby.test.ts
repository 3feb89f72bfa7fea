import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { silent } from '../../src/kernel/log.js';
import { Lobby, type LobbyListener } from '../../src/rooms/lobby.js';
import type { RoomHead } from '../../src/rooms/store/store.js';
import { KEEP_MS, LINGER_MS, RoomBench, type RoomNode } from './room-bench.js';

/** Somebody who looks from outside, and puts together what they are told. */
class Onlooker implements LobbyListener {
  readonly heads = new Map<string, RoomHead>();
  batches = 0;

  all(heads: readonly RoomHead[]): void {
    this.heads.clear();
    this.changed(heads);
  }

  changed(heads: readonly RoomHead[]): void {
    this.batches += 1;
    for (const head of heads) this.heads.set(head.room, head);
  }

  /** `room: status (members)`, in the order of the alphabet. */
  get seen(): string[] {
    return [...this.heads.values()]
      .map(({ room, status, members }) => `${room}: ${JSON.stringify(status)} (${members})`)
      .sort();
  }
}

describe('the lobby', () => {
  let bench: RoomBench;
  let node: RoomNode;
  let lobby: Lobby;
  beforeEach(async () => {
    bench = new RoomBench();
    node = await bench.node('a');
    lobby = new Lobby(bench.store, bench.cluster.time.clock(), silent);
  });
  afterEach(async () => {
    lobby.close();
    await bench.close();
  });

  it('sees every room as it is, and as it changes, without the rooms knowing', async () => {
    const ada = await bench.enter(node, 'one', 'ada');
    const onlooker = new Onlooker();
    await lobby.watch(onlooker);
    expect(onlooker.seen).toEqual(['one: null (1)']);
    await ada.status('calm');
    const bob = await bench.enter(node, 'two', 'bob');
    await bob.status('busy');
    await bench.cluster.time.advance(300);
    expect(onlooker.seen).toEqual(['one: "calm" (1)', 'two: "busy" (1)']);
    await bob.leave();
    await bench.cluster.time.advance(300);
    expect(onlooker.seen).toEqual(['one: "calm" (1)', 'two: "busy" (0)']);
    await bench.cluster.time.advance(KEEP_MS + LINGER_MS + 20_000);
    expect(onlooker.seen).toEqual(['one: "calm" (1)']);
  });

  it('tells of many changes in a moment once', async () => {
    const onlooker = new Onlooker();
    await lobby.watch(onlooker);
    const ada = await bench.enter(node, 'one', 'ada');
    await bench.cluster.time.advance(1_000);
    const before = onlooker.batches;
    await Promise.all(Array.from({ length: 30 }, (_, n) => ada.status(`${n}`)));
    await bench.cluster.time.advance(250);
    expect(onlooker.batches - before).toBeLessThanOrEqual(2);
    expect(onlooker.seen).toEqual(['one: "29" (1)']);
  });

  it('listens once for all who look, and not at all when nobody does', async () => {
    let followers = 0;
    const { store } = bench;
    const follow = store.follow.bind(store);
    store.follow = async (handle) => {
      followers += 1;
      const stop = await follow(handle);
      return () => {
        followers -= 1;
        return stop();
      };
    };
    const [first, second] = [new Onlooker(), new Onlooker()];
    const leave = await Promise.all([lobby.watch(first), lobby.watch(second)]);
    expect(followers).toBe(1);
    leave[0]();
    await bench.enter(node, 'one', 'ada');
    await bench.cluster.time.advance(300);
    expect(followers).toBe(2);
    expect([first.seen, second.seen]).toEqual([[], ['one: null (1)']]);
    leave[1]();
    await bench.cluster.time.advance(300);
    expect(followers).toBe(1);
  });

  it('refuses when the rooms cannot be had, and works for the next who looks', async () => {
    const heads = bench.store.heads.bind(bench.store);
    bench.store.heads = () => Promise.reject(new Error('away'));
    await expect(lobby.watch(new Onlooker())).rejects.toThrow('away');
    bench.store.heads = heads;
    const onlooker = new Onlooker();
    await lobby.watch(onlooker);
    expect(onlooker.batches).toBe(1);
  });
});
