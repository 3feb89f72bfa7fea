import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { LifeSigns } from '../../src/sockets/life-signs.js';

/** A socket of Socket.IO with ws beneath, as far as is looked. */
class Line extends EventEmitter {
  pings = 0;
  answers = true;

  ping(): void {
    this.pings += 1;
    if (this.answers) this.emit('pong');
  }
}

const told: string[] = [];
let signs: LifeSigns;
let lines: Map<string, Line>;

beforeEach(() => {
  jest.useFakeTimers();
  told.length = 0;
  signs = new LifeSigns({
    everyMs: 100,
    silent: (id) => void told.push(`${id} silent`),
    heard: (id) => void told.push(`${id} heard`),
  });
  lines = new Map(['a', 'b'].map((id) => [id, new Line()]));
  for (const [id, line] of lines) signs.watch({ id, conn: { transport: { socket: line } } } as never);
});
afterEach(() => {
  for (const id of lines.keys()) signs.forget(id);
  expect(jest.getTimerCount()).toBe(0);
  jest.useRealTimers();
});

const line = (id: string): Line => lines.get(id) as Line;

it('tells once of a socket that leaves two pings unanswered, and when it is heard again', () => {
  line('a').answers = false;
  jest.advanceTimersByTime(200);
  expect(told).toEqual(['b heard', 'b heard']);
  jest.advanceTimersByTime(300);
  expect(told.filter((word) => word === 'a silent')).toHaveLength(1);
  line('a').answers = true;
  jest.advanceTimersByTime(100);
  expect(told).toContain('a heard');
});

it('does not take its own lateness for silence', () => {
  line('a').answers = false;
  jest.advanceTimersByTime(200);
  // The node was held up: its answers lie there unread, and are read before the next ping is due.
  line('a').emit('pong');
  jest.advanceTimersByTime(200);
  expect(told).not.toContain('a silent');
});

it('asks nobody any more when it is told to forget them', () => {
  signs.forget('a');
  signs.forget('b');
  jest.advanceTimersByTime(1_000);
  expect([line('a').pings, line('b').pings]).toEqual([0, 0]);
});
