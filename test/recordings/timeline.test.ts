import { expect, test } from '@jest/globals';
import { inOrder, joinedTimeline, lineOf, type StoredSegment } from '../../src/recordings/timeline.js';

async function joined(segments: readonly StoredSegment[], lines: Record<string, object[]>): Promise<object[]> {
  async function* read({ stem }: StoredSegment): AsyncIterable<string> {
    for (const line of lines[stem] ?? []) yield JSON.stringify(line);
  }
  const told: object[] = [];
  for await (const text of joinedTimeline(segments, read)) told.push(JSON.parse(text) as object);
  return told;
}

test('each line is placed at its second of the joined video, and a break says how long it was and why', async () => {
  const segments = [
    { stem: 'a', from: 10_000, ms: 2_000 },
    { stem: 'b', from: 12_010, ms: 1_000 },
    { stem: 'c', from: 20_000, ms: 1_000, why: 'takeover' },
  ];
  const told = await joined(segments, {
    a: [
      { time: 9_000, type: 'status' },
      { time: 11_500, type: 'frame' },
    ],
    c: [{ time: 20_250, type: 'room' }],
  });
  expect(told).toEqual([
    { at: 0, time: 9_000, type: 'status' },
    { at: 1.5, time: 11_500, type: 'frame' },
    { at: 3, time: 13_010, type: 'gap', seconds: 6.99, reason: 'takeover' },
    { at: 3.25, time: 20_250, type: 'room' },
  ]);
});

test('what an overtaken owner recorded at the same time is left out', () => {
  const [a, late, b] = [
    { stem: 'a', from: 0, ms: 5_000 },
    { stem: 'late', from: 2_000, ms: 5_000 },
    { stem: 'b', from: 5_000, ms: 5_000 },
  ];
  expect(inOrder([b, late, a]).map(({ stem }) => stem)).toEqual(['a', 'b']);
});

test('an event keeps its fields, but for those that the video’s clock has', () => {
  const room = { type: 'room', payload: { room: 'r', by: 'u', at: 1, status: 'x' } };
  expect(lineOf(room, 7)).toEqual({ time: 7, type: 'room', room: 'r', by: 'u', status: 'x' });
});

test('rows that are too many to be kept are counted', () => {
  const rows = Array.from({ length: 2_000 }, (_, n) => ({ n, text: 'a row' }));
  const frame = { channel: 'c', epoch: 'e', seq: 3, polledAt: 5, rows };
  expect(lineOf({ type: 'frame', payload: frame }, 7)).toEqual({
    ...{ time: 7, type: 'frame', channel: 'c', epoch: 'e', seq: 3, polledAt: 5, count: 2_000 },
  });
});
