import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { figure, type Bench, type Cell, type Goal, type Scenario } from '../support/bench.js';
import type { Peer } from '../support/children.js';
import { cpuOf, rssOf } from '../support/cpu.js';
import { hubFile } from '../support/project.js';
import { median, spread } from '../support/stats.js';

const LEASE_MS = 5_000;
const AT_ONCE = 100;

export const names: Scenario = {
  name: 'names',
  about: 'thousands of named processes held by one node: their start, their upkeep, and two nodes after one name',
  async run(bench) {
    const rows: Record<string, Cell>[] = [];
    const goals: Goal[] = [];
    for (const count of bench.size([1_000, 10_000], [1_000])) {
      const redis = await bench.redis();
      const node = await startNode(bench, redis.url, 'a');
      const began = performance.now();
      const { latencies } = await ask(node, { prefix: 'name', from: 0, to: count });
      const seconds = (performance.now() - began) / 1000;
      const start = spread(latencies);
      await sleep(2_000);
      const upkeep: { node: number; redis: number }[] = [];
      for (let run = 0; run < 3; run++) {
        const before = { node: cpuOf(node.pid), redis: redis.cpu() };
        const since = performance.now();
        await sleep(bench.size(5_000, 2_000));
        const passed = (performance.now() - since) / 1000;
        upkeep.push({ node: (cpuOf(node.pid) - before.node) / passed, redis: (redis.cpu() - before.redis) / passed });
      }
      const nodeCores = median(upkeep.map((run) => run.node));
      const redisCores = median(upkeep.map((run) => run.redis));
      rows.push({
        names: count,
        'started/s': figure(count / seconds),
        'start p50 ms': figure(start.p50),
        'start p99 ms': figure(start.p99),
        'upkeep: Node cores': figure(nodeCores),
        'Redis cores': figure(redisCores),
        'RSS MB': figure(rssOf(node.pid) / 2 ** 20),
      });
      bench.say(`${count} names: started within ${figure(seconds)} s`);
      if (count >= 10_000) {
        goals.push({
          goal: `names: start p99 < 500 ms at ${count}`,
          seen: String(figure(start.p99)),
          met: start.p99 < 500,
        });
        goals.push({
          goal: `names: upkeep ≤ 0.25 cores at ${count}`,
          seen: String(figure(nodeCores + redisCores)),
          met: nodeCores + redisCores <= 0.25,
        });
      }
      await bench.stop();
    }
    const clash = await clashes(bench, bench.size(200, 50));
    goals.push({
      goal: 'names: two nodes start one name at once: 0 doubles',
      seen: String(clash.doubles),
      met: clash.doubles === 0,
    });
    goals.push({
      goal: 'names: the slower of the two knows it p95 ≤ 20 ms',
      seen: String(figure(clash.slower.p95)),
      met: clash.slower.p95 <= 20,
    });
    const doubles = {
      names: clash.names,
      doubles: clash.doubles,
      'slower p50 ms': figure(clash.slower.p50),
      'slower p95 ms': figure(clash.slower.p95),
    };
    return {
      tables: [
        { title: `names: lease ${LEASE_MS} ms, ${AT_ONCE} starts at once`, rows },
        { title: 'two nodes start one name at once', rows: [doubles] },
      ],
      goals,
    };
  },
};

function startNode(bench: Bench, redisUrl: string, node: string): Promise<Peer> {
  return bench.peer('names', { hub: hubFile(''), redisUrl, node, leaseMs: LEASE_MS, atOnce: AT_ONCE });
}

function ask(node: Peer, order: object): Promise<{ latencies: number[] }> {
  return new Promise((resolve, reject) => {
    const ended = (): void => reject(new Error(`the node ended:\n${node.lines.join('\n')}`));
    node.process.once('exit', ended);
    node.process.once('message', (message) => {
      node.process.off('exit', ended);
      const { latencies, error } = message as { latencies?: number[]; error?: string };
      if (latencies) resolve({ latencies });
      else reject(new Error(error));
    });
    node.tell(order);
  });
}

/** Names that both nodes want at the same moment, one after the other. */
async function clashes(bench: Bench, count: number) {
  const redis = await bench.redis();
  const nodes = await Promise.all(['a', 'b'].map((name) => startNode(bench, redis.url, name)));
  const slower: number[] = [];
  for (let i = 0; i < count; i++) {
    const at = Date.now() + 15;
    const both = await Promise.all(nodes.map((node) => ask(node, { prefix: 'clash', from: i, to: i + 1, at })));
    slower.push(Math.max(...both.flatMap(({ latencies }) => latencies)));
  }
  const client = new Redis(redis.url);
  const starts = Object.values(await client.hgetall('bench:starts')).map(Number);
  client.disconnect();
  if (starts.length !== count) throw new Error(`expected ${count} names to have started, got ${starts.length}`);
  return { names: count, doubles: starts.filter((times) => times > 1).length, slower: spread(slower) };
}
