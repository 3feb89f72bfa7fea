import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Findings, FrameStore, Round } from '../../../src/polling/frames/frames.js';
import { eventually } from '../../support/eventually.js';

export interface FrameBench {
  /** A store as another node of the same cluster has it. */
  store(): Promise<FrameStore>;
  /** Forgets everything, as an outage with loss of data does. */
  wipe(): Promise<void>;
  close(): Promise<void>;
}

const P = 'poller:sales.by_region';
const KEEP = { retainMs: 60_000 };
const NOTHING = { retainMs: 0 };

export function found(changed: Record<string, string>, polledAt = Date.now()): Findings {
  return {
    polledAt,
    changed: Object.entries(changed).map(([channel, rows]) => ({ channel, rows, hash: `h${rows}` })),
    statuses: [],
  };
}

/** What every `FrameStore` must do, whatever it keeps its frames in. */
export function framesSuite(name: string, open: () => Promise<FrameBench>): void {
  describe(`frames in ${name}`, () => {
    let bench: FrameBench;
    let store: FrameStore;
    beforeEach(async () => {
      bench = await open();
      store = await bench.store();
      await store.open(P, 10);
    });
    afterEach(() => bench.close());

    const publish = (changed: Record<string, string>, fence = 10, options = NOTHING) =>
      store.publish(P, fence, found(changed), options);

    it('raises seq by one for each frame of a channel, within one epoch', async () => {
      const [first] = (await publish({ a: '[1]' })) ?? [];
      expect(first?.seq).toBe(1);
      const more = await publish({ a: '[2]', b: '[1]' });
      expect(more?.[0]).toEqual({ epoch: first?.epoch, seq: 2 });
      expect(more?.[1]?.seq).toBe(1);
      expect((await publish({ a: '[3]' }))?.[0]).toEqual({ epoch: first?.epoch, seq: 3 });
    });

    it('goes on with the seq under a later fence', async () => {
      const [first] = (await publish({ a: '[1]' })) ?? [];
      await store.open(P, 11);
      expect(await publish({ a: '[2]' }, 11)).toEqual([{ epoch: first?.epoch, seq: 2 }]);
    });

    it('begins an epoch above a position that somebody has seen, unless it has gone on further itself', async () => {
      const [first] = (await publish({ a: '[1]' }, 10, KEEP)) ?? [];
      const epoch = first?.epoch ?? 0;
      const seen = (above: { epoch: number; seq: number }, rows: string) => {
        const { changed, ...rest } = found({ a: rows });
        return store.publish(P, 10, { ...rest, changed: changed.map((one) => ({ ...one, above })) }, KEEP);
      };
      // What it stands at, or less: the frame is known, and told again.
      expect(await seen({ epoch, seq: 1 }, '[1]')).toEqual([first]);
      expect(await seen({ epoch: epoch - 5, seq: 99 }, '[2]')).toEqual([{ epoch, seq: 2 }]);
      const [ahead] = (await seen({ epoch, seq: 3 }, '[2]')) ?? [];
      expect([ahead?.seq, (ahead?.epoch ?? 0) > epoch]).toEqual([1, true]);
      const far = { epoch: (ahead?.epoch ?? 0) + 5_000_000, seq: 7 };
      expect(await seen(far, '[2]')).toEqual([{ epoch: far.epoch + 1, seq: 1 }]);
      expect(await publish({ a: '[3]', b: '[1]' })).toEqual([
        { epoch: far.epoch + 1, seq: 2 },
        { epoch: far.epoch + 2, seq: 1 },
      ]);
    });

    it('keeps the position of what is published again because its answer was lost', async () => {
      const first = await publish({ a: '[1]' }, 10, KEEP);
      expect(await publish({ a: '[1]' }, 10, KEEP)).toEqual(first);
      expect(await store.history(P, 'a', 0, Number.MAX_SAFE_INTEGER, 10)).toHaveLength(1);
    });

    it('gives a channel that was forgotten and comes again a larger epoch', async () => {
      const [before] = (await publish({ a: '[1]', b: '[1]' })) ?? [];
      await store.forget(P, 10, ['a']);
      expect(await store.newest(P, 'a')).toBeNull();
      const [again] = (await publish({ a: '[1]' })) ?? [];
      expect(again?.seq).toBe(1);
      expect(again?.epoch).toBeGreaterThan(before?.epoch ?? Infinity);
    });

    it('gives a larger epoch after its data were lost', async () => {
      const [before] = (await publish({ a: '[1]' })) ?? [];
      await bench.wipe();
      expect(await publish({ a: '[2]' })).toBeNull();
      expect(await store.open(P, 10)).toBe(true);
      await eventually(async () => Date.now() > (before?.epoch ?? 0), { what: 'the next ms', everyMs: 1 });
      const [after] = (await publish({ a: '[2]' })) ?? [];
      expect(after?.epoch).toBeGreaterThan(before?.epoch ?? Infinity);
    });

    it('refuses everything under a lower fence than one that was opened', async () => {
      await publish({ a: '[1]' });
      expect(await store.open(P, 12)).toBe(true);
      expect(await publish({ a: '[late]' })).toBeNull();
      expect(await store.forget(P, 10, ['a'])).toBe(false);
      await store.drop(P, 10);
      expect(await store.open(P, 11)).toBe(false);
      expect(await store.newest(P, 'a')).toMatchObject({ rows: '[1]', seq: 1 });
    });

    it('still refuses it after the poller ended', async () => {
      await store.open(P, 12);
      await publish({ a: '[1]' }, 12);
      await store.drop(P, 12);
      expect(await store.all(P)).toEqual([]);
      expect(await store.open(P, 10)).toBe(false);
      expect(await publish({ a: '[late]' })).toBeNull();
      expect(await store.open(P, 13)).toBe(true);
    });

    it('tells a refused publish to nobody', async () => {
      const heard: Round[] = [];
      await store.subscribe(P, (round) => heard.push(round));
      await store.open(P, 12);
      await publish({ a: '[late]' });
      await publish({ a: '[good]' }, 12);
      await eventually(() => heard.length > 0);
      expect(heard.map(({ fence }) => fence)).toEqual([12]);
    });

    it('tells all nodes a round in one message, whatever text is in it', async () => {
      const other = await bench.store();
      const heard: Round[] = [];
      await other.subscribe(P, (round) => heard.push(round));
      const rows = '[{"name":"Zoë 🚀 :\\n3:x,","n":12345678901234567890.5}]';
      const statuses = [{ channel: 'ü=2', state: 'failed', reason: 'QUERY_FAILED', since: 5 }] as const;
      const [position] =
        (await store.publish(P, 10, { ...found({ 'ü=1': rows, b: '[]' }, 77), statuses }, NOTHING)) ?? [];
      await eventually(() => heard.length > 0);
      expect(heard).toHaveLength(1);
      expect(heard[0]).toMatchObject({ fence: 10, polledAt: 77, statuses });
      expect(heard[0]?.frames[0]).toMatchObject({ ...position, channel: 'ü=1', rows, polledAt: 77 });
      expect(heard[0]?.frames[1]).toMatchObject({ channel: 'b', rows: '[]', seq: 1 });
    });

    it('sends an empty sign of life', async () => {
      const heard: Round[] = [];
      await store.subscribe(P, (round) => heard.push(round));
      expect(await store.publish(P, 10, found({}, 5), NOTHING)).toEqual([]);
      await eventually(() => heard.length > 0);
      expect(heard[0]).toMatchObject({ polledAt: 5, frames: [], statuses: [] });
    });

    it('is heard by nobody who has unsubscribed, and not by listeners to other pollers', async () => {
      const heard: string[] = [];
      const stop = await store.subscribe(P, () => heard.push('left'));
      await store.subscribe('poller:other', () => heard.push('other'));
      await stop();
      await store.subscribe(P, () => heard.push('here'));
      await publish({ a: '[1]' });
      await eventually(() => heard.length > 0);
      expect(heard).toEqual(['here']);
    });

    it('publishes 2,500 channels and as many statuses at once', async () => {
      const heard: Round[] = [];
      await store.subscribe(P, (round) => heard.push(round));
      const names = Array.from({ length: 2_500 }, (_, i) => `c?i=${i}`);
      const statuses = names.map((channel) => ({ channel, state: 'live', since: 1 }) as const);
      const findings = { ...found(Object.fromEntries(names.map((name) => [name, `["${name}"]`]))), statuses };
      const positions = await store.publish(P, 10, findings, NOTHING);
      expect(positions).toHaveLength(2_500);
      expect(new Set(positions?.map(({ seq }) => seq))).toEqual(new Set([1]));
      await eventually(() => heard.flatMap((round) => round.statuses).length === 2_500);
      expect(heard.flatMap((round) => round.frames).map(({ channel }) => channel)).toEqual(names);
      expect((await store.all(P)).length).toBe(2_500);
      expect(await store.newest(P, 'c?i=2400')).toMatchObject({ rows: '["c?i=2400"]' });
    });

    it('keeps hash and mark with the newest frame, whatever text the mark is', async () => {
      for (const mark of ['2026-01-01 10:00:00+00', '', 'a b\nc', '=%20', 'ü🚀', undefined]) {
        const changed = [
          {
            channel: 'a',
            rows: `["${String(mark)}"]`.replace('\n', ' '),
            hash: `h${String(mark)}`.replace(/\s/g, '_'),
            mark,
          },
        ];
        await store.publish(P, 10, { polledAt: 1, changed, statuses: [] }, NOTHING);
        expect(await store.newest(P, 'a')).toMatchObject({ hash: changed[0]?.hash });
        expect((await store.newest(P, 'a'))?.mark).toBe(mark);
      }
    });

    it('tells heads with when a channel changed, was polled last, and how it fares', async () => {
      const statuses = [{ channel: 'a', state: 'failed', since: 1 }] as const;
      await store.publish(P, 10, { ...found({ a: '[1]', b: '[1]' }, 100), statuses }, NOTHING);
      await store.publish(P, 10, found({ b: '[2]' }, 300), NOTHING);
      const heads = await store.heads(P);
      expect(heads.get('a')).toMatchObject({ seq: 1, changedAt: 100, polledAt: 300, state: 'failed' });
      expect(heads.get('b')).toMatchObject({ seq: 2, changedAt: 300, polledAt: 300, state: 'live' });
    });

    it('keeps frames for history and resume as long as told', async () => {
      const now = Date.now();
      const seqs = (frames: readonly { seq: number }[] | null) => frames?.map(({ seq }) => seq);
      for (let i = 1; i <= 150; i++) await store.publish(P, 10, found({ a: `[${i}]` }, now), KEEP);
      const epoch = (await store.newest(P, 'a'))?.epoch ?? 0;
      expect(seqs(await store.history(P, 'a', 0, Number.MAX_SAFE_INTEGER, 3))).toEqual([148, 149, 150]);
      expect(await store.history(P, 'a', now + 3_600_000, Number.MAX_SAFE_INTEGER, 3)).toEqual([]);
      expect(await store.history(P, 'a', 0, 5, 3)).toEqual([]);
      expect(await store.history(P, 'a', 0.5, 1e300, 1)).toMatchObject([{ channel: 'a', rows: '[150]', epoch }]);
      expect(seqs(await store.after(P, 'a', { epoch, seq: 147 }))).toEqual([148, 149, 150]);
      expect(seqs(await store.after(P, 'a', { epoch, seq: 2 }))).toHaveLength(148);
      expect(await store.after(P, 'a', { epoch, seq: 150 })).toBeNull();
      expect(await store.after(P, 'a', { epoch: epoch - 1, seq: 149 })).toBeNull();
      expect(await store.after(P, 'nobody', { epoch, seq: 1 })).toBeNull();
    });

    it('says so when the next frame is not kept any more', async () => {
      await publish({ a: '[1]' });
      await publish({ a: '[2]' });
      const [third] = (await publish({ a: '[3]' }, 10, KEEP)) ?? [];
      expect(await store.after(P, 'a', { epoch: third?.epoch ?? 0, seq: 1 })).toBeNull();
      expect(await store.after(P, 'a', { epoch: third?.epoch ?? 0, seq: 2 })).toMatchObject([{ seq: 3 }]);
    });

    it('removes frames that are older than they are kept', async () => {
      const short = { retainMs: 60 };
      await store.publish(P, 10, found({ a: '[1]' }, Date.now()), short);
      const until = Date.now() + 80;
      await eventually(() => Date.now() > until, { everyMs: 10 });
      await store.publish(P, 10, found({ a: '[2]' }, Date.now()), short);
      const kept = await store.history(P, 'a', 0, Number.MAX_SAFE_INTEGER, 10);
      expect(kept.map(({ seq }) => seq)).toEqual([2]);
    });

    it('forgets and drops logs and statuses too', async () => {
      const statuses = [{ channel: 'a', state: 'failed', since: 1 }] as const;
      for (const end of [() => store.forget(P, 10, ['a']), () => store.drop(P, 10)]) {
        await store.publish(P, 10, { ...found({ a: '[1]' }), statuses }, KEEP);
        await end();
        expect(await store.history(P, 'a', 0, Number.MAX_SAFE_INTEGER, 10)).toEqual([]);
        expect((await store.heads(P)).get('a')).toBeUndefined();
        await publish({ a: '[1]' });
        expect((await store.heads(P)).get('a')).toMatchObject({ state: 'live' });
        await store.forget(P, 10, ['a']);
      }
    });
  });
}
