import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { expectNoLeaks } from './leaks.js';
import { startNginx, type TestNginx } from './nginx.js';
import { startNode, type TestNode } from './node.js';
import { startPostgres, type TestDatabase, type TestPostgres } from './postgres.js';
import { topicsFolder } from './project.js';
import { startRedis, type TestRedis } from './redis.js';

export interface ClusterOptions {
  /** how many nodes; default 3 */
  nodes?: number;
  /** ones of the test's own, which outlive the cluster; absent: the cluster starts and stops its own */
  redis?: TestRedis;
  postgres?: TestPostgres;
  /** true: a real nginx in front of the nodes */
  nginx?: boolean;
  /** topic files (`{ 'clock.sql': 'SELECT …' }`); absent: the demo's */
  topics?: Record<string, string>;
  /** statements that prepare the cluster's database before a node starts */
  schema?: string;
  /** what the nodes run instead of the hub: see `TestNodeOptions` */
  program?: readonly string[];
  /** on top of what the cluster needs, for every node */
  env?: Record<string, string>;
}

export interface TestCluster {
  nodes: TestNode[];
  redis: TestRedis;
  postgres: TestPostgres;
  database: TestDatabase;
  nginx?: TestNginx;
  /** REDIS_PREFIX of all nodes: unlike any other cluster's */
  prefix: string;
  topicsDir?: string;
  /** nginx if there is one, else the first node */
  url: string;
  /** One more node; `root`: of another package than this one. */
  add(env?: Record<string, string>, root?: string): Promise<TestNode>;
  /**
   * Stops every node gracefully, then fails if one did not end with code 0 (those that the test killed are let be), or
   * a lease or a connection is left.
   */
  stop(): Promise<void>;
}

/** Nodes as real processes on one Redis and one database of their own. */
export async function startCluster(options: ClusterOptions = {}): Promise<TestCluster> {
  const releases: (() => Promise<unknown>)[] = [];
  const unwind = async () => {
    const failures: unknown[] = [];
    for (const release of releases.reverse()) await release().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  };
  try {
    const redis = options.redis ?? (await startRedis());
    if (!options.redis) releases.push(() => redis.stop());
    const postgres = options.postgres ?? (await startPostgres());
    if (!options.postgres) releases.push(() => postgres.stop());
    const database = await postgres.createDatabase();
    if (options.schema) await postgres.query(options.schema, [], database.name);

    const topicsDir = options.topics && (await topicsFolder(options.topics));
    if (topicsDir) releases.push(() => rm(topicsDir, { recursive: true, force: true }));

    const prefix = `test-${randomBytes(4).toString('hex')}`;
    releases.push(() => expectNoLeaks({ redis, prefix, postgres, database: database.name }));

    const nodes: TestNode[] = [];
    const add = async (env: Record<string, string> = {}, root?: string) => {
      const node = await startNode({
        root,
        program: options.program,
        env: {
          DATABASE_URL: database.url,
          REDIS_URL: redis.url,
          REDIS_PREFIX: prefix,
          ...(topicsDir ? { TOPICS_DIR: topicsDir } : {}),
          ...options.env,
          ...env,
        },
      });
      nodes.push(node);
      releases.push(() => node.stop());
      return node;
    };
    await Promise.all(Array.from({ length: options.nodes ?? 3 }, (_, i) => add({ NODE_NAME: `n${i + 1}-${prefix}` })));
    nodes.sort((a, b) => a.name.localeCompare(b.name));

    const nginx = options.nginx
      ? await startNginx({ upstreams: nodes.map((node) => `127.0.0.1:${node.port}`) })
      : undefined;
    if (nginx) releases.push(() => nginx.stop());

    let stopping: Promise<void> | undefined;
    const first = nodes[0];
    return {
      nodes,
      redis,
      postgres,
      database,
      nginx,
      prefix,
      topicsDir,
      url: nginx?.url ?? first?.url ?? '',
      add,
      stop: () => (stopping ??= unwind()),
    };
  } catch (error) {
    await unwind().catch(() => undefined);
    throw error;
  }
}
