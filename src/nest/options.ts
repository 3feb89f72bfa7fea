import { readConfig, type Config, type Variable } from '../config.js';
import { PollcastError } from '../errors.js';
import { didYouMean } from '../topics/nearest.js';

/**
 * What the hub is told by the application that it lives in. Each is the variable of the environment that has the same name
 * (`redisUrl`: REDIS_URL), with the same default and the same checks; the environment itself is not read.
 */
export interface PollcastOptions {
  /** Must be said: `none` lets everybody in as a guest, `jwt` needs `authJwtSecret` or `authJwksUrl`. */
  readonly auth: 'none' | 'jwt';
  readonly authJwtSecret?: string;
  readonly authJwksUrl?: string;
  readonly authIssuer?: string;
  readonly authAudience?: string | readonly string[];
  /** Bearer token of the admin API. Without it, and without the role, nobody may use that: not on loopback either. */
  readonly adminToken?: string;
  readonly corsOrigin?: string | readonly string[];
  readonly trustedProxies?: string | readonly string[];
  /** What topics in files query. Absent: all topics are written in code. */
  readonly databaseUrl?: string;
  /** Where the topics' files are. Absent: there are none. Needs `databaseUrl`. */
  readonly topicsDir?: string;
  /** Absent: a single node, in memory. */
  readonly redisUrl?: string | readonly string[];
  readonly redisPrefix?: string;
  readonly lockRedisUrls?: string | readonly string[];
  readonly nodeName?: string;
  readonly leaseMs?: number;
  readonly lingerMs?: number;
  readonly onRedisLoss?: 'local' | 'pause';
  readonly storageUrl?: string;
  readonly exportTtl?: string;
  readonly exportMaxRows?: number;
  readonly exportTimeout?: string;
  readonly roomKeep?: string;
  /** Recordings that run on this node at once. Default: none. */
  readonly recorderSlots?: number;
  /** Of a recording's picture: `1280x720`. */
  readonly recorderSize?: string;
  readonly recorderAllow?: string | readonly string[];
  readonly chromiumPath?: string;
  readonly ffmpegPath?: string;
  /** The most that the hub may take to leave its cluster when the application closes. */
  readonly drainMs?: number;
}

export const VARIABLE_OF = {
  auth: 'AUTH',
  authJwtSecret: 'AUTH_JWT_SECRET',
  authJwksUrl: 'AUTH_JWKS_URL',
  authIssuer: 'AUTH_ISSUER',
  authAudience: 'AUTH_AUDIENCE',
  adminToken: 'ADMIN_TOKEN',
  corsOrigin: 'CORS_ORIGIN',
  trustedProxies: 'TRUSTED_PROXIES',
  databaseUrl: 'DATABASE_URL',
  topicsDir: 'TOPICS_DIR',
  redisUrl: 'REDIS_URL',
  redisPrefix: 'REDIS_PREFIX',
  lockRedisUrls: 'LOCK_REDIS_URLS',
  nodeName: 'NODE_NAME',
  leaseMs: 'LEASE_MS',
  lingerMs: 'LINGER_MS',
  onRedisLoss: 'ON_REDIS_LOSS',
  storageUrl: 'STORAGE_URL',
  exportTtl: 'EXPORT_TTL',
  exportMaxRows: 'EXPORT_MAX_ROWS',
  exportTimeout: 'EXPORT_TIMEOUT',
  roomKeep: 'ROOM_KEEP',
  recorderSlots: 'RECORDER_SLOTS',
  recorderSize: 'RECORDER_SIZE',
  recorderAllow: 'RECORDER_ALLOW',
  chromiumPath: 'CHROMIUM_PATH',
  ffmpegPath: 'FFMPEG_PATH',
  drainMs: 'DRAIN_MS',
} as const satisfies Record<keyof PollcastOptions, Variable>;

/** What belongs to a program of its own: where it listens, how it logs and traces, the demo. */
export const OF_A_PROGRAM = [
  'PORT',
  'HOST',
  'DEMO',
  'LOG_LEVEL',
  'LOG_FORMAT',
  'OTEL_EXPORTER_OTLP_ENDPOINT',
  'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
] as const satisfies Variable[];

/**
 * The options as a configuration: read as the environment is, and frozen.
 *
 * @throws PollcastError `BAD_REQUEST` with one line for each fault: `option: expected …, got …`
 */
export function readOptions(options: PollcastOptions): Config {
  const faults: string[] = [];
  const env: Partial<Record<Variable, string>> = {};
  for (const [name, value] of Object.entries(options) as [keyof PollcastOptions, unknown][]) {
    if (value === undefined) continue;
    const variable: Variable | undefined = VARIABLE_OF[name];
    const text = textOf(value);
    if (variable === undefined)
      faults.push(`${name}: there is no such option${didYouMean(name, Object.keys(VARIABLE_OF))}`);
    else if (text === undefined) faults.push(`${name}: expected a text or a number, got ${typeof value}`);
    else env[variable] = text;
  }
  if (options.auth === undefined) {
    faults.push("auth: expected 'none' to let everybody in, or 'jwt', got nothing: who may watch must be said");
  }
  if (options.topicsDir !== undefined && options.databaseUrl === undefined) {
    faults.push('topicsDir: expected databaseUrl beside it, got none: the files are queries of a database');
  }
  const config = read(env, faults);
  if (config === undefined || faults.length > 0) {
    throw new PollcastError('BAD_REQUEST', `The options of PollcastModule are not right:\n  ${faults.join('\n  ')}`, {
      faults,
    });
  }
  return Object.freeze({
    ...config,
    hosted: true,
    // Where the application listens is not known here: nothing is ever open because of it.
    loopback: false,
    topicsDir: options.topicsDir === undefined ? null : config.topicsDir,
    // A browser that records is much to ask of somebody's application.
    recorder: { ...config.recorder, slots: options.recorderSlots === undefined ? 0 : config.recorder.slots },
    demo: false,
    // The application has its own.
    tracing: false,
  });
}

function read(env: Partial<Record<Variable, string>>, faults: string[]): Config | undefined {
  try {
    return readConfig(env);
  } catch (error) {
    if (!(error instanceof PollcastError)) throw error;
    faults.push(...(error.details as { faults: string[] }).faults.map(renamed));
    return undefined;
  }
}

/** Variables by the names of their options. */
function renamed(fault: string): string {
  const names = Object.entries(VARIABLE_OF).sort(([, a], [, b]) => b.length - a.length);
  return names.reduce((text, [name, variable]) => text.replace(new RegExp(`\\b${variable}\\b`, 'g'), name), fault);
}

function textOf(value: unknown): string | undefined {
  if (Array.isArray(value)) return value.every((part) => typeof part === 'string') ? value.join(',') : undefined;
  return ['string', 'number', 'boolean'].includes(typeof value) ? String(value) : undefined;
}
