import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { describeConfig, readConfig, redactUrls, VARIABLES, type Config, type Variable } from '../src/config.js';
import { PollcastError } from '../src/errors.js';

type Env = Partial<Record<Variable, string>>;

function faults(env: Env): string[] {
  try {
    readConfig(env);
  } catch (error) {
    return ((error as PollcastError).details as { faults: string[] }).faults;
  }
  return [];
}

describe('an empty environment', () => {
  it('is a single node on loopback with an embedded database, everything at its default', () => {
    expect(readConfig({})).toEqual({
      port: 3000,
      host: '127.0.0.1',
      loopback: true,
      hosted: false,
      databaseUrl: undefined,
      redisUrl: undefined,
      redisPrefix: 'pollcast',
      lockRedisUrls: [],
      topicsDir: resolve('topics'),
      nodeName: `${hostname().replace(/[^\w.-]/g, '-')}-${process.pid}`,
      leaseMs: 5_000,
      lingerMs: 5_000,
      auth: { mode: 'none' },
      adminToken: undefined,
      corsOrigins: [],
      trustedProxies: ['loopback'],
      storage: { kind: 'file', path: resolve('var/files') },
      onRedisLoss: 'local',
      exports: { ttlMs: 3_600_000, maxRows: 10_000_000, timeoutMs: 1_800_000 },
      roomKeepMs: 86_400_000,
      recorder: {
        slots: undefined,
        size: { width: 1_280, height: 720 },
        allow: [],
        chromiumPath: undefined,
        ffmpegPath: undefined,
      },
      drainMs: 10_000,
      logLevel: 'info',
      logFormat: undefined,
      demo: true,
      tracing: false,
    });
  });

  it('is what blank variables make, too', () => {
    const blank = Object.fromEntries(VARIABLES.map((name) => [name, ' ']));
    expect(readConfig(blank)).toEqual(readConfig({}));
  });

  it('cannot be changed afterwards, at any depth', () => {
    const config = readConfig({ CORS_ORIGIN: 'https://a.example' });
    const write = (change: () => void): void => expect(change).toThrow(TypeError);
    write(() => ((config as { port: number }).port = 1));
    write(() => ((config.exports as { ttlMs: number }).ttlMs = 1));
    write(() => (config.corsOrigins as string[]).push('*'));
  });
});

describe('a right value', () => {
  const cases: [env: Env, part: Partial<Config>][] = [
    [{ PORT: '0' }, { port: 0 }],
    [{ PORT: ' 8080 ' }, { port: 8080 }],
    [{ HOST: '::1' }, { host: '::1', loopback: true }],
    [{ HOST: '[::1]' }, { host: '::1', loopback: true }],
    [{ HOST: 'localhost' }, { host: 'localhost', loopback: true }],
    [{ HOST: '127.0.0.2' }, { host: '127.0.0.2', loopback: true }],
    [
      { HOST: '0.0.0.0', AUTH: 'none' },
      { host: '0.0.0.0', loopback: false, auth: { mode: 'none' } },
    ],
    [{ DATABASE_URL: 'postgres://me:pw@db/shop' }, { databaseUrl: 'postgres://me:pw@db/shop', demo: false }],
    [
      { DATABASE_URL: 'postgresql://db/shop', DEMO: 'on' },
      { databaseUrl: 'postgresql://db/shop', demo: true },
    ],
    [{ DEMO: 'off' }, { demo: false }],
    [{ REDIS_URL: 'rediss://:pw@cache:6380/2' }, { redisUrl: 'rediss://:pw@cache:6380/2' }],
    [{ REDIS_URL: 'redis://a:1, redis://b:2' }, { redisUrl: 'redis://a:1,redis://b:2' }],
    [
      { REDIS_URL: 'redis://a', LOCK_REDIS_URLS: 'redis://b, redis://c' },
      { lockRedisUrls: ['redis://b', 'redis://c'] },
    ],
    [{ REDIS_PREFIX: 'shop:live' }, { redisPrefix: 'shop:live' }],
    [{ TOPICS_DIR: 'sql' }, { topicsDir: resolve('sql') }],
    [{ NODE_NAME: 'hub-1.eu' }, { nodeName: 'hub-1.eu' }],
    [{ LEASE_MS: '900' }, { leaseMs: 900 }],
    [{ LINGER_MS: '0' }, { lingerMs: 0 }],
    [{ AUTH: 'JWT', AUTH_JWT_SECRET: 's' }, { auth: { mode: 'jwt', secret: 's' } }],
    [{ AUTH_JWKS_URL: 'https://id/keys' }, { auth: { mode: 'jwt', jwksUrl: 'https://id/keys' } }],
    [{ AUTH: 'none', AUTH_JWT_SECRET: 's' }, { auth: { mode: 'none' } }],
    [
      { AUTH_JWT_SECRET: 's', AUTH_ISSUER: 'https://id', AUTH_AUDIENCE: 'a, b', HOST: '0.0.0.0' },
      { auth: { mode: 'jwt', secret: 's', issuer: 'https://id', audience: ['a', 'b'] }, loopback: false },
    ],
    [{ CORS_ORIGIN: 'https://A.example/, http://b:81' }, { corsOrigins: ['https://a.example', 'http://b:81'] }],
    [{ CORS_ORIGIN: '*' }, { corsOrigins: ['*'] }],
    [{ STORAGE_URL: 'file:files' }, { storage: { kind: 'file', path: resolve('files') } }],
    [{ STORAGE_URL: 'file:///srv/files' }, { storage: { kind: 'file', path: '/srv/files' } }],
    [{ STORAGE_URL: 's3://bucket/hub' }, { storage: { kind: 's3', url: 's3://bucket/hub' } }],
    [{ ON_REDIS_LOSS: 'pause' }, { onRedisLoss: 'pause' }],
    [
      { EXPORT_TTL: '2h', EXPORT_MAX_ROWS: '5', EXPORT_TIMEOUT: '90s' },
      { exports: { ttlMs: 7_200_000, maxRows: 5, timeoutMs: 90_000 } },
    ],
    [{ ROOM_KEEP: '10m' }, { roomKeepMs: 600_000 }],
    [
      { RECORDER_SLOTS: '3', RECORDER_SIZE: '640x360' },
      { recorder: { slots: 3, size: { width: 640, height: 360 }, allow: [] } },
    ],
    [
      { LOG_LEVEL: 'debug', LOG_FORMAT: 'json' },
      { logLevel: 'debug', logFormat: 'json' },
    ],
  ];
  it.each(cases)('%j is read', (env, part) => {
    expect(readConfig(env)).toMatchObject(part);
  });
});

