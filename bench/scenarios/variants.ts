import { contest, type Contender } from '../support/contest.js';
import {
  figure,
  type Bench,
  type Cell,
  type Goal,
  type Measured,
  type Result,
  type Scenario,
} from '../support/bench.js';
import type { PostgresService } from '../support/services.js';
import { medianOf } from '../support/stats.js';
import { TICK } from '../support/writer.js';

/** Sockets that one process may hold beside everything else, where open files are limited to 20,000. */
const MOST_SOCKETS = 10_000;
const WRITE_MS = 10;
/** Longer than any turn: a node that is held meanwhile keeps what it owns. */
const LEASE_MS = '600000';

const QUERY = `select r.id, r.name, r.value + tick.n as value, ${TICK} from readings r, tick where r.id =`;

interface Size {
  readonly channels: number;
  readonly everyMs: number;
  readonly peer: boolean;
}

export const variants: Scenario = {
  name: 'variants',
  about: 'many channels of one topic, one viewer each, every result changes; beside one prepared query per channel',
  async run(bench) {
    const sizes: readonly Size[] = bench.size(
      [
        { channels: 1_000, everyMs: 1_000, peer: true },
        { channels: 10_000, everyMs: 1_000, peer: true },
        { channels: 20_000, everyMs: 1_000, peer: false },
        { channels: 10_000, everyMs: 250, peer: false },
      ],
      [{ channels: 1_000, everyMs: 1_000, peer: true }],
    );
    const only = bench.options.flags.get('sizes')?.split(',').map(Number);
    const rows: Record<string, Cell>[] = [];
    const goals: Goal[] = [];
    for (const [i, size] of sizes.entries()) {
      if (only && !only.includes(i)) continue;
      const { turns, openedIn } = await oneSize(bench, size);
      for (const [name, runs] of turns) rows.push({ ...row(name, size, runs), 'let in within s': openedIn(name) });
      goals.push(...goalsOf(size, turns));
    }
    return { tables: [{ title: 'variants: every result changes in every interval', rows }], goals } satisfies Result;
  },
};

async function oneSize(
  bench: Bench,
  { channels, everyMs, peer }: Size,
): Promise<{ turns: Map<string, Measured[]>; openedIn: (name: string) => number }> {
  bench.say(`${channels} channels every ${everyMs} ms`);
  const postgres = await bench.postgres();
  const writer = await bench.writer(postgres.url);
  await fill(postgres, channels);
  writer.run(WRITE_MS);
  const sockets = Math.min(channels, MOST_SOCKETS);
  const watch = { topics: ['bench.reading'], param: { name: 'id', first: 1, per: channels / sockets } };
  const contenders: Contender[] = [await theHub(bench, postgres, everyMs, sockets, watch)];
  if (peer) {
    const settings = { databaseUrl: postgres.url, text: `${QUERY} $1`, everyMs, due: false };
    const server = await bench.peer('each', settings);
    const load = await bench.load();
    const opened = await load.open({ kind: 'socketio', port: server.port, count: sockets, watch, sample: 1 });
    contenders.push({ name: 'one query per channel', server, load, openedIn: opened.seconds });
  }
  const turns = await contest(bench, postgres, contenders, {
    rounds: 3,
    seconds: bench.size(3, 3, 8),
    settleMs: 2_500,
  });
  await bench.stop();
  const openedIn = (name: string): number => figure(contenders.find((one) => one.name === name)?.openedIn ?? NaN, 2);
  return { turns, openedIn };
}

async function theHub(
  bench: Bench,
  postgres: PostgresService,
  everyMs: number,
  sockets: number,
  watch: { topics: string[]; param: { name: string; first: number; per: number } },
): Promise<Contender> {
  const redis = await bench.redis();
  const topic = `/*\ninterval: ${everyMs}ms\nparams:\n  id: { type: int }\n*/\n${QUERY} :id`;
  const env = {
    DATABASE_URL: postgres.url,
    REDIS_URL: redis.url,
    LEASE_MS,
    TOPICS_DIR: await bench.topics({ 'bench/reading.sql': topic }),
  };
  const server = await bench.node(env);
  const load = await bench.load();
  const { seconds } = await load.open({ kind: 'socketio', port: server.port, count: sockets, watch, sample: 1 });
  bench.say(`  pollcast: all let in within ${seconds.toFixed(1)} s`);
  return { name: 'pollcast', server, load, redis, openedIn: seconds };
}

