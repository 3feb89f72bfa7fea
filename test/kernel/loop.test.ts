import { describe, expect, it } from '@jest/globals';
import { Loop } from '../../src/kernel/loop.js';
import { settle, VirtualTime } from '../support/virtual-clock.js';

function made(step?: (n: number) => Promise<void>) {
  const time = new VirtualTime();
  const failures: unknown[] = [];
  const seen = { steps: 0, atOnce: 0, most: 0 };
  const loop = new Loop(
    time.clock(),
    () => 100,
    async () => {
      seen.steps += 1;
      seen.atOnce += 1;
      seen.most = Math.max(seen.most, seen.atOnce);
      try {
        await step?.(seen.steps);
      } finally {
        seen.atOnce -= 1;
      }
    },
    (error) => failures.push(error),
  );
  return { time, loop, seen, failures };
}

describe('a loop', () => {
  it('runs again and again, each time so long after the last one ended', async () => {
    const { time, loop, seen } = made();
    await time.advance(99);
    expect(seen.steps).toBe(0);
    await time.advance(901);
    expect(seen.steps).toBe(10);
    loop.close();
  });

  it('runs now when it is kicked, and counts from then', async () => {
    const { time, loop, seen } = made();
    await time.advance(60);
    loop.kick();
    await time.advance(60);
    expect(seen.steps).toBe(1);
    await time.advance(40);
    expect(seen.steps).toBe(2);
    loop.close();
  });

  it('never runs twice at once; kicks during a step make one more right afterwards', async () => {
    let release = (): void => undefined;
    const { time, loop, seen } = made((n) => (n === 1 ? new Promise((go) => (release = go)) : Promise.resolve()));
    await time.advance(100);
    for (let i = 0; i < 5; i++) loop.kick();
    await time.advance(1_000);
    expect(seen).toMatchObject({ steps: 1, most: 1 });
    release();
    await settle();
    expect(seen).toMatchObject({ steps: 2, most: 1 });
    loop.close();
  });

  it('goes on after a step that failed, and tells of it', async () => {
    const { time, loop, seen, failures } = made(() => Promise.reject(new Error('no')));
    await time.advance(300);
    expect(seen.steps).toBe(3);
    expect(failures).toHaveLength(3);
    loop.close();
  });

  it('runs no more after it was closed, kicked or not, and leaves no timer', async () => {
    const { time, loop, seen } = made(async () => loop.close());
    loop.kick();
    loop.kick();
    await time.advance(1_000);
    expect(seen.steps).toBe(1);
    loop.kick();
    await time.advance(1_000);
    expect(seen.steps).toBe(1);
    expect(time.pending).toBe(0);
  });
});
