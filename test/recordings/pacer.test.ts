import { expect, test } from '@jest/globals';
import { Pacer } from '../../src/recordings/pacer.js';

const picture = (at: number, name: string) => ({ at, jpeg: Buffer.from(name) });
const all = (pacer: Pacer, now: number): string[] => {
  const frames: string[] = [];
  for (let frame = pacer.next(now); frame; frame = pacer.next(now)) frames.push(frame.toString());
  return frames;
};

test('a frame shows what was on the page at its moment, however late it is asked for', () => {
  const pacer = new Pacer(10);
  expect(pacer.next(0)).toBeNull();
  for (const [at, name] of [
    [1_000, 'a'],
    [1_150, 'b'],
    [1_160, 'c'],
    [1_320, 'd'],
  ] as const)
    pacer.offer(picture(at, name));
  expect(all(pacer, 1_450)).toEqual(['a', 'a', 'c', 'c', 'd']);
  expect(pacer.dropped).toBe(1);
});

test('it begins later than its first picture, with what was shown then', () => {
  const pacer = new Pacer(10);
  pacer.begin(500);
  expect(pacer.startedAt).toBeNull();
  for (const [at, name] of [
    [1_000, 'a'],
    [1_150, 'b'],
    [1_260, 'c'],
  ] as const)
    pacer.offer(picture(at, name));
  pacer.begin(900);
  expect(pacer.startedAt).toBe(1_000);
  pacer.begin(1_200);
  expect(all(pacer, 1_450)).toEqual(['b', 'c', 'c']);
  expect(pacer.dropped).toBe(0);
  pacer.begin(5_000);
  expect(all(pacer, 1_500)).toEqual(['c']);
});

test('a page that does not change is the same frame again and again', () => {
  const pacer = new Pacer(10);
  pacer.offer(picture(0, 'a'));
  expect(all(pacer, 999)).toHaveLength(10);
  expect(pacer.owed(1_000)).toBe(1);
});