describe('a wrong value', () => {
  const cases: [env: Env, fault: string][] = [
    [{ PORT: 'http' }, 'PORT: expected a whole number from 0 to 65535, got http'],
    [{ PORT: '65536' }, 'PORT: expected a whole number from 0 to 65535, got 65536'],
    [{ PORT: '-1' }, 'PORT: expected a whole number from 0 to 65535, got -1'],
    [{ HOST: 'not a host' }, 'HOST: expected an address or a host name, got not a host'],
    [
      { DATABASE_URL: 'mysql://db/x' },
      'DATABASE_URL: expected postgres://USER:PASSWORD@HOST:PORT/DATABASE, or duckdb:PATH, with ?files=FOLDER,FOLDER&threads=N&memory=1GB if need be, got mysql://db/x',
    ],
    [{ LEASE_MS: '5s' }, 'LEASE_MS: expected a whole number of milliseconds from 900 to 600000, got 5s'],
    [{ LEASE_MS: '899' }, 'LEASE_MS: expected a whole number of milliseconds from 900 to 600000, got 899'],
    [{ AUTH: 'basic' }, 'AUTH: expected none or jwt, got basic'],
    [{ NODE_NAME: 'a~b' }, 'NODE_NAME: expected up to 100 letters, digits and . _ -, got a~b'],
    [{ EXPORT_TTL: '60' }, 'EXPORT_TTL: expected a duration such as 250ms, 5s, 10m or 1h, from 1s to 8760h, got 60'],
    [{ STORAGE_URL: 'ftp://x' }, 'STORAGE_URL: expected file:PATH or s3://BUCKET/PREFIX, got ftp://x'],
    [{ ON_REDIS_LOSS: 'die' }, 'ON_REDIS_LOSS: expected local or pause, got die'],
    [{ DEMO: 'maybe' }, 'DEMO: expected on or off, got maybe'],
    [
      { RECORDER_SIZE: '641x360' },
      'RECORDER_SIZE: expected WIDTHxHEIGHT in even pixels from 160x90 to 3840x2160, got 641x360',
    ],
    [
      { TRUSTED_PROXIES: 'loopback,banana' },
      'TRUSTED_PROXIES: expected addresses, networks such as 10.0.0.0/8, loopback, linklocal or uniquelocal, comma-separated, got loopback,banana',
    ],
    [
      { CORS_ORIGIN: 'https://a.example/path' },
      'CORS_ORIGIN: expected origins such as https://dash.example.com, comma-separated, or *, got https://a.example/path',
    ],
    [
      { REDIS_URL: 'redis://a,http://b' },
      'REDIS_URL: expected redis://HOST:PORT or rediss://…; several nodes of one cluster comma-separated, got redis://a,http://b',
    ],
    [{ LOG_LEVEL: 'loud' }, 'LOG_LEVEL: expected one of trace, debug, info, warn, error, fatal, silent, got loud'],
  ];
  it.each(cases)('%j is refused, with what was expected and what was got', (env, fault) => {
    expect(faults(env)).toEqual([fault]);
  });

  it('is a coded error, whose message has all faults, a line each', () => {
    const read = (): Config => readConfig({ PORT: 'x', LEASE_MS: 'y' });
    expect(read).toThrow(PollcastError);
    expect(read).toThrow(/^The environment is not right:\n {2}PORT: .*\n {2}LEASE_MS: .*$/);
  });

  it('is not repeated where it is a secret, or holds one', () => {
    const told = faults({ ADMIN_TOKEN: 'hunter 2', DATABASE_URL: 'mysql://me:hunter2@db/x' }).join('\n');
    expect(told).toContain('ADMIN_TOKEN: expected a token without spaces, got 8 characters');
    expect(told).toContain('mysql://me:***@db/x');
    expect(told).not.toContain('hunter');
  });
});

