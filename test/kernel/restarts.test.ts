import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { PollcastError } from '../../src/errors.js';
import { decideOutage, decideRestart, RestartHistory, RESTARTS } from '../../src/kernel/restarts.js';

const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe('restarts', () => {
  it('waits longer after each crash, and not at all alike', () => {
    let crashes: readonly number[] = [];
    const delays: number[] = [];
    for (let i = 0; i < RESTARTS.most; i++) {
      const decision = decideRestart(crashes, i, 0.5);
      delays.push(decision.delayMs);
      crashes = decision.crashes;
    }
    expect(delays).toEqual([37.5, 75, 150, 300, 600]);
    expect(decideRestart([], 0, 0.99).delayMs).not.toBe(decideRestart([], 0, 0.01).delayMs);
  });

  it('fails at the crash after the fifth within the period, and counts anew afterwards', () => {
    expect(decideRestart([0, 1, 2, 3, 4], 9_999, 0)).toMatchObject({ failed: true, crashes: [] });
    expect(decideRestart([0, 1, 2, 3, 4], 10_000, 0)).toMatchObject({ failed: false, crashes: [1, 2, 3, 4, 10_000] });
  });

  it('never restarts more often than the rule allows in any window, whenever it crashes', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 5_000 }), { maxLength: 60 }), random, (gaps, chance) => {
        let now = 0;
        let crashes: readonly number[] = [];
        const restarts: number[] = [];
        for (const gap of gaps) {
          now += gap;
          const decision = decideRestart(crashes, now, chance);
          crashes = decision.crashes;
          // What has failed is down for so long that its crashes do not count any more.
          if (decision.failed) now += decision.delayMs;
          else restarts.push(now);
          expect(decision.delayMs).toBeGreaterThan(0);
          expect(decision.delayMs).toBeLessThanOrEqual(decision.failed ? RESTARTS.failedMs * 1.25 : RESTARTS.longestMs);
        }
        for (const at of restarts) {
          const within = restarts.filter((other) => other >= at && other < at + RESTARTS.withinMs);
          expect(within.length).toBeLessThanOrEqual(RESTARTS.most);
        }
      }),
    );
  });

  it('slows down in an outage, so that nobody storms what comes back, but never gives up', () => {
    let outages: readonly number[] = [];
    let now = 0;
    const delays: number[] = [];
    for (let i = 0; i < 40; i++) {
      const decision = decideOutage(outages, now, 0.999);
      outages = decision.outages;
      delays.push(decision.delayMs);
      now += decision.delayMs;
    }
    expect(delays[0]).toBeLessThan(51);
    for (const delay of delays.slice(8)) expect(delay).toBeGreaterThan(RESTARTS.longestMs / 2);
    expect(Math.max(...delays)).toBeLessThanOrEqual(RESTARTS.longestMs);
    expect(decideOutage(outages, now + RESTARTS.withinMs, 0).delayMs).toBeLessThan(51);
  });

  it('does not count an outage as a crash', () => {
    const history = new RestartHistory();
    for (let i = 0; i < 50; i++) expect(history.next(new PollcastError('UNAVAILABLE'), i, 0).failed).toBe(false);
    for (let i = 0; i < 5; i++) expect(history.next(new Error('bug'), 50 + i, 0).failed).toBe(false);
    expect(history.next(new Error('bug'), 60, 0).failed).toBe(true);
  });
});
