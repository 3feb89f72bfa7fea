import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { z } from 'zod';
import { isLoopbackHost, TrustedProxies } from './access/address.js';
import { canonicalOrigin } from './access/origin.js';
import { PollcastError } from './errors.js';
import { DUCKDB_FORM, duckLocation } from './polling/sources/duckdb/location.js';
import type { StorageLocation } from './storage/open.js';
import { durationRange, tryDuration } from './topics/duration.js';

export type AuthConfig =
  | { readonly mode: 'none' }
  | {
      readonly mode: 'jwt';
      readonly secret?: string;
      readonly jwksUrl?: string;
      readonly issuer?: string;
      readonly audience?: readonly string[];
    };

/** The whole configuration, checked and frozen. Times are in ms, whatever they were written in. */
export interface Config {
  readonly port: number;
  readonly host: string;
  /** Whether `host` can be reached from this machine only. */
  readonly loopback: boolean;
  /** Absent: the embedded database, or none within somebody's application. */
  readonly databaseUrl?: string;
  /** Whether the hub lives in somebody's application: then nothing is there that was not asked for. */
  readonly hosted: boolean;
  /** Absent: a single node, in memory. Several, comma-separated: nodes of one Redis Cluster. */
  readonly redisUrl?: string;
  readonly redisPrefix: string;
  /** Independent masters for the locks' quorum; empty: `redisUrl`. */
  readonly lockRedisUrls: readonly string[];
  /** `null`: all topics are written in code. */
  readonly topicsDir: string | null;
  readonly nodeName: string;
  readonly leaseMs: number;
  readonly lingerMs: number;
  readonly auth: AuthConfig;
  readonly adminToken?: string;
  /** Empty: the hub's own only; `*`: every one. */
  readonly corsOrigins: readonly string[];
  /** Proxies whose `X-Forwarded-*` headers are believed. */
  readonly trustedProxies: readonly string[];
  /** Where exports and recordings lie. */
  readonly storage: StorageLocation;
  readonly onRedisLoss: 'local' | 'pause';
  readonly exports: { readonly ttlMs: number; readonly maxRows: number; readonly timeoutMs: number };
  readonly roomKeepMs: number;
  /** `allow`: origins that may be recorded besides the hub itself. Paths absent: looked for. */
  readonly recorder: {
    /** Absent: by the machine. */
    readonly slots?: number;
    /** Of the page, in pixels. */
    readonly size: { readonly width: number; readonly height: number };
    readonly allow: readonly string[];
    readonly chromiumPath?: string;
    readonly ffmpegPath?: string;
  };
  readonly drainMs: number;
  readonly logLevel: (typeof LOG_LEVELS)[number];
  /** Absent: pretty on a terminal, else json. */
  readonly logFormat?: 'pretty' | 'json';
  /** Whether the demo's schema, its data and what keeps them changing are wanted. */
  readonly demo: boolean;
  /** Whether OpenTelemetry's variables name a collector; its packages read them, and those beside them, themselves. */
  readonly tracing: boolean;
}

/** The configuration of a node of its own, which always has a folder of topics. */
export type NodeConfig = Config & { readonly topicsDir: string };

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
/** The lease is renewed every third of it, and asking the locks may take 300 ms: the one must leave room for the other. */
const MIN_LEASE_MS = 3 * 300;

/** How one variable is read: `undefined` means that it is not as expected. */
interface Form<T> {
  readonly expected: string;
  /** Its value must not be repeated anywhere. */
  readonly secret?: boolean;
  readonly read: (text: string) => T | undefined;
}

/** Blank counts as absent: compose files pass on what is not set as an empty text. */
function optional<T>({ expected, secret, read }: Form<T>) {
  return z
    .string()
    .optional()
    .transform((text, context): T | undefined => {
      const given = text?.trim() ?? '';
      if (given === '') return undefined;
      const value = read(given);
      if (value !== undefined) return value;
      const got = secret ? `${given.length} characters` : redactUrls(given.slice(0, 200));
      context.addIssue({ code: 'custom', message: `expected ${expected}, got ${got}` });
      return z.NEVER;
    });
}

function variable<T>(form: Form<T>, fallback: T) {
  return optional(form).transform((value) => value ?? fallback);
}

const text = (expected = 'a text'): Form<string> => ({ expected, read: (given) => given });

const secret = (expected: string): Form<string> => ({ expected, secret: true, read: (given) => given });

const matching = (pattern: RegExp, expected: string): Form<string> => ({
  expected,
  read: (given) => (pattern.test(given) ? given : undefined),
});

const oneOf = <const T extends string>(values: readonly T[]): Form<T> => ({
  expected: values.length === 2 ? values.join(' or ') : `one of ${values.join(', ')}`,
  read: (given) => values.find((value) => value === given.toLowerCase()),
});

