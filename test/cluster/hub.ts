import { Redis } from 'ioredis';
import { kernelKeys } from '../../src/kernel/redis/keys.js';
import { nodeName } from '../../src/kernel/identity.js';
import { eventually } from '../support/eventually.js';
import type { TestCluster } from '../support/cluster.js';
import type { TestNode } from '../support/node.js';

/** A table with one row: a topic that reads it is easily found among the statements that Postgres counted. */
export const oneRow = (table: string) => `create table ${table} (n int); insert into ${table} values (1);`;

/**
 * A topic whose result changes with every poll: when (by the database's clock, ms) and by which node it was asked.
 * @param header further fields, one a line
 */
export const clock = (table: string, interval: string, header = 'retain: 5m') => `/*
interval: ${interval}
${header}
*/
SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS at, current_setting('application_name') AS by
FROM ${table}`;

export interface ProcessRow {
  name: string;
  kind: string;
  node: string | null;
  fence: number;
  state: string;
}

export async function get<T>(url: string): Promise<T> {
  const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}

export function processes(node: TestNode): Promise<ProcessRow[]> {
  return get(`${node.url}/api/processes`);
}

/** A cluster's own Redis, looked at from outside. `close` it. */
export class Lookout {
  readonly client: Redis;
  readonly keys: ReturnType<typeof kernelKeys>;

  constructor({ redis, prefix }: Pick<TestCluster, 'redis' | 'prefix'>) {
    this.client = new Redis({ port: redis.port, host: '127.0.0.1' });
    this.client.on('error', () => undefined);
    this.keys = kernelKeys(prefix);
  }

  /** Who owns a process, or `null`. */
  async owner(process: string): Promise<{ node: string; fence: number } | null> {
    const [node, fence] = await this.client.hmget(this.keys.process(process), 'node', 'fence');
    return node ? { node: nodeName(node), fence: Number(fence) } : null;
  }

  /** Waits for an owner that is not `former`. */
  newOwner(process: string, former: string): Promise<{ node: string; fence: number }> {
    return eventually(
      async () => {
        const owner = await this.owner(process);
        return owner && owner.node !== former ? owner : null;
      },
      { what: `another owner of ${process} than ${former}`, everyMs: 2, deadlineMs: 30_000 },
    );
  }

  /** Names of registered processes. */
  names(): Promise<string[]> {
    return this.client.smembers(this.keys.processes);
  }

  async close(): Promise<void> {
    this.client.disconnect();
  }
}

export function nodeNamed(nodes: readonly TestNode[], name: string): TestNode {
  const node = nodes.find((one) => one.name === name);
  if (!node) throw new Error(`no node ${name} among ${nodes.map((one) => one.name).join(', ')}`);
  return node;
}

export function others(nodes: readonly TestNode[], name: string): TestNode[] {
  return nodes.filter((node) => node.name !== name && node.alive());
}

/** What a node has written that should not be there, whatever happens around it. */
export function complaints(node: TestNode): string[] {
  return complaintsIn(node.logs);
}

/** Errors, and what is no line of a log. */
export function complaintsIn(lines: readonly string[]): string[] {
  return lines.filter((line) => !line.startsWith('{') || (JSON.parse(line) as { level: number }).level >= 50);
}
