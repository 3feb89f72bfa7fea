import { describe, expect, it, jest } from '@jest/globals';
import { onExpiry } from '../../src/access/expiry.js';
import { ManualClock } from './support.js';

describe('the end of a session', () => {
  it('comes at its time, once', () => {
    const clock = new ManualClock();
    const end = jest.fn();
    onExpiry(clock.now() + 3_600_000, end, clock);
    clock.advance(3_599_999);
    expect(end).not.toHaveBeenCalled();
    clock.advance(1);
    clock.advance(3_600_000);
    expect(end).toHaveBeenCalledTimes(1);
    expect(clock.waiting).toBe(0);
  });

  it('comes at once when it has passed already, but not before the caller goes on', () => {
    const clock = new ManualClock();
    const end = jest.fn();
    onExpiry(clock.now() - 5, end, clock);
    expect(end).not.toHaveBeenCalled();
    clock.advance(0);
    expect(end).toHaveBeenCalledTimes(1);
  });

  it('follows a clock that is set, within a minute', () => {
    const clock = new ManualClock();
    const end = jest.fn();
    onExpiry(clock.now() + 3_600_000, end, clock);
    clock.step(3_600_000);
    clock.advance(60_000);
    expect(end).toHaveBeenCalledTimes(1);
  });

  it('is further away than a timer can count, and still does not come early', () => {
    const clock = new ManualClock();
    const end = jest.fn();
    const timer = onExpiry(clock.now() + 2 ** 40, end, clock);
    clock.advance(600_000);
    expect(end).not.toHaveBeenCalled();
    timer.cancel();
    expect(clock.waiting).toBe(0);
  });

  it('never comes for a session without one, and not after it was cancelled', () => {
    const clock = new ManualClock();
    const end = jest.fn();
    onExpiry(undefined, end, clock);
    const timer = onExpiry(clock.now() + 1_000, end, clock);
    timer.cancel();
    timer.cancel();
    clock.advance(10_000);
    expect(end).not.toHaveBeenCalled();
  });
});
