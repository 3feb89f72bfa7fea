import pg from 'pg';
import type { NodeConfig } from '../../config.js';
import { prepareDemo } from '../../demo/demo.js';
import { startEmbeddedPostgres } from '../../embedded/postgres.js';
import { canMultiplex } from '../../polling/sources/multiplex.js';
import { TopicCatalogue } from '../../topics/catalogue.js';
import { checkTopics, DATABASE, type CheckProgress } from '../../topics/check.js';
import { formatDuration } from '../../topics/duration.js';
import { dialectOf } from '../../topics/policy.js';
import type { Topic, TopicFault } from '../../topics/topic.js';
import { checkWithDuck } from './duckdb.js';
import type { Progress } from './progress.js';
import { table, type Paint } from './terminal.js';

export interface TopicRow {
  readonly name: string;
  readonly title: string;
  readonly file: string;
  readonly interval: string;
  readonly params: readonly string[];
  readonly key: readonly string[];
  readonly roles: readonly string[];
  readonly partitions: number;
}

/** The topics of a folder, and the faults of those files that are none. */
export async function readTopics(dir: string): Promise<{ rows: TopicRow[]; faults: TopicFault[] }> {
  const catalogue = await TopicCatalogue.open(dir, { watch: false });
  try {
    return { rows: catalogue.list().map(row), faults: catalogue.faults() };
  } finally {
    await catalogue.close();
  }
}

function row({ name, title, file, intervalMs, params, key, roles, partitions }: Topic): TopicRow {
  const interval = formatDuration(intervalMs);
  return { name, title, file, interval, params: params.map((param) => param.name), key, roles, partitions };
}

export function topicsTable(rows: readonly TopicRow[], paint: Paint): string {
  if (rows.length === 0) return 'No topics.\n';
  return table(
    ['TOPIC', 'INTERVAL', 'PARAMETERS', 'TITLE'],
    rows.map(({ name, interval, params, title }) => [name, interval, params.join(' '), title]),
    paint,
  );
}

/**
 * All faults of a folder's files. Without DATABASE_URL the statements are planned by an embedded database of this
 * check's own, as a node would have one: with the demo's tables.
 *
 * @param tell     gets a line when something takes a while
 * @param progress says how far it is
 */
export function checkFolder(
  config: NodeConfig,
  tell: (line: string) => void,
  progress: Progress,
): Promise<TopicFault[]> {
  const dir = config.topicsDir;
  if (dialectOf(config.databaseUrl) === 'duckdb') return checkWithDuck(dir, config.databaseUrl ?? '');
  return withDatabase(config, tell, progress, async (pool) => {
    const faults = await checkTopics(dir, pool, checked(progress));
    progress.say('Checking which topics can share a statement …');
    return [...faults, ...(await checkSharing(dir, pool, faults))];
  });
}

/** Says how many topics are checked. */
export const checked =
  (progress: Progress): CheckProgress =>
  (done, of) =>
    progress.say(`Checking topics: ${done} of ${of} …`);

/** The database that a node of this environment would ask, while `use` runs. */
export async function withDatabase<T>(
  config: NodeConfig,
  tell: (line: string) => void,
  progress: Progress,
  use: (pool: pg.Pool) => Promise<T>,
): Promise<T> {
  if (config.databaseUrl !== undefined) return withPool(config.databaseUrl, progress, use);
  tell('DATABASE_URL is not set: asking an embedded database, as a node without it has …');
  progress.say('Starting an embedded Postgres …');
  const server = await startEmbeddedPostgres({ fsync: false });
  try {
    return await withPool(config.demo ? (await prepareDemo(server.url)).readerUrl : server.url, progress, use);
  } finally {
    await server.stop();
  }
}

async function withPool<T>(
  connectionString: string,
  progress: Progress,
  use: (pool: pg.Pool) => Promise<T>,
): Promise<T> {
  const pool = new pg.Pool({
    connectionString,
    max: 1,
    application_name: 'pollcast command line',
    connectionTimeoutMillis: 5_000,
  });
  // A broken connection also fails what was asked over it.
  pool.on('error', () => undefined);
  try {
    return await use(pool);
  } finally {
    progress.end();
    await pool.end();
  }
}

/** A warning for each sound topic whose channels cannot share a statement. */
async function checkSharing(dir: string, pool: pg.Pool, faults: readonly TopicFault[]): Promise<TopicFault[]> {
  const bad = new Set(faults.filter(({ severity }) => severity === 'error').map(({ file }) => file));
  if (bad.has(DATABASE)) return [];
  const catalogue = await TopicCatalogue.open(dir, { watch: false });
  const warnings: TopicFault[] = [];
  try {
    for (const topic of catalogue.list().filter(({ file }) => !bad.has(file))) {
      const sharing = await canMultiplex(topic, pool);
      if (sharing.multiplexed) continue;
      const message = `its channels cannot share a statement, so each is asked with one of its own, which is dearer: ${sharing.reason}`;
      warnings.push({ file: topic.file, line: 1, severity: 'warning', message });
    }
  } finally {
    await catalogue.close();
  }
  return warnings;
}

export function faultLine({ file, line, column, severity, message }: TopicFault, paint: Paint): string {
  const where = `${file}:${line}${column === undefined ? '' : `:${column}`}`;
  return `${where}: ${paint(severity === 'error' ? 'red' : 'yellow', severity)}: ${message}`;
}
