import { contest, type Contender } from '../support/contest.js';
import { figure, type Goal, type Measured, type Scenario } from '../support/bench.js';
import type { PostgresService } from '../support/services.js';
import { medianOf } from '../support/stats.js';

const EVERY_MS = 1_000;
const POINTS = 20;
const LEASE_MS = '600000';
/**
 * Channels of one socket. What is measured is asking; Socket.IO's heartbeats of 10,000 sockets (one each in 25 s) would cost more than
 * that, and more in one turn of some seconds than in the next.
 */
const PER_SOCKET = 10;

/** Twenty points of each channel as a chart would show them, and when the channel last changed. */
const QUERY = `select (extract(epoch from q.at) * 1000)::float8 as at, (select json_agg(json_build_array(p.t, p.v) order by p.t) from points p where p.quiet = q.id) as points from quiet q where q.id =`;

export const quiet: Scenario = {
  name: 'quiet',
  about: '10,000 channels of which 1 % change: with `changed:`, without, and one prepared query per channel',
  async run(bench) {
    const channels = bench.size(10_000, 1_000);
    const postgres = await bench.postgres();
    await fill(postgres, channels);
    const stop = keepChanging(postgres, channels);
    bench.defer(() => stop());
    const count = channels / PER_SOCKET;
    const watch = { topics: ['bench.quiet'], param: { name: 'id', first: 1, per: PER_SOCKET } };
    const contenders: Contender[] = [];
    for (const [name, changed] of [
      ['changed:', 'changed: select rev from quiet where id = :id\n'],
      ['polling all', ''],
    ] as const) {
      const topic = `/*\ninterval: ${EVERY_MS}ms\nparams:\n  id: { type: int }\n${changed}*/\n${QUERY} :id`;
      const redis = await bench.redis();
      const env = {
        DATABASE_URL: postgres.url,
        REDIS_URL: redis.url,
        LEASE_MS,
        TOPICS_DIR: await bench.topics({ 'bench/quiet.sql': topic }),
      };
      const server = await bench.node(env);
      const load = await bench.load();
      await load.open({ kind: 'socketio', port: server.port, count, watch, sample: 1 });
      contenders.push({ name, server, load, redis });
      bench.say(`${name}: ${count} viewers of ${channels} channels are in`);
      // Held while the next one's viewers come.
      await server.kill('SIGSTOP');
    }
    const settings = { databaseUrl: postgres.url, text: `${QUERY} $1`, everyMs: EVERY_MS, due: false };
    const server = await bench.peer('each', settings);
    const load = await bench.load();
    await load.open({ kind: 'socketio', port: server.port, count, watch, sample: 1 });
    contenders.push({ name: 'one query per channel', server, load });
    const turns = await contest(bench, postgres, contenders, {
      rounds: 3,
      seconds: bench.size(3, 3, 8),
      settleMs: 3_000,
    });
    const perRound = (runs: readonly Measured[], who: string) =>
      medianOf(runs, (run) => ((run.cpu[who] ?? 0) / run.load.seconds) * EVERY_MS);
    const rows = [...turns].map(([name, runs]) => ({
      server: name,
      channels,
      'changes/s': figure(medianOf(runs, (run) => run.load.messages / run.load.seconds)),
      'Node CPU ms a round': figure(perRound(runs, 'server')),
      'Postgres CPU ms a round': figure(perRound(runs, 'database')),
      'mean ms': figure(medianOf(runs, (run) => run.load.latency.mean)),
    }));
    const ratio = (who: string) =>
      perRound(turns.get('changed:') ?? [], who) / perRound(turns.get('polling all') ?? [], who);
    const goals: Goal[] = [
      ['Postgres', 'database'],
      ['Node', 'server'],
    ].map(([name, who]) => {
      const seen = ratio(who as string);
      return {
        goal: `quiet: ${name} CPU with changed: ≤ 0.35 of polling all`,
        seen: String(figure(seen)),
        met: seen <= 0.35,
      };
    });
    return { tables: [{ title: 'quiet: 1 % of the channels change in every interval', rows }], goals };
  },
};

async function fill(postgres: PostgresService, channels: number): Promise<void> {
  await postgres.query(
    'create table quiet (id int primary key, rev int not null, at timestamptz not null) with (fillfactor = 50)',
  );
  await postgres.query(
    'create table points (quiet int not null, t int not null, v float8 not null, primary key (quiet, t))',
  );
  await postgres.query('insert into quiet select i, 0, clock_timestamp() from generate_series(1, $1) i', [channels]);
  await postgres.query(
    'insert into points select i, t, round(random()::numeric, 4) from generate_series(1, $1) i, generate_series(1, $2) t',
    [channels, POINTS],
  );
  await postgres.query('vacuum analyze quiet');
  await postgres.query('vacuum analyze points');
}

/** One channel in a hundred, each time others. Returns the way to end it. */
function keepChanging(postgres: PostgresService, channels: number): () => Promise<void> {
  const change = `update quiet set rev = rev + 1, at = clock_timestamp() where id % 100 = $1 and id <= ${channels}`;
  let turn = 0;
  let last: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    turn = (turn + 1) % 100;
    last = postgres.query(change, [turn]).catch(() => undefined);
  }, EVERY_MS);
  return async () => {
    clearInterval(timer);
    await last;
  };
}
