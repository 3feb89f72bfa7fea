import { Redis } from 'ioredis';
import { eventually } from './eventually.js';
import type { TestPostgres } from './postgres.js';
import type { TestRedis } from './redis.js';

export interface LeakCheck {
  redis?: TestRedis;
  /** REDIS_PREFIX that the test used; without it leases are not looked for */
  prefix?: string;
  postgres?: TestPostgres;
  /** name of the database that the test used; absent: all of them */
  database?: string;
  /** how long what is left may take to end by itself */
  patienceMs?: number;
}

/**
 * Fails when something of a cluster that has stopped is still held: a lease under its prefix, a connection to its
 * Redis or its database. Call it after the last `stop` and before the services themselves go. (Leaked child
 * processes are found for every test file by leak-environment.mjs.)
 *
 * A killed node's leases and connections end by themselves, hence the patience.
 */
export async function expectNoLeaks(check: LeakCheck): Promise<void> {
  const { redis, prefix, postgres, database, patienceMs = 10_000 } = check;
  if (redis) await nothing('Redis leases and connections', patienceMs, () => leftInRedis(redis, prefix));
  if (postgres) await nothing('Postgres connections', patienceMs, () => leftInPostgres(postgres, database));
}

async function nothing(what: string, deadlineMs: number, look: () => Promise<string[]>): Promise<void> {
  await eventually(
    async () => {
      const left = await look();
      if (left.length > 0) throw new Error(left.join('\n'));
      return true;
    },
    { what: `no leaked ${what}`, deadlineMs, everyMs: 50 },
  );
}

/** A lease's value is `<node>~<incarnation>#<nonce>`, whatever its key is called. */
const LEASE_VALUE = /^[^#]+~[^#]+#.+/;

async function leftInRedis({ port }: TestRedis, prefix?: string): Promise<string[]> {
  const client = new Redis({ host: '127.0.0.1', port, connectionName: 'leak-check', retryStrategy: null });
  client.on('error', () => undefined);
  try {
    const clients = String(await client.client('LIST'))
      .trim()
      .split('\n');
    const left = clients.filter((line) => !line.includes('name=leak-check'));
    if (prefix === undefined) return left;
    for await (const keys of client.scanStream({ match: `*${prefix}*`, count: 500 }) as AsyncIterable<string[]>) {
      for (const key of keys) {
        if ((await client.type(key)) !== 'string') continue;
        const value = (await client.get(key)) ?? '';
        if (LEASE_VALUE.test(value)) left.push(`lease ${key} = ${value}`);
      }
    }
    return left;
  } finally {
    client.disconnect();
  }
}

async function leftInPostgres(postgres: TestPostgres, database?: string): Promise<string[]> {
  const rows = await postgres.query<{ line: string }>(
    `select format('%s %s %s: %s', pid, datname, application_name, left(query, 80)) as line
       from pg_stat_activity
      where backend_type = 'client backend' and pid <> pg_backend_pid() and ($1::text is null or datname = $1)`,
    [database ?? null],
  );
  return rows.map((row) => row.line);
}