const whole = (min: number, max: number, unit = ''): Form<number> => ({
  expected: `a whole number${unit} from ${min} to ${max}`,
  read: (given) => {
    const value = Number(given);
    return /^\d{1,15}$/.test(given) && value >= min && value <= max ? value : undefined;
  },
});

const duration = (bounds: { min: number; max: number }): Form<number> => ({
  expected: durationRange(bounds),
  read: (given) => {
    const ms = tryDuration(given);
    return ms !== undefined && ms >= bounds.min && ms <= bounds.max ? ms : undefined;
  },
});

const list = <T>(element: Form<T>, expected: string): Form<readonly T[]> => ({
  expected,
  read: (given) => {
    const values = given.split(',').map((part) => (part.trim() === '' ? undefined : element.read(part.trim())));
    return values.includes(undefined) ? undefined : (values as T[]);
  },
});

const url = (protocols: readonly string[], expected: string): Form<string> => ({
  expected,
  read: (given) => {
    if (!URL.canParse(given)) return undefined;
    const { protocol, host } = new URL(given);
    return protocols.includes(protocol) && host !== '' ? given : undefined;
  },
});

const origin: Form<string> = {
  expected: 'an origin',
  read: (given) => {
    try {
      return given === '*' ? given : canonicalOrigin(given);
    } catch {
      return undefined;
    }
  },
};
const ORIGINS = 'origins such as https://dash.example.com, comma-separated, or *';

const PROXIES = 'addresses, networks such as 10.0.0.0/8, loopback, linklocal or uniquelocal, comma-separated';
const proxy: Form<string> = {
  expected: 'an address or a network',
  read: (given) => {
    try {
      return new TrustedProxies([given]) && given;
    } catch {
      return undefined;
    }
  },
};

const postgres = url(['postgres:', 'postgresql:'], 'postgres://USER:PASSWORD@HOST:PORT/DATABASE');
const database: Form<string> = {
  expected: `${postgres.expected}, or ${DUCKDB_FORM}`,
  read: (given) => (duckLocation(given) ? given : postgres.read(given)),
};

const redis = url(['redis:', 'rediss:'], 'redis://HOST:PORT');

const storage: Form<StorageLocation> = {
  expected: 'file:PATH or s3://BUCKET/PREFIX',
  read: (given) => {
    const path = /^file:(?:\/\/(?=\/))?(.+)$/.exec(given)?.[1];
    if (path !== undefined) return { kind: 'file', path: resolve(path) };
    return url(['s3:'], '').read(given) === undefined ? undefined : { kind: 's3', url: given };
  },
};

const size: Form<{ width: number; height: number }> = {
  expected: 'WIDTHxHEIGHT in even pixels from 160x90 to 3840x2160',
  read: (given) => {
    const [, width = NaN, height = NaN] = (/^(\d{3,4})x(\d{2,4})$/.exec(given) ?? []).map(Number);
    const fits = width >= 160 && width <= 3_840 && height >= 90 && height <= 2_160;
    return fits && width % 2 === 0 && height % 2 === 0 ? { width, height } : undefined;
  },
};

const onOff: Form<boolean> = {
  expected: 'on or off',
  read: (given) => ({ on: true, true: true, 1: true, off: false, false: false, 0: false })[given.toLowerCase()],
};

