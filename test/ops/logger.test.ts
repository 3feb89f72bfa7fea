import { describe, expect, it } from '@jest/globals';
import { PollcastError } from '../../src/errors.js';
import { createLogger, NestLog } from '../../src/ops/logger.js';

type Line = Record<string, unknown>;

function logTo(lines: Line[], logLevel: 'debug' | 'info' = 'info'): ReturnType<typeof createLogger> {
  return createLogger({ logLevel, logFormat: 'json' }, { write: (line) => void lines.push(JSON.parse(line) as Line) });
}

describe('the log', () => {
  it('has one JSON object a line, from its level on', () => {
    const lines: Line[] = [];
    const log = logTo(lines);
    log.debug({}, 'not this');
    log.info({ topic: 'sales' }, 'this');
    expect(lines).toMatchObject([{ level: 30, topic: 'sales', msg: 'this' }]);
  });

  it('has no secrets', () => {
    const lines: Line[] = [];
    logTo(lines).info(
      { token: 'hunter2', request: { headers: { authorization: 'Bearer hunter2' } }, auth: { secret: 'hunter2' } },
      'm',
    );
    expect(JSON.stringify(lines)).not.toContain('hunter2');
    expect(lines[0]?.['token']).toBe('***');
  });

  it('tells an error with its cause, and without the passwords of addresses', () => {
    const lines: Line[] = [];
    const cause = new Error('connect to postgres://me:hunter2@db/shop failed');
    logTo(lines).warn({ err: new PollcastError('UNAVAILABLE', 'no rows', undefined, { cause }) }, 'm');
    logTo(lines).warn({ err: cause }, 'm');
    expect(lines[0]?.['err']).toMatchObject({ type: 'PollcastError', message: 'no rows', code: 'UNAVAILABLE' });
    expect(JSON.stringify(lines)).toContain('postgres://me:***@db/shop');
    expect(JSON.stringify(lines)).not.toContain('hunter2');
  });

  it('has neither the SQL and the values that drivers hang onto their errors, nor stacks of what is no bug', () => {
    const asked = {
      internalQuery: 'SELECT 1',
      where: 'SQL statement',
      detail: 'Key (a)=(1)',
      command: { args: ['1'] },
    };
    const cause = Object.assign(new Error('relation does not exist'), { code: '42P01', severity: 'ERROR', ...asked });
    const failed = new PollcastError('QUERY_FAILED', 'no rows', undefined, { cause });
    const [told, debugged]: [Line[], Line[]] = [[], []];
    logTo(told).warn({ err: failed }, 'm');
    expect(told[0]?.['err']).toEqual({
      type: 'PollcastError',
      message: 'no rows',
      name: 'PollcastError',
      code: 'QUERY_FAILED',
      cause: { type: 'Error', message: 'relation does not exist', code: '42P01', severity: 'ERROR' },
    });
    logTo(debugged, 'debug').warn({ err: failed }, 'm');
    expect(debugged[0]?.['err']).toMatchObject({ stack: expect.any(String), cause: { stack: expect.any(String) } });
    expect(JSON.stringify(debugged)).not.toMatch(/SELECT 1|Key \(a\)|SQL statement/);
    logTo(told).error({ err: new TypeError('x is not a function') }, 'm');
    expect(told[1]?.['err']).toMatchObject({ stack: expect.stringContaining('logger.test') });
  });

  it('takes Nest’s lines: how modules come up only for debugging, warnings and errors always', () => {
    const lines: Line[] = [];
    const nest = new NestLog(logTo(lines));
    nest.log('dependencies initialized', 'InstanceLoader');
    nest.warn('careful', 'Router');
    nest.error('it broke', 'Error: it broke\n    at here', 'Handler');
    nest.error(new Error('thrown'));
    expect(lines).toMatchObject([
      { level: 40, msg: 'careful', context: 'Router' },
      { level: 50, msg: 'it broke', context: 'Handler', stack: expect.stringContaining('at here') },
      { level: 50, msg: 'thrown', err: { message: 'thrown' } },
    ]);
  });
});
