import { createHash } from 'node:crypto';

export interface ClusterAddress {
  readonly redisUrl?: string;
  readonly redisPrefix: string;
  readonly port: number;
}

/** A name for a cluster that tells nothing about it, for what lies beside others' things; alone, a node goes by its port. */
export function clusterMarkOf({ redisUrl, redisPrefix, port }: ClusterAddress): string {
  const parts = redisUrl === undefined ? ['local', port] : [redisUrl, redisPrefix];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
}