describe('values that contradict each other', () => {
  it('refuse a host that others can reach while no authentication is configured', () => {
    for (const HOST of ['0.0.0.0', '::', '10.0.0.1', 'hub.example']) {
      expect(faults({ HOST })).toEqual([
        expect.stringMatching(/^HOST: expected a loopback address .* AUTH=jwt .* AUTH=none/),
      ]);
    }
  });

  it('refuse AUTH=jwt without a way to verify', () => {
    expect(faults({ AUTH: 'jwt' })).toEqual([
      'AUTH: expected AUTH_JWT_SECRET or AUTH_JWKS_URL beside AUTH=jwt, got neither',
    ]);
  });

  it('refuse locks without a cluster, and one master counted twice', () => {
    expect(faults({ LOCK_REDIS_URLS: 'redis://a,redis://a' })).toEqual([
      expect.stringMatching(/^LOCK_REDIS_URLS: expected REDIS_URL beside it/),
      expect.stringMatching(/^LOCK_REDIS_URLS: expected independent masters/),
    ]);
  });

  it('are told beside the faults of single values, but not in place of them', () => {
    expect(faults({ PORT: 'x', AUTH: 'jwt' })).toHaveLength(2);
    expect(faults({ HOST: '0.0.0.0', AUTH: 'sure' })).toEqual(['AUTH: expected none or jwt, got sure']);
    expect(faults({ LOCK_REDIS_URLS: 'redis://a', REDIS_URL: 'nowhere' })).toHaveLength(1);
  });
});

describe('describeConfig', () => {
  it('shows the settings without any secret', () => {
    const shown = JSON.stringify(
      describeConfig(
        readConfig({
          DATABASE_URL: 'postgres://me:secret1@db/shop?password=secret2',
          REDIS_URL: 'redis://:secret3@a,redis://u:secret4@b',
          LOCK_REDIS_URLS: 'redis://:secret5@c',
          AUTH_JWT_SECRET: 'secret6',
          ADMIN_TOKEN: 'secret7',
          STORAGE_URL: 's3://key:secret8@bucket',
        }),
      ),
    );
    expect(shown).not.toContain('secret1');
    expect(shown).not.toMatch(/secret\d/);
    expect(shown).toContain('postgres://me:***@db/shop');
    expect(shown).toContain('"adminToken":"(set)"');
  });

  it('leaves what is not set out', () => {
    expect(describeConfig(readConfig({}))).not.toHaveProperty('databaseUrl');
  });
});

describe('redactUrls', () => {
  it.each([
    ['connect to postgres://u:p@h:5432/d failed', 'connect to postgres://u:***@h:5432/d failed'],
    ['redis://:p@ss@h', 'redis://:***@h'],
    ['http://h/path?token=abc&x=1', 'http://h/path?token=***&x=1'],
    ['http://127.0.0.1:3000/a@b', 'http://127.0.0.1:3000/a@b'],
    ['no address at all', 'no address at all'],
  ])('%s', (given, expected) => {
    expect(redactUrls(given)).toBe(expected);
  });
});
