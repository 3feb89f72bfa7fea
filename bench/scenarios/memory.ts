import { setTimeout as sleep } from 'node:timers/promises';
import { figure, type Bench, type Scenario } from '../support/bench.js';
import { rssOf } from '../support/cpu.js';
import { median } from '../support/stats.js';

const IDLE_MS = 2_000;
const MOST_KB = 20;

export const memory: Scenario = {
  name: 'memory',
  about: '10,000 idle viewers with one channel each: resident memory, beside bare ws and plain Socket.IO',
  async run(bench) {
    const viewers = bench.size(10_000, 1_000);
    const seen = new Map<string, number[]>([
      ['pollcast', []],
      ['ws', []],
      ['socket.io', []],
    ]);
    for (let run = 0; run < bench.size(3, 1); run++) {
      for (const [name, sizes] of seen) sizes.push(await each(bench, name, viewers));
    }
    const rows = [...seen].map(([server, sizes]) => ({
      server,
      viewers,
      runs: sizes.length,
      'KB of RSS per viewer': figure(median(sizes)),
    }));
    const ours = median(seen.get('pollcast') ?? []);
    const goals = [
      { goal: `memory: ≤ ${MOST_KB} KB of RSS per viewer`, seen: String(figure(ours)), met: ours <= MOST_KB },
    ];
    return { tables: [{ title: 'memory: idle viewers with one channel', rows }], goals };
  },
};

/** KB that each of them adds to a server that has just had its first hundred. */
async function each(bench: Bench, name: string, viewers: number): Promise<number> {
  const server = await serverOf(bench, name);
  const first = await bench.load();
  const rest = await bench.load();
  const order = {
    kind: name === 'ws' ? ('ws' as const) : ('socketio' as const),
    port: server.port,
    watch: { topics: ['bench.idle'] },
    sample: 1,
  };
  await first.open({ ...order, count: 100 });
  await sleep(IDLE_MS);
  const before = rssOf(server.pid);
  await rest.open({ ...order, count: viewers });
  await sleep(IDLE_MS);
  const after = rssOf(server.pid);
  await bench.stop();
  return (after - before) / 1024 / viewers;
}

async function serverOf(bench: Bench, name: string): Promise<{ pid: number; port: number }> {
  if (name !== 'pollcast')
    return bench.peer(name === 'ws' ? 'ws' : 'socketio', { everyMs: 60_000, padding: 100, panels: 1 });
  const postgres = await bench.postgres();
  return bench.node({
    DATABASE_URL: postgres.url,
    TOPICS_DIR: await bench.topics({ 'bench/idle.sql': 'select 1 as at' }),
  });
}
