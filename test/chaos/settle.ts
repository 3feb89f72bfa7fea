import { nodeName } from '../../src/kernel/identity.js';
import type { ChaosViewer } from './chaos-viewer.js';
import type { Stage } from './stage.js';

/** What runs as long as the cluster does, whoever watches. */
const STANDING = ['releases'];

/**
 * What is not in its place: pollers are to be those of the topics that are watched, each on a living node under its lease,
 * and presence the viewers that are connected.
 */
export async function amiss(stage: Stage, viewers: readonly ChaosViewer[]): Promise<string[]> {
  const { client, keys } = stage.lookout;
  const found: string[] = [];
  const same = (what: string, is: readonly string[], should: readonly string[]): void => {
    const [seen, right] = [[...is].sort().join(' '), [...should].sort().join(' ')];
    if (seen !== right) found.push(`${what}: [${seen}] instead of [${right}]`);
  };
  const away = viewers.filter(({ watching }) => !watching).map(({ name }) => name);
  if (away.length > 0) found.push(`not watching: ${away.join(' ')}`);
  const stale = viewers.filter(({ state }) => state !== 'live').map(({ name, state }) => `${name} (${state})`);
  if (stale.length > 0) found.push(`not live: ${stale.join(' ')}`);

  const living = stage.living().map(({ node }) => node.name);
  same('nodes', (await client.hkeys(keys.nodes)).map(nodeName), living);
  const processes = await client.smembers(keys.processes);
  const pollers = new Set(viewers.map(({ topic }) => `poller:${topic}`));
  same('processes', processes, [...pollers, ...STANDING]);
  const leases = await client.keys(`${keys.leasePrefix}*`);
  same(
    'leases',
    leases.map((key) => key.slice(keys.leasePrefix.length)),
    processes,
  );
  for (const name of processes) {
    const [node, state] = await client.hmget(keys.process(name), 'node', 'state');
    if (!node || !living.includes(nodeName(node)) || state !== 'running')
      found.push(`${name} is ${state} on ${node || 'no node'}`);
  }

  const present = new Map<string, number>();
  for (const key of await client.keys(`${keys.holdsPrefix}*`)) {
    for (const [field, detail] of Object.entries(await client.hgetall(key))) {
      const channel = field.slice(field.indexOf('\n') + 1);
      present.set(channel, (present.get(channel) ?? 0) + (JSON.parse(detail) as { n: number }).n);
    }
  }
  const connected = new Map<string, number>();
  for (const { channel, watching } of viewers) if (watching) connected.set(channel, (connected.get(channel) ?? 0) + 1);
  const told = (counts: Map<string, number>) => [...counts].map(([channel, n]) => `${channel}=${n}`);
  same('presence', told(present), told(connected));
  return found;
}
