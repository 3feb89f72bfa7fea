import { afterEach, describe, expect, it } from '@jest/globals';
import { ChangeRates } from '../../src/rooms/limits.js';
import { gate } from '../kernel/gate.js';
import { RoomBench } from './room-bench.js';

let bench: RoomBench | null = null;
afterEach(async () => {
  await bench?.close();
  bench = null;
});

function made(limits: ConstructorParameters<typeof RoomBench>[0]): RoomBench {
  return (bench = new RoomBench(limits));
}

describe('the limits of a room', () => {
  it('lets so many users in, and their further windows; the next one when somebody has left', async () => {
    const room = made({ limits: { members: 3 } });
    const node = await room.node('a');
    const [ada] = await Promise.all(['ada', 'bob', 'cy'].map((user) => room.enter(node, 'r', user)));
    await room.enter(node, 'r', 'bob');
    const refusal = { code: 'RATE_LIMITED', details: { limit: 3, retryAfterMs: expect.any(Number) } };
    await expect(room.enter(node, 'r', 'dee')).rejects.toMatchObject(refusal);
    await room.cluster.time.advance(10_000);
    expect(ada?.comings).not.toContain('+dee');
    await ada?.leave();
    const dee = await room.enter(node, 'r', 'dee');
    expect(dee.view?.members.map(({ user }) => user).sort()).toEqual(['bob', 'cy', 'dee']);
  });

  it('bounds the state, the status and the depth of both; what is refused has changed nothing', async () => {
    const room = made({ limits: { stateBytes: 100, statusBytes: 20, depth: 3 } });
    const ada = await room.enter(await room.node('a'), 'r', 'ada');
    await ada.change({ a: 'x'.repeat(40) });
    const { version } = ada;
    const tooLarge = { code: 'BAD_REQUEST', details: { limit: 100, bytes: expect.any(Number) } };
    // Each small enough by itself.
    await expect(ada.change({ b: 'x'.repeat(60) })).rejects.toMatchObject(tooLarge);
    await expect(ada.change({ b: { c: { d: { e: 1 } } } })).rejects.toMatchObject({
      code: 'BAD_REQUEST',
      details: { limit: 3 },
    });
    await expect(ada.status('x'.repeat(20))).rejects.toMatchObject({ code: 'BAD_REQUEST', details: { limit: 20 } });
    expect(ada.version).toBe(version);
    // Room is made by removing.
    await ada.change({ a: null });
    await ada.change({ b: 'x'.repeat(60) });
  });

  it('takes so many changes a second of each user, and says when it takes the next', async () => {
    const room = made({ limits: { burst: 3, perSecond: 2 } });
    const node = await room.node('a');
    const [ada, bob] = [await room.enter(node, 'r', 'ada'), await room.enter(node, 'r', 'bob')];
    const results = await Promise.allSettled(Array.from({ length: 5 }, (_, n) => ada.status(`${n}`)));
    expect(results.map(({ status }) => status)).toEqual([...Array(3).fill('fulfilled'), 'rejected', 'rejected']);
    const [, , , refused] = results as PromiseRejectedResult[];
    expect(refused?.reason).toMatchObject({ code: 'RATE_LIMITED', details: { limit: 2 } });
    const { retryAfterMs } = (refused?.reason as { details: { retryAfterMs: number } }).details;
    expect(retryAfterMs).toBeGreaterThan(0);
    await bob.status('others may');
    await room.cluster.time.advance(retryAfterMs);
    await ada.status('again');
  });

  it('refuses what cannot be saved as fast as it comes, instead of growing', async () => {
    const room = made({ limits: { waiting: 10 } });
    const node = await room.node('a');
    const windows = await Promise.all(Array.from({ length: 14 }, (_, n) => room.enter(node, 'r', `u${n}`)));
    await room.cluster.time.advance(1_000);
    const blocked = gate();
    room.store.gate = blocked.promise;
    const changes = Promise.allSettled(windows.map((window, n) => window.status(`${n}`)));
    await room.cluster.time.advance(100);
    room.store.gate = null;
    blocked.open();
    const results = await changes;
    const refused = results.flatMap((result) =>
      result.status === 'rejected' ? [result.reason as { code: string }] : [],
    );
    expect(refused.map(({ code }) => code)).toEqual(Array(4).fill('UNAVAILABLE'));
  });

  it('forgets the rates of those whose allowance is full again', () => {
    const rates = new ChangeRates({ burst: 2, perSecond: 1 });
    for (let n = 0; n < 1_500; n++) rates.take(`u${n}`, 0);
    rates.take('u0', 10_000);
    rates.take('u0', 10_000);
    expect(() => rates.take('u0', 10_000)).toThrow('at most 1 changes per second');
  });
});
