import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { newNodeId, nodeName, type NodeId } from '../../../src/kernel/identity.js';
import type { NodeRecord, ProcessSpec, StorePort } from '../../../src/kernel/ports/store.js';
import { eventually } from '../../support/eventually.js';

export interface StoreBench {
  port(node: NodeId): Promise<StorePort>;
  wipe(): Promise<void>;
  close(): Promise<void>;
}

const DEAD_AFTER = 60_000;

function node(id: NodeId, more: Partial<NodeRecord> = {}): NodeRecord {
  const record: NodeRecord = {
    id,
    name: nodeName(id),
    version: '1.2.3',
    startedAt: 1_700_000_000_000,
    state: 'live',
    kinds: ['counter'],
    info: { viewers: 3 },
  };
  return { ...record, ...more };
}

function spec(name: string, args: unknown = { step: 1 }): ProcessSpec {
  return { name, kind: 'counter', args };
}

/** What every store promises, whatever is behind it. */
export function storeSuite(name: string, open: () => Promise<StoreBench>): void {
  describe(`the store in ${name}`, () => {
    const a = newNodeId('a');
    const b = newNodeId('b');
    let bench: StoreBench;
    let store: StorePort;

    beforeEach(async () => {
      bench = await open();
      store = await bench.port(a);
    });
    afterEach(() => bench.close());

    const announce = async (id: NodeId): Promise<void> => {
      expect((await store.announce(node(id), DEAD_AFTER)).taken).toBeNull();
    };

    describe('nodes', () => {
      it('announces a node, and tells everybody all about it', async () => {
        await store.announce(node(a), DEAD_AFTER);
        const other = await bench.port(b);
        const [seen] = await other.nodes();
        expect(seen).toMatchObject({ ...node(a) });
        expect(seen?.ageMs).toBeGreaterThanOrEqual(0);
        expect(seen?.ageMs).toBeLessThan(10_000);
      });

      it('refuses a name while another incarnation of it lives, and writes nothing', async () => {
        const [first, second] = [newNodeId('twin'), newNodeId('twin')];
        await announce(first);
        expect((await store.announce(node(second), DEAD_AFTER)).taken).toBe(first);
        expect((await store.nodes()).map((seen) => seen.id)).toEqual([first]);
      });

      it('lets an incarnation have the name of one that has not beaten for too long', async () => {
        const [first, second] = [newNodeId('twin'), newNodeId('twin')];
        await announce(first);
        await eventually(async () => (await store.nodes())[0]?.ageMs, { what: 'a heartbeat that is not new any more' });
        expect((await store.announce(node(second), 1)).taken).toBeNull();
      });

      it('tells names apart that begin alike, or contain the mark that ends a name', async () => {
        for (const name of ['web', 'web-2', 'we', 'web~x', 'web~']) await announce(newNodeId(name));
        expect(await store.nodes()).toHaveLength(5);
      });

      it('announces the same node again: after it was buried, or just so', async () => {
        await announce(a);
        await announce(a);
        expect(await store.nodes()).toHaveLength(1);
      });

      it('takes heartbeats of whom it knows, with what they tell about themselves', async () => {
        expect(await store.beat(a, {})).toBe(false);
        expect(await store.nodes()).toEqual([]);
        await announce(a);
        expect(await store.beat(a, { viewers: 9, processes: 2 })).toBe(true);
        expect((await store.nodes())[0]?.info).toEqual({ viewers: 9, processes: 2 });
      });

      it('keeps the state of a node, over its heartbeats', async () => {
        expect(await store.setNodeState(a, 'cordoned')).toBe(false);
        await announce(a);
        expect(await store.setNodeState(a, 'cordoned')).toBe(true);
        await store.beat(a, {});
        expect((await store.nodes())[0]?.state).toBe('cordoned');
      });

      it('has one era until it loses its data, the same for all', async () => {
        const { era } = await store.announce(node(a), DEAD_AFTER);
        const other = await bench.port(b);
        expect((await other.announce(node(b), DEAD_AFTER)).era).toBe(era);
        await bench.wipe();
        expect(await store.beat(a, {})).toBe(false);
        const after = await store.announce(node(a), DEAD_AFTER);
        expect(after.era).not.toBe(era);
        expect((await other.announce(node(b), DEAD_AFTER)).era).toBe(after.era);
      });
    });

    describe('specs', () => {
      it('registers a spec once: the first one stays', async () => {
        const first = await store.register(spec('x', { deep: [1, { two: null }], text: 'ä\n"' }));
        expect(first).toMatchObject({
          ...spec('x', { deep: [1, { two: null }], text: 'ä\n"' }),
          node: null,
          fence: 0,
          state: 'orphaned',
          restarts: 0,
          error: null,
        });
        expect(await store.register({ name: 'x', kind: 'other', args: 7 })).toMatchObject(first);
        expect(await store.process('x')).toMatchObject(first);
        expect(await store.process('y')).toBeNull();
      });

      it('survives arguments that are nothing', async () => {
        expect((await store.register({ name: 'n', kind: 'counter', args: null })).args).toBeNull();
        expect((await store.register({ name: 'u', kind: 'counter', args: undefined })).args).toBeNull();
      });

      it('replaces the arguments of what is registered', async () => {
        expect(await store.respec(spec('x', { step: 2 }))).toBe(false);
        await store.register(spec('x'));
        expect(await store.respec(spec('x', { step: 2 }))).toBe(true);
        expect((await store.process('x'))?.args).toEqual({ step: 2 });
        expect((await store.process('x'))?.kind).toBe('counter');
      });

      it('lists them all', async () => {
        expect(await store.processes()).toEqual([]);
        for (const key of ['x', 'y', 'z']) await store.register(spec(key));
        expect((await store.processes()).map((record) => record.name).sort()).toEqual(['x', 'y', 'z']);
      });
    });

    describe('fences', () => {
      beforeEach(async () => {
        await store.register(spec('x'));
      });

      it('makes a node the owner, and nobody with a lower fence afterwards', async () => {
        expect(await store.claim('x', a, 10)).toMatchObject({ node: a, fence: 10, state: 'starting', error: null });
        expect(await store.claim('x', b, 9)).toBeNull();
        expect(await store.process('x')).toMatchObject({ node: a, fence: 10 });
        expect(await store.claim('x', b, 11)).toMatchObject({ node: b, fence: 11 });
        expect(await store.claim('nothing', a, 1)).toBeNull();
      });

      it('takes reports under the highest fence only, and notes when the state changed', async () => {
        await store.claim('x', a, 10);
        expect(await store.report('x', 10, 'running', 2, 'it hurt')).toBe(true);
        const running = await store.process('x');
        expect(running).toMatchObject({ state: 'running', restarts: 2, error: 'it hurt' });
        await eventually(async () => (await store.time()) > Number(running?.since), { what: 'the clock to go on' });
        await store.report('x', 10, 'running', 3, null);
        expect(await store.process('x')).toMatchObject({ since: running?.since, restarts: 3, error: null });
        await store.report('x', 10, 'failed', 3, 'no more');
        expect((await store.process('x'))?.since).toBeGreaterThan(Number(running?.since));
        expect(await store.report('x', 9, 'running', 0, null)).toBe(false);
        expect(await store.report('nothing', 99, 'running', 0, null)).toBe(false);
        expect((await store.process('x'))?.state).toBe('failed');
      });

      it('keeps state under the highest fence only', async () => {
        expect(await store.load('x')).toBeNull();
        await store.claim('x', a, 10);
        expect(await store.save('x', 10, '{"n":1}')).toBe(true);
        await store.claim('x', b, 11);
        expect(await store.save('x', 10, '{"n":2}')).toBe(false);
        expect(await store.load('x')).toBe('{"n":1}');
        expect(await store.save('x', 11, '{"n":3}')).toBe(true);
        expect(await store.load('x')).toBe('{"n":3}');
        expect(await store.save('nothing', 99, '{}')).toBe(false);
      });

      it('compares fences as numbers, as large as they get', async () => {
        const large = Date.now() * 1_000;
        expect(await store.claim('x', a, large)).toMatchObject({ fence: large });
        expect(await store.save('x', large - 1, 'no')).toBe(false);
        expect(await store.claim('x', b, 9)).toBeNull();
        expect(await store.claim('x', b, large + 1)).toMatchObject({ fence: large + 1 });
      });

      it('gives a name back without an owner, which only the owner can', async () => {
        await store.claim('x', a, 10);
        expect(await store.disown('x', 9)).toBe(false);
        expect(await store.disown('x', 10)).toBe(true);
        expect(await store.process('x')).toMatchObject({ node: null, state: 'orphaned', fence: 10 });
        expect(await store.claim('x', b, 9)).toBeNull();
        expect(await store.disown('nothing', 10)).toBe(false);
      });

      it('ends a spec with its state, which only the owner can', async () => {
        await store.claim('x', a, 10);
        await store.save('x', 10, 'state');
        expect(await store.retire('x', 9)).toBe(false);
        expect(await store.retire('x', 9, true)).toBe(false);
        expect(await store.retire('x', 10)).toBe(true);
        expect(await store.retire('x', 10)).toBe(false);
        expect(await store.process('x')).toBeNull();
        expect(await store.processes()).toEqual([]);
        await store.register(spec('x'));
        expect(await store.load('x')).toBeNull();
      });

      it('ends a spec in spite of its owner with force and no fence', async () => {
        await store.claim('x', a, 10);
        expect(await store.retire('x', 0)).toBe(false);
        expect(await store.retire('x', 0, true)).toBe(true);
      });
    });

    describe('holds', () => {
      beforeEach(async () => {
        await announce(a);
        await announce(b);
      });

      it('writes the hold and, where it is missing, the spec', async () => {
        expect(await store.hold(spec('x'), { node: a, ref: 'ch\n1', detail: '{"n":1}' })).toMatchObject({
          ...spec('x'),
          node: null,
          fence: 0,
        });
        await store.claim('x', b, 5);
        expect(await store.hold(spec('x'), { node: b, ref: 'ch\n1', detail: '' })).toMatchObject({ node: b, fence: 5 });
        expect(sorted(await store.holds('x'))).toEqual(
          sorted([
            { node: a, ref: 'ch\n1', detail: '{"n":1}' },
            { node: b, ref: 'ch\n1', detail: '' },
          ]),
        );
        expect(await store.heldBy(a)).toEqual(['x']);
        expect((await store.holders()).sort()).toEqual([a, b].sort());
      });

      it('counts the same hold once, with its newest detail', async () => {
        for (const detail of ['1', '2']) await store.hold(spec('x'), { node: a, ref: 'r', detail });
        expect(await store.holds('x')).toEqual([{ node: a, ref: 'r', detail: '2' }]);
        expect(await store.unhold('x', a, 'r')).toBe(true);
        expect(await store.unhold('x', a, 'r')).toBe(false);
        expect(await store.holds('x')).toEqual([]);
        expect(await store.heldBy(a)).toEqual([]);
        expect(await store.holders()).toEqual([]);
      });

      it('keeps a node’s name in the list as long as one of its holds is left', async () => {
        await store.hold(spec('x'), { node: a, ref: '1', detail: '' });
        await store.hold(spec('x'), { node: a, ref: '2', detail: '' });
        await store.unhold('x', a, '1');
        expect(await store.heldBy(a)).toEqual(['x']);
        expect(await store.holders()).toEqual([a]);
      });

      it('refuses the hold of a node that is not in the cluster', async () => {
        await store.bury(b);
        await expect(store.hold(spec('x'), { node: b, ref: 'r', detail: '' })).rejects.toMatchObject({
          code: 'CONFLICT',
        });
        expect(await store.process('x')).toBeNull();
        expect(await store.holds('x')).toEqual([]);
      });

      it('does not end what is held, but for an operator', async () => {
        await store.hold(spec('x'), { node: a, ref: 'r', detail: '' });
        await store.claim('x', a, 10);
        expect(await store.retire('x', 10)).toBe(false);
        expect(await store.retire('x', 10, true)).toBe(true);
        expect(await store.holds('x')).toHaveLength(1);
      });

      it('tells since when nobody holds a process', async () => {
        expect((await store.register(spec('bare'))).unheldSince).not.toBeNull();
        expect((await store.hold(spec('x'), { node: a, ref: 'r', detail: '' })).unheldSince).toBeNull();
        await store.hold(spec('x'), { node: b, ref: 'r', detail: '' });
        await store.unhold('x', a, 'r');
        expect((await store.process('x'))?.unheldSince).toBeNull();
        await store.bury(b);
        const since = (await store.process('x'))?.unheldSince;
        expect(Math.abs(Number(since) - (await store.time()))).toBeLessThan(10_000);
        await store.hold(spec('x'), { node: a, ref: 'r', detail: '' });
        expect((await store.process('x'))?.unheldSince).toBeNull();
      });

      it('leaves either the hold or a fresh spec, whenever the end and the hold meet: 100 times', async () => {
        for (let i = 0; i < 100; i++) {
          const key = `race:${i}`;
          await store.register(spec(key));
          await store.claim(key, b, 10 + i);
          const [held, retired] = await Promise.all([
            store.hold(spec(key), { node: a, ref: 'r', detail: '' }),
            // A store may gather holds for a turn of the event loop: each of the two is to come first at times.
            i % 2 === 0 ? store.retire(key, 10 + i) : turns(2).then(() => store.retire(key, 10 + i)),
          ]);
          const now = await store.process(key);
          expect(now).not.toBeNull();
          expect(await store.holds(key)).toHaveLength(1);
          // Ended first: what the holder was told is the new spec, without an owner, so it knows to start it.
          expect(held.node).toBe(retired ? null : b);
          expect(now?.fence).toBe(retired ? 0 : 10 + i);
        }
      });

      it('writes many holds of one moment, on several processes and of several nodes, each with its own answer', async () => {
        const stranger = newNodeId('stranger');
        const wanted = Array.from({ length: 1_200 }, (_, i) => ({
          name: `p${i % 3}`,
          hold: { node: [a, b][i % 2] as NodeId, ref: `r${i}`, detail: `{"n":${i}}` },
        }));
        const refused = store.hold(spec('p0'), { node: stranger, ref: 'r', detail: '' });
        const written = wanted.map(({ name, hold }) => store.hold(spec(name), hold));
        await expect(refused).rejects.toMatchObject({ code: 'CONFLICT' });
        expect((await Promise.all(written)).map((record) => record.name)).toEqual(wanted.map(({ name }) => name));
        for (const name of ['p0', 'p1', 'p2']) {
          const mine = wanted.filter((one) => one.name === name).map(({ hold }) => hold);
          expect(byRef(await store.holds(name))).toEqual(byRef(mine));
        }
        const taken = wanted.map(({ name, hold }) => store.unhold(name, hold.node, hold.ref));
        const again = [store.unhold('p0', a, 'r0'), store.unhold('p1', a, 'never'), store.unhold('none', b, 'r1')];
        expect(await Promise.all(taken)).toEqual(wanted.map(() => true));
        expect(await Promise.all(again)).toEqual([false, false, false]);
        expect(await store.holders()).toEqual([]);
        expect((await store.process('p2'))?.unheldSince).toBeGreaterThan(0);
      });

      it('buries a node with all its holds, once, and says whose changed', async () => {
        await store.hold(spec('x'), { node: a, ref: '1', detail: '' });
        await store.hold(spec('x'), { node: a, ref: '2', detail: '' });
        await store.hold(spec('x'), { node: b, ref: '1', detail: '' });
        await store.hold(spec('y'), { node: a, ref: '1', detail: '' });
        await store.claim('x', a, 10);
        expect((await store.bury(a))?.sort()).toEqual(['x', 'y']);
        expect(await store.bury(a)).toBeNull();
        expect(await store.holds('x')).toEqual([{ node: b, ref: '1', detail: '' }]);
        expect(await store.holds('y')).toEqual([]);
        expect(await store.process('x')).toMatchObject({ node: a, fence: 10 });
        expect((await store.nodes()).map((seen) => seen.id)).toEqual([b]);
        expect(await store.beat(a, {})).toBe(false);
        expect(await store.setNodeState(a, 'live')).toBe(false);
        expect(await store.holders()).toEqual([b]);
      });

      it('buries a node without holds with an empty list, and one that nobody knows with none', async () => {
        expect(await store.bury(a)).toEqual([]);
        expect(await store.bury('stranger~1')).toBeNull();
      });

      it('does not take one node’s holds for another’s whose id begins alike', async () => {
        const longer = `${a}0`;
        await store.announce(node(longer), 0);
        await store.hold(spec('x'), { node: a, ref: '1', detail: '' });
        await store.hold(spec('x'), { node: longer, ref: '1', detail: '' });
        await store.bury(a);
        expect((await store.holds('x')).map((hold) => hold.node)).toEqual([longer]);
      });
    });

    it('tells the time', async () => {
      expect(Math.abs((await store.time()) - Date.now())).toBeLessThan(10_000);
    });
  });
}

function sorted<T extends { node: string }>(holds: readonly T[]): T[] {
  return [...holds].sort((p, q) => (p.node < q.node ? -1 : 1));
}

function byRef<T extends { ref: string }>(holds: readonly T[]): T[] {
  return [...holds].sort((p, q) => (p.ref < q.ref ? -1 : 1));
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}
