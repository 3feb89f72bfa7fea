import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { RoomEvent } from '../../../src/rooms/room-state.js';
import type { FeedEntry, RoomHead, RoomStore } from '../../../src/rooms/store/store.js';
import { eventually } from '../../support/eventually.js';

export interface StoreBench {
  /** Another one on the same data, as another node has it; in memory the same. */
  another(): Promise<RoomStore>;
  /** Lets so much time pass. */
  pass(ms: number): Promise<void>;
  close(): Promise<void>;
}

const event = (room: string, version: number): RoomEvent => ({
  room,
  version,
  status: `s${version}`,
  by: 'ada',
  at: version,
});

/** What holds wherever rooms are kept. */
export function storeSuite(where: string, open: () => Promise<StoreBench>): void {
  describe(`the store of rooms ${where}`, () => {
    let bench: StoreBench;
    let store: RoomStore;
    let other: RoomStore;
    beforeEach(async () => {
      bench = await open();
      [store, other] = [await bench.another(), await bench.another()];
    });
    afterEach(() => bench.close());

    function commit(room: string, fence: number, versions: readonly number[], keepMs: number | null = null) {
      const version = versions.at(-1) ?? 0;
      const head: RoomHead = { room, version, status: `s${version}`, members: keepMs === null ? 1 : 0, at: version };
      const events = versions.map((one) => event(room, one));
      return store.commit(room, fence, { head, state: `state ${version}`, events, keepMs });
    }

    const recent = async (room: string, before = Number.MAX_SAFE_INTEGER, limit = 100) =>
      (await other.recent(room, before, limit)).map(({ version }) => version);
    const fed = async () =>
      (await other.feed(1_600)).map(({ event: { room, version } }) => `${room} ${version}`).sort();

    it('gives back what was committed: state, head, events, on every node', async () => {
      expect(await store.open('a', 1)).toEqual({ saved: null });
      expect(await commit('a', 1, [1, 2])).toBe(true);
      expect(await commit('a', 1, [3])).toBe(true);
      expect(await other.open('a', 1)).toEqual({ saved: 'state 3' });
      expect(await other.after('a', 1)).toEqual([event('a', 2), event('a', 3)]);
      expect(await recent('a', 3)).toEqual([1, 2]);
      expect(await recent('a', 3, 1)).toEqual([2]);
      expect(await recent('a', 0)).toEqual([]);
      expect(await other.versions(['nobody', 'a'])).toEqual([null, 3]);
      expect(await other.heads()).toEqual([{ room: 'a', version: 3, status: 's3', members: 1, at: 3 }]);
    });

    it('takes nothing from a lower fence, and tells nobody of it', async () => {
      const heard: RoomEvent[] = [];
      const unsubscribe = await other.subscribe('a', (events) => heard.push(...events));
      await commit('a', 1, [1]);
      expect(await store.open('a', 5)).toEqual({ saved: 'state 1' });
      expect(await commit('a', 4, [2])).toBe(false);
      expect(await store.open('a', 4)).toBe('refused');
      expect(await commit('a', 5, [2])).toBe(true);
      await eventually(() => heard.length === 2);
      expect(heard).toEqual([event('a', 1), event('a', 2)]);
      expect(await recent('a')).toEqual([1, 2]);
      expect(await fed()).toEqual(['a 1', 'a 2']);
      await unsubscribe();
    });

    it('takes one that is repeated once', async () => {
      for (let tries = 0; tries < 3; tries++) expect(await commit('a', 1, [1, 2])).toBe(true);
      expect(await commit('a', 1, [1])).toBe(true);
      expect(await recent('a')).toEqual([1, 2]);
      expect(await fed()).toEqual(['a 1', 'a 2']);
      expect(await store.open('a', 1)).toEqual({ saved: 'state 2' });
    });

    it('keeps no more at hand than was said, and the newest', async () => {
      for (let first = 1; first < 800; first += 100) {
        await commit(
          'a',
          1,
          Array.from({ length: 100 }, (_, i) => first + i),
        );
      }
      const versions = await recent('a', Number.MAX_SAFE_INTEGER, 1_000);
      expect(versions.length).toBeGreaterThanOrEqual(256);
      expect(versions.length).toBeLessThan(500);
      expect(versions.at(-1)).toBe(800);
      expect(versions.every((version, i) => i === 0 || version === (versions[i - 1] ?? 0) + 1)).toBe(true);
    });

    it('forgets an empty room after its time, unless somebody has come back; heads, events and all', async () => {
      await commit('gone', 1, [1], 300);
      await commit('back', 1, [1], 300);
      await commit('back', 1, [2]);
      expect((await store.heads()).map(({ room }) => room).sort()).toEqual(['back', 'gone']);
      await bench.pass(500);
      expect((await store.heads()).map(({ room }) => room)).toEqual(['back']);
      expect(await recent('gone')).toEqual([]);
      expect(await store.versions(['gone', 'back'])).toEqual([null, 2]);
      expect(await store.open('gone', 2)).toEqual({ saved: null });
      expect(await store.open('back', 2)).toEqual({ saved: 'state 2' });
    });

    it('tells those who listen to a room of it alone, and followers of all', async () => {
      const [a, heads]: [number[], string[]] = [[], []];
      const stops = [
        await other.subscribe('a', (events) => a.push(...events.map(({ version }) => version))),
        await other.follow(({ room, version }) => void heads.push(`${room} ${version}`)),
      ];
      await commit('a', 1, [1, 2]);
      await commit('b', 1, [7]);
      await commit('a', 1, [3]);
      await eventually(() => a.length === 3 && heads.length === 3);
      expect(a).toEqual([1, 2, 3]);
      expect(heads.filter((head) => head.startsWith('a'))).toEqual(['a 2', 'a 3']);
      expect(heads).toContain('b 7');
      for (const stop of stops) await stop();
      await commit('a', 1, [4]);
      expect(a).toHaveLength(3);
      expect(heads).toHaveLength(3);
    });

    it('feeds what was not confirmed, each room in order, until it is; what comes meanwhile stays', async () => {
      const rooms = Array.from({ length: 40 }, (_, i) => `room-${i}`);
      for (const room of rooms) await commit(room, 1, [1, 2]);
      await commit('room-7', 1, [3]);
      const entries = await other.feed(1_600);
      await commit('room-7', 1, [4]);
      await commit('late', 1, [1]);
      expect(entries).toHaveLength(81);
      for (const room of rooms) {
        const versions = entries.flatMap((entry) => (entry.event.room === room ? [entry.event.version] : []));
        expect(versions).toEqual(room === 'room-7' ? [1, 2, 3] : [1, 2]);
      }
      await other.confirm(entries);
      expect(await fed()).toEqual(['late 1', 'room-7 4']);
      await other.confirm(entries);
      expect(await fed()).toEqual(['late 1', 'room-7 4']);
    });

    it('is read to its end in pieces, nothing missing and nothing twice', async () => {
      for (let version = 1; version <= 30; version++)
        for (const room of ['a', 'b', 'c']) await commit(room, 1, [version]);
      const all: string[] = [];
      for (let piece: FeedEntry[] = await store.feed(16); piece.length > 0; piece = await store.feed(16)) {
        all.push(...piece.map(({ event: { room, version } }) => `${room} ${version}`));
        await store.confirm(piece);
      }
      expect(all).toHaveLength(90);
      expect(new Set(all).size).toBe(90);
    });
  });
}
