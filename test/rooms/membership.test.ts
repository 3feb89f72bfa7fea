import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { KEEP_MS, LINGER_MS, MEMBER_LINGER_MS, RoomBench, type RoomNode } from './room-bench.js';

let bench: RoomBench;
let a: RoomNode;
let b: RoomNode;
beforeEach(async () => {
  bench = new RoomBench();
  [a, b] = [await bench.node('a'), await bench.node('b')];
});
afterEach(() => bench.close());

const pass = (ms: number) => bench.cluster.time.advance(ms);

describe('who is in a room', () => {
  it('is there again after a refresh, also on another node, and had never left', async () => {
    const ada = await bench.enter(a, 'r', 'ada');
    const bob = await bench.enter(b, 'r', 'bob');
    for (const node of [b, a]) {
      bob.lose();
      await pass(MEMBER_LINGER_MS - 200);
      await bench.enter(node, 'r', 'bob').then((again) => Object.assign(bob, { id: again.id, node }));
      await pass(MEMBER_LINGER_MS * 2);
    }
    expect(ada.comings).toEqual(['+bob']);
  });

  it('has left within 5 s when the connection is lost, or the node killed', async () => {
    const ada = await bench.enter(a, 'r', 'ada');
    const bob = await bench.enter(b, 'r', 'bob');
    bob.lose();
    await pass(5_000);
    expect(ada.comings).toEqual(['+bob', '-bob']);
    await bench.enter(b, 'r', 'cy');
    await bench.cluster.kill(b);
    await pass(5_000);
    expect(ada.comings).toEqual(['+bob', '-bob', '+cy', '-cy']);
    expect(ada.isGapless).toBe(true);
  });

  it('has left within 5 s also when the node of the room itself is killed', async () => {
    const bob = await bench.enter(b, 'r', 'bob');
    const ada = await bench.enter(a, 'r', 'ada');
    await bench.cluster.kill(b);
    await pass(5_000);
    expect(ada.comings).toEqual(['-bob']);
    expect(ada.version).toBe((ada.view?.version ?? 0) + 1);
    expect(bob.events.length).toBeLessThanOrEqual(ada.version);
  });

  it('has left at once with a goodbye; but not while another window of theirs is open', async () => {
    const ada = await bench.enter(a, 'r', 'ada');
    const bob = await bench.enter(b, 'r', 'bob');
    const second = await bench.enter(a, 'r', 'bob');
    await bob.leave();
    await pass(MEMBER_LINGER_MS * 2);
    expect(ada.comings).toEqual(['+bob']);
    await second.leave();
    await bench.cluster.time.until(() => ada.comings.length > 1, 'the leave', 500);
    expect(ada.comings).toEqual(['+bob', '-bob']);
  });

  it('is counted once, however joins and leaves cross each other', async () => {
    const ada = await bench.enter(a, 'r', 'ada');
    expect(ada.seated).toBe(1);
    await Promise.all([ada.leave(), ada.join(), ada.join()]);
    expect(ada.seated).toBe(1);
    await Promise.all([ada.leave(), ada.join(), ada.leave()]);
    expect(ada.seated).toBe(0);
    await expect(ada.leave()).rejects.toMatchObject({ code: 'NOT_SUBSCRIBED' });
    await Promise.all([ada.join(), ada.join(), ada.leave(), ada.join()]);
    expect(ada.seated).toBe(1);
  });

  it('is silent for a while, and counts again as soon as there is a sign of life', async () => {
    const ada = await bench.enter(a, 'r', 'ada');
    const bob = await bench.enter(b, 'r', 'bob');
    b.hub.silent(bob.id);
    await pass(MEMBER_LINGER_MS + 200);
    expect(ada.comings).toEqual(['+bob', '-bob']);
    // Not held again by the looks that the node takes.
    await pass(30_000);
    expect(ada.comings).toEqual(['+bob', '-bob']);
    b.hub.heard(bob.id);
    await bench.cluster.time.until(() => ada.comings.length > 2, 'the return', 1_000);
    expect(ada.comings).toEqual(['+bob', '-bob', '+bob']);
    // It was connected all the time, and has everything.
    expect(bob.version).toBe(ada.version);
    expect(bob.isGapless).toBe(true);
  });
});

describe('a room that an operator has stopped', () => {
  it('is back with all who are in it, also while somebody waits for its answer', async () => {
    const [ada, bob] = [await bench.enter(a, 'r', 'ada'), await bench.enter(b, 'r', 'bob')];
    await ada.change({ kept: 1 });
    await bench.cluster.within(a.kernel.stop('room:r'));
    expect(bench.running).not.toContain('room:r');
    // Both ask before anybody has noticed.
    const asked = [ada.status('there'), bob.status('there too')];
    expect(await Promise.all(asked)).toHaveLength(2);
    await pass(10_000);
    expect((await bench.enter(b, 'r', 'cy')).view).toMatchObject({
      state: { kept: 1 },
      members: [{ user: 'ada' }, { user: 'bob' }, { user: 'cy' }],
    });
    expect(ada.comings).not.toContain('-bob');
    expect(bob.isGapless).toBe(true);
  });
});

describe('an empty room', () => {
  it('stops after its linger, is kept, and forgotten in the end; what begins anew has a version that was never used', async () => {
    const ada = await bench.enter(a, 'r', 'ada');
    await ada.change({ kept: true });
    await ada.leave();
    await pass(LINGER_MS - 500);
    expect(bench.running).toContain('room:r');
    await bench.cluster.time.until(() => !bench.running.includes('room:r'), 'its end', 1_500);
    expect(await a.hub.heads()).toMatchObject([{ room: 'r', members: 0 }]);

    const again = await bench.enter(b, 'r', 'ada');
    expect(again.view).toMatchObject({ state: { kept: true } });
    const { version } = again;
    await again.leave();
    await pass(KEEP_MS + LINGER_MS);
    expect(await a.hub.heads()).toEqual([]);
    const anew = await bench.enter(b, 'r', 'ada');
    expect(anew.view).toMatchObject({ state: {} });
    expect(anew.view?.version).toBeGreaterThan(version);
  });

  it('goes on when somebody comes in at the last moment', async () => {
    const ada = await bench.enter(a, 'r', 'ada');
    for (let before = -30; before <= 30; before += 10) {
      await ada.leave();
      await pass(LINGER_MS + before);
      await ada.join();
      expect(ada.view?.members.map(({ user }) => user)).toEqual(['ada']);
      await ada.change({ n: before }, ada.view?.version);
    }
    expect(await a.hub.heads()).toMatchObject([{ room: 'r', members: 1 }]);
  });
});