export async function fill(postgres: PostgresService, rows: number): Promise<void> {
  await postgres.query(`create table readings (id int primary key, name text not null, value float8 not null)`);
  await postgres.query(`insert into readings select i, 'sensor ' || i, random() from generate_series(1, $1) i`, [rows]);
  await postgres.query('vacuum analyze readings');
}

const seconds = (run: Measured) => run.load.seconds;
const cores = (run: Measured, who: string) => (run.cpu[who] ?? 0) / seconds(run);

function row(server: string, { channels, everyMs }: Size, runs: readonly Measured[]): Record<string, Cell> {
  return {
    server,
    channels,
    'every ms': everyMs,
    'deliveries/s': figure(medianOf(runs, (run) => run.load.messages / seconds(run))),
    'Node cores': figure(medianOf(runs, (run) => cores(run, 'server'))),
    'Postgres cores': figure(medianOf(runs, (run) => cores(run, 'database'))),
    'Redis cores': figure(medianOf(runs, (run) => cores(run, 'redis'))),
    'generator cores': figure(medianOf(runs, (run) => run.load.cpuSeconds / seconds(run))),
    'mean ms': figure(medianOf(runs, (run) => run.load.latency.mean)),
    'p95 ms': figure(medianOf(runs, (run) => run.load.latency.p95)),
    'p99 ms': figure(medianOf(runs, (run) => run.load.latency.p99)),
  };
}

const LIMITS: Readonly<Record<string, { mean?: number; p99: number; cores?: number }>> = {
  '10000/1000': { mean: 30, p99: 100, cores: 0.25 },
  '20000/1000': { mean: 60, p99: 300 },
  '10000/250': { p99: 300 },
};

function goalsOf(size: Size, turns: ReadonlyMap<string, readonly Measured[]>): Goal[] {
  const what = `variants: ${size.channels} channels every ${size.everyMs} ms`;
  const ours = turns.get('pollcast') ?? [];
  const goals: Goal[] = [];
  const atMost = (name: string, seen: number, most: number): void => {
    goals.push({ goal: `${what}: ${name} ≤ ${most}`, seen: String(figure(seen)), met: seen <= most });
  };
  const rate = medianOf(ours, (run) => run.load.messages / seconds(run));
  const due = (size.channels * 1000) / size.everyMs;
  goals.push({
    goal: `${what}: every change delivered`,
    seen: `${figure(rate / due)} of them`,
    met: rate >= 0.98 * due,
  });
  const limits = LIMITS[`${size.channels}/${size.everyMs}`];
  if (limits) {
    if (limits.mean !== undefined)
      atMost(
        'mean ms',
        medianOf(ours, (run) => run.load.latency.mean),
        limits.mean,
      );
    atMost(
      'p99 ms',
      medianOf(ours, (run) => run.load.latency.p99),
      limits.p99,
    );
    if (limits.cores !== undefined)
      atMost(
        'hub cores',
        medianOf(ours, (run) => cores(run, 'server')),
        limits.cores,
      );
  }
  const theirs = turns.get('one query per channel');
  if (theirs) {
    const cost = (runs: readonly Measured[], who: string) =>
      medianOf(runs, (run) => (run.cpu[who] ?? NaN) / run.load.messages);
    atMost('Node CPU per result, of one query per channel', cost(ours, 'server') / cost(theirs, 'server'), 0.167);
    atMost('Postgres CPU per result, of one query per channel', cost(ours, 'database') / cost(theirs, 'database'), 0.5);
  }
  return goals;
}
