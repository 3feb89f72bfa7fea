import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { RoomHistory } from '../../../src/rooms/history/history.js';
import type { RoomEvent } from '../../../src/rooms/room-state.js';

export const event = (room: string, version: number, at = version): RoomEvent => ({
  room,
  version,
  status: `s${version}`,
  by: 'ada',
  at,
});

/** What holds wherever the past lies. `open` opens an empty one. */
export function historySuite(where: string, open: () => Promise<RoomHistory>): void {
  describe(`the history of rooms ${where}`, () => {
    let history: RoomHistory;
    beforeEach(async () => {
      history = await open();
    });
    afterEach(() => history.close());

    const versions = async (room: string, before = Number.MAX_SAFE_INTEGER, limit = 100): Promise<number[]> =>
      (await history.page(room, before, limit)).map(({ version }) => version);

    it('gives back what was appended, oldest first, page by page', async () => {
      await history.append([1, 2, 3, 4, 5].map((version) => event('a', version)));
      await history.append([event('b', 1)]);
      expect(await history.page('a', Number.MAX_SAFE_INTEGER, 2)).toEqual([event('a', 4), event('a', 5)]);
      expect(await versions('a', 4, 2)).toEqual([2, 3]);
      expect(await versions('a', 2)).toEqual([1]);
      expect(await versions('a', 1)).toEqual([]);
      expect(await versions('a', 0)).toEqual([]);
      expect(await versions('b')).toEqual([1]);
      expect(await versions('nobody')).toEqual([]);
    });

    it('keeps what follows a text that no database keeps', async () => {
      const odd = { ...event('a', 1), by: `a${String.fromCharCode(0)}b${String.fromCharCode(0xd800)}` };
      await history.append([odd, event('a', 2)]);
      expect(await versions('a')).toEqual([1, 2]);
    });

    it('takes the same twice as once', async () => {
      await history.append([event('a', 1), event('a', 2)]);
      await history.append([event('a', 1), event('a', 2), event('a', 3)]);
      expect(await versions('a')).toEqual([1, 2, 3]);
    });

    it('forgets what is too old, and what is too much', async () => {
      await history.append([1, 2, 3, 4, 5, 6].map((version) => event('a', version, version * 1_000)));
      await history.append([event('b', 1, 6_000)]);
      await history.prune({ maxAgeMs: 4_000, maxEvents: 1_000 }, 7_000);
      expect(await versions('a')).toEqual([3, 4, 5, 6]);
      await history.prune({ maxAgeMs: 1_000_000, maxEvents: 2 }, 7_000);
      expect(await versions('a')).toEqual([5, 6]);
      expect(await versions('b')).toEqual([1]);
    });
  });
}
