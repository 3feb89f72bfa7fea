import { setTimeout as sleep } from 'node:timers/promises';
import { figure, LoadErrors, type Bench, type Scenario } from '../support/bench.js';
import { startChild, type Child } from '../support/children.js';
import { cpuOf, rssOf } from '../support/cpu.js';
import { benchFile } from '../support/project.js';
import type { Service } from '../support/services.js';
import { medianOf } from '../support/stats.js';
import type { RoomLoad, RoomOrder } from '../load/rooms.js';

const MEMBERS = 2;
const IN_FLIGHT = 64;
const CALM_MS = 3_000;

const CONTENDERS = ['pollcast, backup in Redis', 'pollcast, no backup', 'a Map in memory'] as const;
type Contender = (typeof CONTENDERS)[number];

interface Turn {
  readonly openSeconds: number;
  readonly kbPerRoom: number;
  readonly rssMb: number;
  readonly full: RoomLoad;
  readonly calm: RoomLoad;
  /** CPU seconds during the full load. */
  readonly cpu: number;
  readonly redisCpu: number;
}

export const rooms: Scenario = {
  name: 'rooms',
  about: '1,000 rooms on one node: acknowledged changes and their latency, with and without backup, and memory',
  apart: true,
  async run(bench) {
    // Fewer would come to the rate that one user may change a room at.
    const count = bench.size(1_000, 300);
    const perSecond = bench.size(100, 50);
    const turns = new Map<Contender, Turn[]>(CONTENDERS.map((name) => [name, []]));
    for (let round = 0; round < bench.size(3, 1); round++) {
      for (const [name, all] of turns) {
        all.push(await turn(bench, name, count, perSecond));
        await bench.stop();
      }
    }
    const rows = [...turns].map(([name, all]) => ({
      server: name,
      rooms: count,
      'opened within s': figure(medianOf(all, (one) => one.openSeconds)),
      'KB of RSS a room': figure(medianOf(all, (one) => one.kbPerRoom)),
      'RSS MB': figure(medianOf(all, (one) => one.rssMb)),
      'acknowledged/s': figure(medianOf(all, ({ full }) => full.acknowledged / full.seconds)),
      'p50 ms': figure(medianOf(all, ({ full }) => full.latency.p50)),
      'p95 ms': figure(medianOf(all, ({ full }) => full.latency.p95)),
      [`at ${perSecond}/s: p50 ms`]: figure(medianOf(all, ({ calm }) => calm.latency.p50)),
      [`at ${perSecond}/s: p95 ms`]: figure(medianOf(all, ({ calm }) => calm.latency.p95)),
      'CPU ms for 1,000': figure(medianOf(all, ({ cpu, full }) => (cpu / full.acknowledged) * 1e6)),
      'Redis CPU ms for 1,000': figure(medianOf(all, ({ redisCpu, full }) => (redisCpu / full.acknowledged) * 1e6)),
    }));
    const title = `rooms: ${MEMBERS} members each, ${IN_FLIGHT} changes under way at once; then ${perSecond} a second`;
    return { tables: [{ title, rows }], goals: [] };
  },
};

async function turn(bench: Bench, name: Contender, count: number, perSecond: number): Promise<Turn> {
  const { server, redis } = await serverOf(bench, name);
  const load = await startChild(process.execPath, [benchFile('load/rooms.js')], process.env);
  bench.defer(() => load.kill('SIGKILL'));
  await sleep(CALM_MS);
  const before = rssOf(server.pid);
  const { seconds } = await ask<{ seconds: number }>(load, {
    do: 'open',
    port: server.port,
    rooms: count,
    members: MEMBERS,
  });
  await sleep(CALM_MS);
  const after = rssOf(server.pid);
  await run(load, { seconds: 2, inFlight: IN_FLIGHT });
  const cpu = { server: cpuOf(server.pid), redis: redis?.cpu() ?? 0 };
  const full = await run(load, { seconds: bench.size(8, 3), inFlight: IN_FLIGHT });
  const used = { server: cpuOf(server.pid) - cpu.server, redis: (redis?.cpu() ?? 0) - cpu.redis };
  await sleep(CALM_MS);
  const calm = await run(load, { seconds: bench.size(8, 3), perSecond });
  bench.say(
    `${name}: ${figure(full.acknowledged / full.seconds)} changes a second, p95 ${figure(calm.latency.p95)} ms`,
  );
  return {
    openSeconds: seconds,
    kbPerRoom: (after - before) / 1024 / count,
    rssMb: after / 2 ** 20,
    full,
    calm,
    cpu: used.server,
    redisCpu: used.redis,
  };
}

async function serverOf(
  bench: Bench,
  name: Contender,
): Promise<{ server: Child & { readonly port: number }; redis?: Service }> {
  if (name === 'a Map in memory') return { server: await bench.peer('rooms', {}) };
  const postgres = await bench.postgres();
  const env = { DATABASE_URL: postgres.url, TOPICS_DIR: await bench.topics({ 'bench/idle.sql': 'select 1 as at' }) };
  if (name === 'pollcast, no backup') return { server: await bench.node(env) };
  const redis = await bench.redis();
  return { server: await bench.node({ ...env, REDIS_URL: redis.url }), redis };
}

/** Throws when a change was refused, or a connection lost: such a run is no measurement. */
async function run(load: Child, order: Omit<RoomOrder & { do: 'run' }, 'do'>): Promise<RoomLoad> {
  const seen = await ask<RoomLoad>(load, { do: 'run', ...order });
  if (Object.keys(seen.errors).length > 0) throw new LoadErrors(seen.errors);
  return seen;
}

function ask<T>(load: Child, order: RoomOrder): Promise<T> {
  return new Promise((resolve, reject) => {
    const ended = (): void => reject(new Error(`the load generator ended:\n${load.lines.join('\n')}`));
    load.process.once('exit', ended);
    load.process.once('message', (message) => {
      load.process.off('exit', ended);
      const { result, error } = message as { result?: T; error?: string };
      if (error === undefined) resolve(result as T);
      else reject(new Error(error));
    });
    load.process.send(order);
  });
}