/** Every variable there is, with its form and its default. */
const schema = z.object({
  PORT: variable(whole(0, 65_535), 3_000),
  HOST: variable(matching(/^[\w.:[\]%-]{1,255}$/, 'an address or a host name'), '127.0.0.1'),
  DATABASE_URL: optional(database),
  REDIS_URL: optional(list(redis, 'redis://HOST:PORT or rediss://…; several nodes of one cluster comma-separated')),
  REDIS_PREFIX: variable(matching(/^[\w:.-]{1,64}$/, 'up to 64 letters, digits and : . _ -'), 'pollcast'),
  LOCK_REDIS_URLS: variable(list(redis, 'redis://HOST:PORT or rediss://…, comma-separated'), []),
  TOPICS_DIR: variable(text('a folder'), './topics'),
  NODE_NAME: optional(matching(/^[A-Za-z0-9][\w.-]{0,99}$/, 'up to 100 letters, digits and . _ -')),
  LEASE_MS: variable(whole(MIN_LEASE_MS, 600_000, ' of milliseconds'), 5_000),
  LINGER_MS: variable(whole(0, 24 * HOUR, ' of milliseconds'), 5_000),
  AUTH: optional(oneOf(['none', 'jwt'])),
  AUTH_JWT_SECRET: optional(secret('a secret')),
  AUTH_JWKS_URL: optional(url(['http:', 'https:'], 'https://HOST/PATH of a key set')),
  AUTH_ISSUER: optional(text()),
  AUTH_AUDIENCE: optional(list(text(), 'audiences, comma-separated')),
  ADMIN_TOKEN: optional({
    expected: 'a token without spaces',
    secret: true,
    read: (given) => (/^\S+$/.test(given) ? given : undefined),
  }),
  CORS_ORIGIN: variable(list(origin, ORIGINS), []),
  TRUSTED_PROXIES: variable(list(proxy, PROXIES), ['loopback']),
  STORAGE_URL: variable(storage, { kind: 'file', path: resolve('./var/files') }),
  ON_REDIS_LOSS: variable(oneOf(['local', 'pause']), 'local'),
  EXPORT_TTL: variable(duration({ min: SECOND, max: 8_760 * HOUR }), HOUR),
  EXPORT_MAX_ROWS: variable(whole(1, 1_000_000_000), 10_000_000),
  EXPORT_TIMEOUT: variable(duration({ min: SECOND, max: 24 * HOUR }), HOUR / 2),
  ROOM_KEEP: variable(duration({ min: 0, max: 8_760 * HOUR }), 24 * HOUR),
  RECORDER_SLOTS: optional(whole(0, 1_000)),
  RECORDER_SIZE: variable(size, { width: 1_280, height: 720 }),
  RECORDER_ALLOW: variable(list(origin, ORIGINS), []),
  CHROMIUM_PATH: optional(text('a path')),
  FFMPEG_PATH: optional(text('a path')),
  DRAIN_MS: variable(whole(0, 600_000, ' of milliseconds'), 10_000),
  LOG_LEVEL: variable(oneOf(LOG_LEVELS), 'info'),
  LOG_FORMAT: optional(oneOf(['pretty', 'json'])),
  DEMO: optional(onOff),
  OTEL_EXPORTER_OTLP_ENDPOINT: optional(url(['http:', 'https:'], 'http://HOST:PORT of a collector')),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: optional(url(['http:', 'https:'], 'http://HOST:PORT/v1/traces of a collector')),
});

export type Variable = keyof typeof schema.shape;
type Values = z.infer<typeof schema>;

/** Names of all variables that are read, in the order of the contract. */
export const VARIABLES = Object.keys(schema.shape) as Variable[];

/**
 * Reads the environment. Nothing else in the project does.
 *
 * @throws PollcastError `BAD_REQUEST` with one line for each fault: `VARIABLE: expected …, got …`; secrets are not repeated
 */
export function readConfig(env: Readonly<Record<string, string | undefined>> = process.env): NodeConfig {
  const values: Partial<Record<Variable, unknown>> = {};
  const faults: string[] = [];
  // One by one rather than as a whole: what is right of a half-wrong environment is still checked against each other.
  for (const name of VARIABLES) {
    const read = schema.shape[name].safeParse(env[name]);
    if (read.success) values[name] = read.data;
    else for (const issue of read.error.issues) faults.push(`${name}: ${issue.message}`);
  }
  faults.push(...contradictions(values as Partial<Values>));
  if (faults.length > 0) {
    throw new PollcastError('BAD_REQUEST', `The environment is not right:\n  ${faults.join('\n  ')}`, { faults });
  }
  return freeze(assemble(values as Values));
}

/** What each variable alone cannot tell. A variable that is wrong itself is absent here, and says nothing. */
function contradictions(values: Partial<Values>): string[] {
  const faults: string[] = [];
  const mode = authMode(values);
  const { HOST: host, AUTH_JWT_SECRET, AUTH_JWKS_URL, REDIS_URL, LOCK_REDIS_URLS: locks = [] } = values;
  if (host !== undefined && !isLoopback(host) && mode === undefined && 'AUTH' in values) {
    faults.push(
      `HOST: expected a loopback address such as 127.0.0.1 while no authentication is configured, got ${host}: ` +
        'set AUTH=jwt with AUTH_JWT_SECRET or AUTH_JWKS_URL, or AUTH=none to let everybody in',
    );
  }
  if (values.AUTH === 'jwt' && !AUTH_JWT_SECRET && !AUTH_JWKS_URL && 'AUTH_JWKS_URL' in values) {
    faults.push('AUTH: expected AUTH_JWT_SECRET or AUTH_JWKS_URL beside AUTH=jwt, got neither');
  }
  if (locks.length > 0 && REDIS_URL === undefined && 'REDIS_URL' in values) {
    faults.push('LOCK_REDIS_URLS: expected REDIS_URL beside it, got none: a single node in memory needs no locks');
  }
  if (values.DEMO === true && values.DATABASE_URL?.startsWith('duckdb:')) {
    faults.push('DEMO: expected a Postgres as DATABASE_URL, got DuckDB, which is only read: leave DEMO out');
  }
  if (new Set(locks).size < locks.length) {
    faults.push('LOCK_REDIS_URLS: expected independent masters, got one of them twice');
  }
  return faults;
}

