import { clusterMarkOf } from '../../cluster/cluster-mark.js';
import { openCluster, openFrames } from '../../cluster/cluster.js';
import { readConfig } from '../../config.js';
import { PollcastError } from '../../errors.js';
import { KernelClient } from '../../kernel/client.js';
import { silent } from '../../kernel/log.js';
import { OrphanFiles } from '../../exports/orphans.js';
import { exportsRoot } from '../../exports/record.js';
import { systemClock } from '../../kernel/clock.js';
import { AbandonedSegments } from '../../recordings/abandoned.js';
import { Leftovers } from '../../recordings/leftovers.js';
import { openStorage } from '../../storage/open.js';
import { Operations, type Operator } from '../operations.js';
import { HttpOperator } from './http-operator.js';
import type { Terminal } from './terminal.js';

export const DEFAULT_URL = 'http://127.0.0.1:3000';

/**
 * The operator's tools: over the cluster's Redis when REDIS_URL is set, else, or when an address is given, over a node's
 * admin API. Resolves with what `use` does; everything is closed then.
 */
export async function withOperator<T>(
  env: Terminal['env'],
  url: string | undefined,
  use: (operator: Operator) => Promise<T>,
): Promise<T> {
  const config = readConfig(env);
  if (url !== undefined || config.redisUrl === undefined) {
    return use(new HttpOperator(checkUrl(url ?? DEFAULT_URL), config.adminToken));
  }
  const client = await open(config);
  try {
    return await use(client.operations);
  } finally {
    await client.close();
  }
}

async function open(
  config: ReturnType<typeof readConfig>,
): Promise<{ operations: Operations; close(): Promise<void> }> {
  const ports = await openCluster({ ...config, nodeName: `operator-${process.pid}` }, silent);
  const commands = await KernelClient.open(ports, silent);
  const { leaseMs, lingerMs } = config;
  const cluster = clusterMarkOf(config);
  const storage = await openStorage(config.storage);
  const operations = new Operations({
    ports,
    commands,
    frames: openFrames(ports),
    settings: { leaseMs, lingerMs },
    zombieSources: [
      new Leftovers(cluster),
      new OrphanFiles(storage, ports.store, exportsRoot(cluster), systemClock, silent),
      new AbandonedSegments({ storage, processes: () => ports.store.processes(), clock: systemClock }),
    ],
  });
  const close = async (): Promise<void> => {
    await commands.close();
    await storage.close();
  };
  return { operations, close };
}

function checkUrl(given: string): string {
  if (/^https?:\/\//.test(given) && URL.canParse(given)) return given;
  throw new PollcastError('BAD_REQUEST', `--url: expected an address such as ${DEFAULT_URL}, got ${given}`);
}
