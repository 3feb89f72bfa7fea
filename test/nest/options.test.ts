import { describe, expect, it } from '@jest/globals';
import { VARIABLES, type Variable } from '../../src/config.js';
import { PollcastError } from '../../src/errors.js';
import { OF_A_PROGRAM, readOptions, VARIABLE_OF, type PollcastOptions } from '../../src/nest/options.js';

type Option = (typeof VARIABLE_OF)[keyof typeof VARIABLE_OF];
/** A variable that is neither is missing here, and does not compile: see `VARIABLE_OF`, `OF_A_PROGRAM`. */
const FORGOTTEN: Record<Exclude<Variable, Option | (typeof OF_A_PROGRAM)[number]>, never> = {};

function faults(options: object): string[] {
  try {
    readOptions(options as PollcastOptions);
  } catch (error) {
    expect(error).toBeInstanceOf(PollcastError);
    expect(error).toMatchObject({ code: 'BAD_REQUEST' });
    return (error as PollcastError).message
      .split('\n')
      .slice(1)
      .map((line) => line.trim());
  }
  return [];
}

describe('the options of the module', () => {
  it('are the variables of the environment, but for what only a program of its own has', () => {
    expect(FORGOTTEN).toEqual({});
    expect([...Object.values(VARIABLE_OF), ...OF_A_PROGRAM].sort()).toEqual([...VARIABLES].sort());
    for (const [option, variable] of Object.entries(VARIABLE_OF)) {
      expect(option).toBe(variable.toLowerCase().replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()));
    }
  });

  it('are read as the environment is, and frozen', () => {
    const config = readOptions({
      auth: 'jwt',
      authJwtSecret: 'x'.repeat(32),
      authAudience: ['a', 'b'],
      databaseUrl: 'postgres://db/shop',
      topicsDir: '/srv/topics',
      leaseMs: 3_000,
      exportTtl: '2h',
      corsOrigin: ['https://a.example', 'https://b.example'],
    });
    expect(config).toMatchObject({
      auth: { mode: 'jwt', audience: ['a', 'b'] },
      databaseUrl: 'postgres://db/shop',
      topicsDir: '/srv/topics',
      leaseMs: 3_000,
      lingerMs: 5_000,
      exports: { ttlMs: 7_200_000 },
      corsOrigins: ['https://a.example', 'https://b.example'],
    });
    expect(Object.isFrozen(config)).toBe(true);
  });

  it('open nothing that was not asked for: no database, files, demo, administrators, recorders, traces', () => {
    expect(readOptions({ auth: 'none' })).toMatchObject({
      hosted: true,
      databaseUrl: undefined,
      topicsDir: null,
      demo: false,
      loopback: false,
      tracing: false,
      recorder: { slots: 0 },
    });
  });

  it('that are wrong are told all at once, by their names', () => {
    expect(
      faults({
        auth: 'jwt',
        leaseMs: 5,
        lockRedisUrls: ['redis://a:1'],
        redisURL: 'redis://x:1',
        adminToken: {},
        lingerMs: -1,
      }),
    ).toEqual([
      'redisURL: there is no such option: did you mean `redisUrl`?',
      'adminToken: expected a text or a number, got object',
      'leaseMs: expected a whole number of milliseconds from 900 to 600000, got 5',
      'lingerMs: expected a whole number of milliseconds from 0 to 86400000, got -1',
      'auth: expected authJwtSecret or authJwksUrl beside auth=jwt, got neither',
      'lockRedisUrls: expected redisUrl beside it, got none: a single node in memory needs no locks',
    ]);
    expect(faults({})).toEqual([
      "auth: expected 'none' to let everybody in, or 'jwt', got nothing: who may watch must be said",
    ]);
    expect(faults({ auth: 'none', topicsDir: './topics' })).toEqual([
      'topicsDir: expected databaseUrl beside it, got none: the files are queries of a database',
    ]);
    expect(faults({ auth: 'none', authJwtSecret: undefined })).toEqual([]);
  });
});