/** Whoever sets a way to verify tokens wants them verified. `undefined`: nothing is configured. */
function authMode({ AUTH, AUTH_JWT_SECRET, AUTH_JWKS_URL }: Partial<Values>): 'none' | 'jwt' | undefined {
  return AUTH ?? (AUTH_JWT_SECRET || AUTH_JWKS_URL ? 'jwt' : undefined);
}

/** Unlike a request's Host header, an address of IPv6 has no brackets here. */
function isLoopback(host: string): boolean {
  return isLoopbackHost(host.includes(':') && !host.startsWith('[') ? `[${host}]` : host);
}

function assemble(values: Values): NodeConfig {
  return {
    port: values.PORT,
    host: values.HOST.replace(/^\[(.*)\]$/, '$1'),
    loopback: isLoopback(values.HOST),
    databaseUrl: values.DATABASE_URL,
    hosted: false,
    redisUrl: values.REDIS_URL?.join(','),
    redisPrefix: values.REDIS_PREFIX,
    lockRedisUrls: values.LOCK_REDIS_URLS,
    topicsDir: resolve(values.TOPICS_DIR),
    nodeName: values.NODE_NAME ?? `${hostname().replace(/[^\w.-]/g, '-')}-${process.pid}`,
    leaseMs: values.LEASE_MS,
    lingerMs: values.LINGER_MS,
    auth:
      authMode(values) === 'jwt'
        ? {
            mode: 'jwt',
            secret: values.AUTH_JWT_SECRET,
            jwksUrl: values.AUTH_JWKS_URL,
            issuer: values.AUTH_ISSUER,
            audience: values.AUTH_AUDIENCE,
          }
        : { mode: 'none' },
    adminToken: values.ADMIN_TOKEN,
    corsOrigins: values.CORS_ORIGIN,
    trustedProxies: values.TRUSTED_PROXIES,
    storage: values.STORAGE_URL,
    onRedisLoss: values.ON_REDIS_LOSS,
    exports: { ttlMs: values.EXPORT_TTL, maxRows: values.EXPORT_MAX_ROWS, timeoutMs: values.EXPORT_TIMEOUT },
    roomKeepMs: values.ROOM_KEEP,
    recorder: {
      slots: values.RECORDER_SLOTS,
      size: values.RECORDER_SIZE,
      allow: values.RECORDER_ALLOW,
      chromiumPath: values.CHROMIUM_PATH,
      ffmpegPath: values.FFMPEG_PATH,
    },
    drainMs: values.DRAIN_MS,
    logLevel: values.LOG_LEVEL,
    logFormat: values.LOG_FORMAT,
    demo: values.DEMO ?? values.DATABASE_URL === undefined,
    tracing: (values.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ?? values.OTEL_EXPORTER_OTLP_ENDPOINT) !== undefined,
  };
}

function freeze<T extends object>(value: T): T {
  for (const part of Object.values(value)) if (typeof part === 'object' && part !== null) freeze(part as object);
  return Object.freeze(value);
}

/** The configuration for a log: without secrets, and without those that lie in addresses. */
export function describeConfig(config: Config): Record<string, unknown> {
  const hidden = (given: string | undefined): string | undefined => (given === undefined ? undefined : '(set)');
  const plain = JSON.parse(JSON.stringify(config), (_key, value: unknown) =>
    typeof value === 'string' ? redactUrls(value) : value,
  ) as Record<string, unknown>;
  plain['adminToken'] = hidden(config.adminToken);
  if (config.auth.mode === 'jwt') {
    plain['auth'] = { ...(plain['auth'] as object), secret: hidden(config.auth.secret) };
  }
  return plain;
}

/** Replaces what stands before the @ of addresses but for the user's name, and secrets among their parameters. */
export function redactUrls(given: string): string {
  return given
    .replace(/(\w+:\/\/[^\s/:@]*):[^\s/]*@/g, '$1:***@')
    .replace(/([?&](?:password|secret|token|accessKey|secretKey|signature)=)[^&\s,]*/gi, '$1***');
}

/** Of the hub's own environment, what programs need that it starts: no addresses, no secrets. */
export function programEnvironment(
  env: Readonly<Record<string, string | undefined>> = process.env,
): Record<string, string> {
  const wanted = /^(PATH|HOME|LANG|LC_ALL|TZ|TMPDIR|LD_LIBRARY_PATH|FONTCONFIG_.*)$/;
  return Object.fromEntries(
    Object.entries(env).filter((pair): pair is [string, string] => wanted.test(pair[0]) && pair[1] !== undefined),
  );
}
