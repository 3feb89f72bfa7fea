import { describe, expect, test } from '@jest/globals';
import { check } from './checker.js';
import type { ChaosEvent, FrameEvent, History } from './history.js';

const TERMS = { leaseMs: 2_000, lingerMs: 1_000, intervalMs: 200, slackMs: 500 };
const CHANNEL = 'steady';
const POLLER = 'poller:steady';

const frame = (at: number, seq: number, n: number, more: Partial<FrameEvent> = {}): ChaosEvent => ({
  ...{ kind: 'frame', at, viewer: 'v', channel: CHANNEL, epoch: 1, seq, via: 'frame', n, by: 'a', state: 'live' },
  ...more,
});
const publish = (at: number, fence: number, seq: number, n: number, by: string): ChaosEvent => ({
  ...{ kind: 'publish', at, poller: POLLER, fence, frames: [{ channel: CHANNEL, epoch: 1, seq, n, by }] },
});
const claim = (at: number, fence: number, node: string): ChaosEvent => ({
  kind: 'claim',
  at,
  name: POLLER,
  node,
  fence,
});
const query = (at: number, by: string): ChaosEvent => ({ kind: 'query', at, topic: CHANNEL, by });
const fault = (at: number, until: number, more: object = {}): ChaosEvent => ({
  ...{ kind: 'fault', at, until, name: 'kill', target: 'a' },
  ...more,
});

/** A takeover at 5,000 as it should be, and everybody gone in the end. */
const good: History = [
  { kind: 'join', at: 0, viewer: 'v', topic: CHANNEL },
  { kind: 'lease', at: 5, name: POLLER, node: 'a' },
  { kind: 'mint', at: 10, fence: 7 },
  claim(20, 7, 'a'),
  query(30, 'a'),
  publish(40, 7, 1, 1, 'a'),
  frame(45, 1, 1, { via: 'ack' }),
  query(1_000, 'a'),
  publish(1_010, 7, 2, 2, 'a'),
  frame(1_020, 2, 2),
  fault(4_000, 4_900),
  { kind: 'grant', at: 4_300, name: 'w1', tookMs: 300, leftMs: null },
  { kind: 'lease', at: 4_999, name: POLLER, node: 'b' },
  { kind: 'grant', at: 4_999, name: 'w2', tookMs: 3, leftMs: 1_950 },
  { kind: 'kept', at: 5_000, name: 'w2', storedMs: 1_990, leftMs: 1_949 },
  { kind: 'mint', at: 5_000, fence: 9 },
  claim(5_010, 9, 'b'),
  query(5_020, 'b'),
  publish(5_030, 9, 3, 3, 'b'),
  frame(5_040, 3, 3, { by: 'b' }),
  { kind: 'settled', at: 6_000, tookMs: 800, amiss: [] },
  { kind: 'final', at: 6_100, n: 3, viewers: ['v'], topic: CHANNEL },
  { kind: 'leave', at: 20_000, viewer: 'v', topic: CHANNEL },
  query(20_900, 'b'),
  { kind: 'exit', at: 21_000, node: 'a', expected: true, how: 'SIGKILL' },
];

/** What a Redis that has lost its data may forget. */
const emptied = [
  fault(6_000, 6_200, { name: 'Redis restarts empty', lost: true, doubt: true, local: true }),
  { kind: 'kept', at: 6_100, name: 'w3', storedMs: -2, leftMs: 1_000 },
] as const satisfies readonly ChaosEvent[];

