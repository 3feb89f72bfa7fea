import { describe, expect, it } from '@jest/globals';
import { Backoff } from '../../client/backoff.js';
import { HubClock } from '../../client/hub-clock.js';
import { isNewer, LOADING, onFrame, onStatus, onSubscribed } from '../../client/snapshot.js';
import { topicKey } from '../../client/topic-key.js';
import { unite } from '../../client/watch.js';

const toLocal = (moment: string | number): number => Number(moment);
const ack = { channel: 'a', epoch: 3, seq: 5, rows: [{ n: 5 }], polledAt: 50, every: '1s' };

describe('positions', () => {
  it('are ordered by numeric epoch, then by seq', () => {
    expect(isNewer({ epoch: 1, seq: 1 }, undefined)).toBe(true);
    expect(isNewer({ epoch: 1, seq: 2 }, { epoch: 1, seq: 1 })).toBe(true);
    expect(isNewer({ epoch: 1, seq: 1 }, { epoch: 1, seq: 1 })).toBe(false);
    expect(isNewer({ epoch: 2, seq: 1 }, { epoch: 1, seq: 9 })).toBe(true);
    expect(isNewer({ epoch: '9', seq: 9 }, { epoch: '10', seq: 1 })).toBe(false);
  });

  it('of epochs that are names begin anew with each other name', () => {
    expect(isNewer({ epoch: 'b', seq: 1 }, { epoch: 'a', seq: 9 })).toBe(true);
    expect(isNewer({ epoch: 'a', seq: 8 }, { epoch: 'a', seq: 9 })).toBe(false);
  });
});

describe('a snapshot', () => {
  it('stays the same object when nothing changed', () => {
    const live = onSubscribed(LOADING, ack, toLocal);
    expect(onFrame(live, { ...ack, seq: 4 }, toLocal)).toBe(live);
    const stale = onStatus(live, { channel: 'a', state: 'stale', reason: 'x', since: 1 });
    expect(onStatus(stale, { channel: 'a', state: 'stale', reason: 'x', since: 1 })).toBe(stale);
  });

  it('keeps newer rows when the acknowledgement of a lagging node brings older ones', () => {
    const live = onSubscribed(LOADING, ack, toLocal);
    const again = onSubscribed(live, { ...ack, seq: 4, rows: [{ n: 4 }] }, toLocal);
    expect(again).toMatchObject({ rows: [{ n: 5 }], position: { epoch: 3, seq: 5 }, state: 'live' });
  });

  it('keeps its rows when it goes stale, and frames do not make it live', () => {
    const stale = onStatus(onSubscribed(LOADING, ack, toLocal), { channel: 'a', state: 'stale', since: 1 });
    expect(onFrame(stale, { ...ack, seq: 6, rows: [{ n: 6 }] }, toLocal)).toMatchObject({
      state: 'stale',
      rows: [{ n: 6 }],
    });
  });
});

describe('the hub clock', () => {
  it('takes the smallest gap ever seen for the difference of the clocks', () => {
    let now = 100_000;
    const clock = new HubClock(() => now);
    clock.observe(40_000);
    now = 101_000;
    clock.observe(40_900);
    expect(clock.hubNow()).toBe(41_000);
    expect(clock.toLocal(40_500)).toBe(100_500);
    expect(clock.toLocal(99_000)).toBe(now);
    expect(clock.toLocal('not a time')).toBe(now);
  });
});

describe('waits, keys and options', () => {
  it('double up to the most, with at least half of each', () => {
    const waits = new Backoff(100, 500, () => 0);
    expect([waits.nextMs(), waits.nextMs(), waits.nextMs(), waits.nextMs()]).toEqual([50, 100, 200, 250]);
    const longest = new Backoff(100, 500, () => 1);
    expect([longest.nextMs(), longest.nextMs()]).toEqual([100, 200]);
  });

  it('do not depend on the order of parameters or on undefined ones', () => {
    expect(topicKey('a', { y: 1, x: 2, z: undefined })).toBe(topicKey('a', { x: 2, y: 1 }));
    expect(topicKey('a', { x: '1' })).not.toBe(topicKey('a', { x: 1 }));
  });

  it("are united to the fastest refresh, which is the topic's own when one asks for nothing", () => {
    expect(unite([{ every: '1m' }, { every: '5s', presence: true }])).toEqual({ every: '5s', presence: true });
    expect(unite([{ every: '5s' }, {}])).toEqual({});
  });
});
