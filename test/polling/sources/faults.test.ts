import { describe, expect, test } from '@jest/globals';
import pg from 'pg';

import { ERROR_CODES } from '../../../src/errors.js';
import { classify, sqlstateOf, tell, type Fault } from '../../../src/polling/sources/faults.js';

function fromServer(code: string, message = 'relation "secret" does not exist'): Error {
  return Object.assign(new pg.DatabaseError(message, 10, 'error'), { code, severity: 'ERROR' });
}

function fromSocket(code: string): Error {
  return Object.assign(new Error(`connect ${code} 10.1.2.3:5432`), { code, syscall: 'connect' });
}

const kindOf = (cause: unknown, elapsedMs = 10): string => classify(cause, { elapsedMs, timeoutMs: 1000 }).kind;

describe('classify', () => {
  test.each(['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'ENOTFOUND', 'EHOSTUNREACH', 'EPIPE'])(
    '%s is an outage',
    (code) => {
      expect(kindOf(fromSocket(code))).toBe('outage');
    },
  );

  test.each([
    '08000',
    '08006',
    '08P01',
    '57P01',
    '57P02',
    '57P03',
    '57P05',
    '25P03',
    '53300',
    '28P01',
    '28000',
    '3D000',
  ])('state %s is an outage', (code) => {
    expect(kindOf(fromServer(code))).toBe('outage');
  });

  test.each([
    ['22012', 'failed'],
    ['53200', 'failed'],
    ['XX000', 'failed'],
    ['25006', 'failed'],
    ['42P01', 'structural'],
    ['42601', 'structural'],
    ['0A000', 'structural'],
    ['55P03', 'locked'],
    ['40001', 'again'],
    ['40P01', 'again'],
  ])('state %s is %s', (code, kind) => {
    expect(kindOf(fromServer(code))).toBe(kind);
  });

  test('a cancelled statement timed out when its time was up, and else was cancelled by somebody', () => {
    expect(kindOf(fromServer('57014'), 1001)).toBe('timeout');
    expect(kindOf(fromServer('57014'), 300)).toBe('failed');
  });

  test('only a connection that broke under a statement is worth another one', () => {
    const lost = (cause: unknown): unknown => classify(cause, { elapsedMs: 1, timeoutMs: 1000 });
    expect(lost(fromSocket('ECONNRESET'))).toMatchObject({ lost: true });
    expect(lost(fromServer('57P01'))).toMatchObject({ lost: true });
    expect(lost(new Error('Connection terminated unexpectedly'))).toMatchObject({ lost: true });
    expect(lost(fromSocket('ECONNREFUSED'))).toMatchObject({ lost: false });
    expect(lost(fromServer('53300'))).toMatchObject({ lost: false });
    expect(lost('no error at all')).toMatchObject({ kind: 'outage', lost: false });
  });

  test('a socket error whose code looks like a state is none', () => {
    expect(sqlstateOf(fromSocket('EPIPE'))).toBeUndefined();
    expect(sqlstateOf(fromServer('22012'))).toBe('22012');
  });
});

describe('tell', () => {
  test.each(['22012', '42P01', '57014', '55P03', '40001', 'ZZ999', 'P0001'])(
    'state %s becomes a coded sentence',
    (code) => {
      for (const elapsedMs of [1, 5000]) {
        const fault = classify(fromServer(code), { elapsedMs, timeoutMs: 1000 }) as Exclude<Fault, { kind: 'outage' }>;
        const told = tell(fault, 1000);
        expect(Object.keys(ERROR_CODES)).toContain(told.code);
        expect(told.message).not.toMatch(/secret|relation/);
        expect(told.message).toMatch(/^The topic's query .*\.$/);
      }
    },
  );
});