const planted: readonly (readonly [string, RegExp, ...ChaosEvent[]])[] = [
  [
    'a lease without time left',
    /^5: w4 was given after 2100 ms with -100 ms left/,
    { kind: 'grant', at: 7_000, name: 'w4', tookMs: 2_100, leftMs: -100 },
  ],
  [
    'a lease that Redis has forgotten',
    /^5: w4 is believed for 900 ms, Redis keeps it for -2 ms/,
    { kind: 'kept', at: 7_000, name: 'w4', storedMs: -2, leftMs: 900 },
  ],
  ['a claim without a lease', /^5: b claimed poller:steady 2001 ms after its lease/, claim(7_000, 10, 'b')],
  ['a position that goes back', /^1: went back: v .* 1-1 .* after 1-3/, frame(5_500, 1, 3, { via: 'ack' })],
  ['an epoch that goes back', /^1: went back/, frame(5_500, 9, 3, { epoch: 0 })],
  ['a value of the past at a later position', /^1: shows the past/, frame(5_500, 4, 2)],
  [
    'a final state that did not come',
    /^1: v of steady missed the final state: 3 instead of 4/,
    { kind: 'final', at: 7_000, n: 4, viewers: ['v'], topic: CHANNEL },
  ],
  [
    'a viewer that never got anything',
    /^1: w of steady missed the final state: nothing/,
    { kind: 'final', at: 7_000, n: 3, viewers: ['w'], topic: CHANNEL },
  ],
  [
    'a former owner whose publish is accepted',
    /^2: poller:steady published under fence 7 after 9/,
    publish(5_500, 7, 4, 3, 'a'),
  ],
  [
    'a result of one node under the fence of another',
    /^2: steady 1-4 was asked for by a, under b's fence 9/,
    publish(5_500, 9, 4, 3, 'a'),
  ],
  ['a position that is used twice', /^2: steady 1-3 was published twice/, publish(5_500, 9, 3, 4, 'b')],
  ['a former owner that goes on asking', /^2: a asked for steady 590 ms after b had taken it/, query(5_600, 'a')],
  [
    'a frame that nobody published',
    /^4: v got steady 1-3 as n 8 by a; published was n 3 by b/,
    frame(5_500, 3, 8, { viewer: 'v', via: 'ack', by: 'a' }),
  ],
  [
    'two viewers that see different results',
    /^4: y got steady 1-9/,
    frame(5_500, 9, 8, { viewer: 'x' }),
    frame(5_501, 9, 9, { viewer: 'y' }),
  ],
  ['a fence that is minted again', /^3: minted: fence 9 after 9/, { kind: 'mint', at: 5_500, fence: 9 }],
  ['a claim under a lower fence', /^3: poller:steady: fence 8 after 9/, claim(5_500, 8, 'b')],
  [
    'a query when all have long gone',
    /^6: b asked for steady 2000 ms after its last viewer had gone/,
    query(22_000, 'b'),
  ],
  [
    'something that is not in its place',
    /^7: pollers: \[\] instead of \[poller:steady\]/,
    { kind: 'settled', at: 9_000, tookMs: 15_000, amiss: ['pollers: [] instead of [poller:steady]'] },
  ],
  [
    'a blip that makes a process change hands twice',
    /^8: poller:steady changed hands 2 times/,
    fault(7_000, 7_010, { blip: true, doubt: true }),
    claim(7_100, 11, 'c'),
    claim(7_900, 12, 'b'),
  ],
  ['a frame that comes twice', /^8: came twice/, frame(5_500, 3, 3, { by: 'b' })],
  [
    'a node that ends by itself',
    /^9: c ended by itself with 1/,
    { kind: 'exit', at: 5_500, node: 'c', expected: false, how: '1' },
  ],
  [
    'an error in a log',
    /^9: c wrote \{"level":50\}/,
    { kind: 'complaint', at: 5_500, node: 'c', line: '{"level":50}' },
  ],
];

