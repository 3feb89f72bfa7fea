import { setTimeout as sleep } from 'node:timers/promises';
import { figure, LoadErrors, type Bench, type Cell, type Goal, type Scenario } from '../support/bench.js';
import type { Load } from '../load/protocol.js';
import type { LoadGenerator } from '../load/load.js';
import type { PostgresService } from '../support/services.js';
import { median } from '../support/stats.js';
import { TICK } from '../support/writer.js';

const PANELS = 50;
const EVERY_MS = 1_000;
/** As the client library spreads its first attempts. */
const JITTER_MS = 1_000;
const BACK_MS = 5_000;
const OBSERVE_MS = 6_000;
const MARK = 'storm_source';

interface Storm {
  readonly back: Load;
  readonly others: Load;
  readonly queriesBefore: number;
  readonly queriesDuring: number;
}

export const storm: Scenario = {
  name: 'storm',
  about: 'the viewers of a killed node come back on another one, all at once',
  async run(bench) {
    const viewers = bench.size(5_000, 500);
    const others = bench.size(1_000, 100);
    const storms: Storm[] = [];
    for (let run = 0; run < bench.size(3, 1); run++) {
      storms.push(await oneStorm(bench, viewers, others));
      await bench.stop();
    }
    const rows: Record<string, Cell>[] = storms.map(({ back, others: rest, queriesBefore, queriesDuring }, i) => ({
      run: i + 1,
      'came back': back.returned.count,
      resumed: back.resumed,
      'back p50 ms': figure(back.returned.p50),
      'back max ms': figure(back.returned.max),
      "others' frames p99 ms": figure(rest.latency.p99),
      'statements/s before': figure(queriesBefore),
      during: figure(queriesDuring),
    }));
    const last = median(storms.map(({ back }) => back.returned.max));
    const p99 = median(storms.map(({ others: rest }) => rest.latency.p99));
    const all = storms.every(({ back }) => back.returned.count === viewers);
    // A takeover may poll once out of turn; per viewer there must be nothing.
    const extra = Math.max(...storms.map(({ queriesBefore, queriesDuring }) => queriesDuring / queriesBefore));
    const goals: Goal[] = [
      {
        goal: `storm: ${viewers} viewers back ≤ ${BACK_MS / 1000} s`,
        seen: `${figure(last)} ms${all ? '' : ', not all'}`,
        met: all && last <= BACK_MS,
      },
      { goal: "storm: p99 of the others' frames < 1 s", seen: `${figure(p99)} ms`, met: p99 < 1_000 },
      { goal: 'storm: queries unchanged', seen: `${figure(extra)} times as many at most`, met: extra <= 1.5 },
    ];
    return {
      tables: [
        { title: `storm: ${viewers} viewers of ${PANELS} channels lose their node, ${others} others watch`, rows },
      ],
      goals,
    };
  },
};

async function oneStorm(bench: Bench, viewers: number, others: number): Promise<Storm> {
  const postgres = await bench.postgres();
  const writer = await bench.writer(postgres.url);
  await postgres.query(`create table ${MARK} (panel int primary key)`);
  await postgres.query(`insert into ${MARK} select generate_series(0, $1::int - 1)`, [PANELS]);
  const { url } = await bench.redis();
  const topic = `/*\ninterval: ${EVERY_MS}ms\nretain: 1m\nparams:\n  panel: { type: int }\n*/\nselect s.panel, ${TICK} from ${MARK} s, tick where s.panel = :panel`;
  const env = {
    DATABASE_URL: postgres.url,
    REDIS_URL: url,
    TOPICS_DIR: await bench.topics({ 'bench/storm.sql': topic }),
  };
  const watch = { topics: ['bench.storm'], param: { name: 'panel', first: 0, per: 1, of: PANELS } };
  // The first to be watched has the poller: that is the one which is killed.
  const dying = await bench.node(env);
  const staying = await bench.node(env);
  const leaving = await bench.load();
  const remaining = await bench.load();
  const fallback = { port: staying.port, jitterMs: JITTER_MS };
  await leaving.open({ kind: 'socketio', port: dying.port, count: viewers, watch, sample: 1, fallback });
  await remaining.open({ kind: 'socketio', port: staying.port, count: others, watch, sample: 1 });
  writer.run(10);
  await sleep(2_000);
  const queriesBefore = await rateDuring(postgres, () => sleep(OBSERVE_MS));
  await Promise.all([leaving.begin(), remaining.begin()]);
  let back: Load | undefined;
  const queriesDuring = await rateDuring(postgres, async () => {
    await dying.kill('SIGKILL');
    const began = performance.now();
    back = await allBack(leaving, viewers);
    await sleep(Math.max(0, OBSERVE_MS - (performance.now() - began)));
  });
  const rest = await remaining.end();
  refuse(rest.errors);
  if (!back || Object.keys(back.errors).length > 0)
    throw new Error(`viewers met errors on their way back: ${JSON.stringify(back?.errors)}`);
  bench.say(`${back.returned.count} viewers were back within ${figure(back.returned.max)} ms`);
  return { back, others: rest, queriesBefore, queriesDuring };
}

/** The others may be told that their poller has died; but they must not lose a frame, or their connection. */
function refuse(errors: Load['errors']): void {
  const rest = Object.fromEntries(Object.entries(errors).filter(([kind]) => !kind.startsWith('["status"')));
  if (Object.keys(rest).length > 0) throw new LoadErrors(rest);
}

async function allBack(load: LoadGenerator, viewers: number): Promise<Load> {
  const began = performance.now();
  while ((await load.returned()) < viewers && performance.now() - began < 4 * BACK_MS) await sleep(50);
  return load.end();
}

/** Statements per second against the topic's table, as Postgres counts them. */
async function rateDuring(postgres: PostgresService, work: () => Promise<unknown>): Promise<number> {
  const calls = async (): Promise<number> => {
    const [row] = await postgres.query<{ calls: string | null }>(
      `select sum(calls) as calls from pg_stat_statements where query like '%${MARK} s%' and query not like '%pg_stat_statements%'`,
    );
    return Number(row?.calls ?? 0);
  };
  const before = await calls();
  const began = performance.now();
  await work();
  return ((await calls()) - before) / ((performance.now() - began) / 1000);
}
