import { describe, expect, it } from '@jest/globals';
import { hostLog } from '../../src/nest/host-log.js';

describe('the hub’s lines in the application’s log', () => {
  it('say what happened, to what, and why; without passwords', () => {
    const lines: unknown[][] = [];
    const write =
      (level: string) =>
      (...given: unknown[]) =>
        void lines.push([level, ...given]);
    const log = hostLog({ debug: write('debug'), log: write('log'), warn: write('warn'), error: write('error') });
    const err = new Error('no way to redis://me:hunter2@cache:1', { cause: new Error('refused') });
    log.debug({}, 'nothing special');
    log.info({ node: 'a', leaseMs: 5000, absent: undefined }, 'node joined');
    log.warn({ err }, 'not ready');
    log.error({ err, list: [1] }, 'a gateway threw');
    expect(lines).toEqual([
      ['debug', 'nothing special'],
      ['log', 'node joined (node=a leaseMs=5000)'],
      ['warn', 'not ready: no way to redis://me:***@cache:1: refused'],
      ['error', 'a gateway threw (list=[1]): no way to redis://me:***@cache:1: refused', err.stack],
    ]);
  });
});