describe('the checker', () => {
  test('has nothing to say of a history without a fault in it', () => {
    expect(check(good, TERMS)).toEqual([]);
  });

  test('counts as handovers after a blip neither what begins anew nor what the next fault brings', () => {
    const blip = fault(7_000, 7_010, { blip: true, doubt: true });
    const both = [claim(7_100, 11, 'c'), claim(7_900, 12, 'b')];
    const handovers = (...events: ChaosEvent[]) => check([...good, ...events], TERMS).filter((v) => v.includes('blip'));
    expect(handovers(blip, ...both)).toHaveLength(1);
    expect(handovers(blip, ...both, fault(7_500, 7_600))).toEqual([]);
    // The history that this is from: a visitor left, the next one came within the lease time, and a node was cut off.
    const visited = (event: ChaosEvent): ChaosEvent => ({ ...event, name: 'poller:visited' }) as ChaosEvent;
    const visit = (kind: 'join' | 'leave', at: number, viewer: string): ChaosEvent => ({
      ...{ kind, at, viewer, topic: 'visited' },
    });
    const visits = [visit('join', 6_600, 'x'), visit('leave', 7_050, 'x'), visit('join', 7_090, 'y')];
    expect(handovers(blip, ...visits, ...both.map(visited))).toEqual([]);
    expect(handovers(blip, visit('join', 6_600, 'x'), ...both.map(visited))).toHaveLength(1);
  });

  test.each(planted)('finds %s', (_what, expected, ...events) => {
    const found = check([...good, ...events], TERMS);
    expect(found.some((violation) => expected.test(violation))).toBe(true);
  });

  test('allows an old owner one lease time while leases are in doubt, and no more', () => {
    const doubt = fault(4_000, 4_900, { doubt: true });
    expect(check([...good, doubt, query(6_900, 'a')], TERMS)).toEqual([]);
    expect(check([...good, doubt, query(7_700, 'a')], TERMS)).toEqual([
      expect.stringMatching(/^2: a asked for steady 2690 ms/),
    ]);
  });

  // Seen in chaos, seed 1125: replaced in peace, and seven seconds later cut off with everybody else by a Redis that froze.
  test('takes what a former owner asks for its own viewers while it is cut off, and only then', () => {
    const frozen = fault(9_000, 12_000, { name: 'Redis freezes', doubt: true, local: true });
    expect(check([...good, frozen, query(12_300, 'a')], TERMS)).toEqual([]);
    expect(check([...good, frozen, query(16_500, 'a')], TERMS)).toEqual([
      expect.stringMatching(/^2: a asked for steady 11490 ms/),
    ]);
  });

  test('does not excuse what a former owner asks long after the fault in which it was replaced', () => {
    const away = fault(4_000, 4_900, { name: 'node cut from Redis', doubt: true, local: true });
    expect(check([...good, away, query(8_800, 'a')], TERMS)).toEqual([]);
    expect(check([...good, away, query(9_100, 'a')], TERMS)).toEqual([
      expect.stringMatching(/^2: a asked for steady 4090 ms/),
    ]);
  });

  test('takes what nodes show of their own without Redis for that, and still lets nothing go back', () => {
    const own = { state: 'stale', by: 'a' } as const;
    expect(check([...good, frame(6_200, 3, 4, { ...own, via: 'ack' })], TERMS)).toEqual([]);
    expect(check([...good, frame(6_200, 4, 1, own)], TERMS)).toEqual([expect.stringMatching(/^1: shows the past/)]);
  });

  test('takes it that a Redis that has lost its data knows no lease', () => {
    expect(check([...good, ...emptied], TERMS)).toEqual([]);
  });

  test('takes a claim that was on its way to a Redis that froze, and no other without a lease', () => {
    const frozen = fault(5_100, 8_000, { name: 'Redis freezes', lateClaims: true });
    expect(check([...good, frozen, claim(8_010, 10, 'b')], TERMS)).toEqual([]);
    expect(check([...good, frozen, claim(10_001, 10, 'b')], TERMS)).toEqual([
      expect.stringMatching(/^5: b claimed poller:steady 5002 ms after its lease/),
    ]);
    expect(check([...good, frozen, claim(8_010, 10, 'c')], TERMS)).toEqual(
      expect.arrayContaining([expect.stringMatching(/^5: c claimed/)]),
    );
  });

  test('gives those who cannot be told that all have gone the time to learn it', () => {
    const cut = fault(19_900, 24_000);
    expect(check([...good, cut, query(25_000, 'b')], TERMS)).toEqual([]);
    expect(check([...good, cut, query(31_000, 'b')], TERMS)).toEqual([
      expect.stringMatching(/^6: b asked for steady 11000 ms/),
    ]);
  });

  test('does not mind in which order the notes were made', () => {
    const [, , ...rest] = planted[0] as (typeof planted)[number];
    const history = [...good, ...rest];
    expect(check([...history].reverse(), TERMS)).toEqual(check(history, TERMS));
  });
});
