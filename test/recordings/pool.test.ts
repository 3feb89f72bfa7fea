import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { sleep } from '../../src/kernel/clock.js';
import type { Kernel } from '../../src/kernel/kernel.js';
import type { ProcessKind } from '../../src/kernel/kind.js';
import { Library } from '../../src/recordings/library.js';
import { poolKind } from '../../src/recordings/kinds.js';
import { PoolFigures, type PoolMessage, type PoolParts } from '../../src/recordings/pool.js';
import {
  POOL_KIND,
  POOL_NAME,
  RECORDING_KIND,
  recordingName,
  type Recording,
  type RecordingArgs,
} from '../../src/recordings/recording.js';
import { Recordings } from '../../src/recordings/recordings.js';
import { MemoryStorage } from './memory-storage.js';
import { LEASE_MS, VirtualCluster, type VirtualNode } from '../kernel/virtual-cluster.js';

const TICK_MS = 1_000;
const GRACE_MS = 60_000;

describe('the pool of recorders', () => {
  let cluster: VirtualCluster;
  let storage: MemoryStorage;
  let library: Library;
  const told: Recording[] = [];
  /** Who is connected somewhere. */
  let present: string[];

  beforeEach(() => {
    cluster = new VirtualCluster();
    storage = new MemoryStorage();
    library = new Library(storage);
    told.length = 0;
    present = ['ann'];
  });
  afterEach(() => cluster.close());

  interface Options {
    readonly slots?: number;
    readonly parts?: Partial<PoolParts>;
  }

  /** A node with a real pool, and workers that do nothing but exist. */
  async function node(
    name: string,
    { slots = 2, parts = {} }: Options = {},
  ): Promise<VirtualNode & { all: Recordings }> {
    const figures = new PoolFigures();
    const worker: ProcessKind = { ...cluster.counter(RECORDING_KIND), admit: (_name, running) => running < slots };
    const kinds: ProcessKind[] = [worker];
    const made = cluster.make(name, kinds, { info: () => ({ slots, slotsUsed: 0 }) });
    const { kernel } = made;
    kernel.define(
      poolKind({
        ...{ library, figures, tickMs: TICK_MS, ownerGraceMs: GRACE_MS },
        nodes: () => kernel.nodes(),
        processes: () => kernel.processes(),
        ensure: (spec) => kernel.ensure(spec),
        stopWorker: (id) => kernel.stop(recordingName(id)).then(() => undefined),
        tell: (recording) => void told.push(recording),
        whoIsThere: () => void kernel.cast(POOL_NAME, { do: 'present', users: present } satisfies PoolMessage),
        ...parts,
      }),
    );
    await cluster.within(kernel.start());
    return { ...made, all: new Recordings(kernel, library) };
  }

  const request = (user = 'ann'): Omit<RecordingArgs, 'id' | 'requestedAt'> => ({
    owner: { user, roles: [], claims: {} },
    target: { hub: '/' },
    title: '/',
    maxSeconds: 60,
  });
  const workers = (): string[] =>
    [...new Set(cluster.incarnations.map(({ name }) => name))].filter((name) => cluster.running(name).length > 0);

  it('gives each recording to the node with most room, and the rest a turn when there is room again', async () => {
    const a = await node('a');
    await node('b', { slots: 1 });
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) ids.push((await cluster.within(a.all.start(request()))).id);
    await cluster.time.advance(TICK_MS * 3);
    expect(workers().sort()).toEqual(ids.slice(0, 3).map(recordingName).sort());
    const [first = '', , , fourth = ''] = ids;
    await cluster.within(a.kernel.stop(recordingName(first)));
    await cluster.time.advance(TICK_MS * 4);
    expect(workers()).toContain(recordingName(fourth));
    expect(workers()).toHaveLength(3);
  });

  it('counts one whose node has died: it gets the next room there is, before any that waits; nodes join at any time', async () => {
    const a = await node('a', { slots: 1 });
    const b = await node('b', { slots: 1 });
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) ids.push((await cluster.within(a.all.start(request()))).id);
    await cluster.time.advance(TICK_MS * 3);
    const [first = '', second = '', third = ''] = ids;
    expect(workers().sort()).toEqual([first, second].map(recordingName).sort());
    await cluster.kill(b);
    await cluster.time.advance(LEASE_MS * 2);
    // One of the two is without a node, and the room that is left is taken.
    expect(workers()).toHaveLength(1);
    await node('c', { slots: 1 });
    await cluster.time.advance(LEASE_MS * 2);
    expect(workers().sort()).toEqual([first, second].map(recordingName).sort());
    await node('d', { slots: 1 });
    await cluster.time.advance(LEASE_MS * 2);
    expect(workers()).toContain(recordingName(third));
  });

  it('moves at once, though it waits for a node that does not answer', async () => {
    let asked = 0;
    const never = (): Promise<void> => {
      asked += 1;
      return new Promise(() => undefined);
    };
    const a = await node('a', { parts: { ensure: never } });
    const { id } = await cluster.within(a.all.start(request()));
    const b = await node('b');
    await cluster.time.until(() => asked > 0, 'the pool to wait');
    await cluster.within(a.kernel.close());
    const second = await cluster.within(b.all.start(request()));
    expect((await cluster.within(b.all.list())).map((one) => one.id).sort()).toEqual([id, second.id].sort());
    await cluster.time.advance(LEASE_MS * 2);
    expect(workers()).toContain(recordingName(second.id));
  });

  it('takes a request that comes as it ends, and ends when there is nothing to do', async () => {
    const a = await node('a');
    const isThere = async (): Promise<boolean> =>
      (await cluster.within(a.kernel.processes())).some(({ name }) => name === POOL_NAME);
    const { kernel } = a;
    /** Comes late: a pool that nobody holds has ended by then. */
    const late = new Recordings(
      {
        ...{ clock: kernel.clock, processes: () => kernel.processes() },
        hold: (...args) => kernel.hold(...args),
        unhold: (...args) => kernel.unhold(...args),
        call: async <R>(...args: Parameters<Kernel['call']>): Promise<R> => {
          await sleep(kernel.clock, TICK_MS * 5);
          return kernel.call<R>(...args);
        },
      },
      library,
    );
    const { id } = await cluster.within(late.start(request()));
    await cluster.within(late.stop(id, 'stopped'));
    await cluster.time.until(async () => !(await isThere()), 'the pool to end');
    expect(await cluster.within(late.list())).toMatchObject([{ id }]);
  });

  it('ends what its owner has left, but for a moment, and not while nobody is heard of', async () => {
    const a = await node('a');
    const { id } = await cluster.within(a.all.start(request()));
    await cluster.time.advance(GRACE_MS / 2);
    present = [];
    await cluster.time.advance(GRACE_MS - TICK_MS * 3);
    expect(workers()).toEqual([recordingName(id)]);
    await cluster.time.advance(TICK_MS * 8);
    expect(workers()).toEqual([]);
  });

  it('takes one that is stopped out of the queue, also when the storage is away at that moment', async () => {
    const a = await node('a', { slots: 1 });
    await cluster.within(a.all.start(request()));
    const { id } = await cluster.within(a.all.start(request()));
    await cluster.time.advance(TICK_MS * 2);
    storage.away = true;
    await expect(cluster.within(a.all.stop(id, 'stopped'))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    storage.away = false;
    await cluster.time.until(() => told.some((one) => one.id === id && one.state === 'error'), 'it to be closed');
    expect(await library.get(id)).toMatchObject({ state: 'error', ended: 'stopped' });
    await cluster.time.advance(TICK_MS * 4);
    expect(workers()).not.toContain(recordingName(id));
  });

  it('is not there while there is nothing to record, and refuses when nobody can', async () => {
    const a = await node('a', { slots: 0 });
    await expect(cluster.within(a.all.start(request()))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('RECORDER_SLOTS'),
    });
    await cluster.time.advance(TICK_MS * 3);
    expect((await cluster.within(a.kernel.processes())).filter(({ kind }) => kind === POOL_KIND)).toEqual([]);
  });
});
