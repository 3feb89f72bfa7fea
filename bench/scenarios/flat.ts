import { setTimeout as sleep } from 'node:timers/promises';
import { figure, measure, type Goal, type Scenario } from '../support/bench.js';
import { median } from '../support/stats.js';
import { TICK } from '../support/writer.js';

const VIEWERS = 300;
const TOPICS = 4;
const PANELS = 10;
const EVERY_MS = 250;
/** Found in the statements that Postgres counts. */
const MARK = 'flat_source';

export const flat: Scenario = {
  name: 'flat',
  about: 'the same viewers on one, two and three nodes: queries per second',
  async run(bench) {
    const rows = [];
    const rates: number[] = [];
    for (const nodes of [1, 2, 3]) {
      const postgres = await bench.postgres();
      const writer = await bench.writer(postgres.url);
      await postgres.query(`create table ${MARK} (panel int primary key)`);
      await postgres.query(`insert into ${MARK} select generate_series(0, $1::int - 1)`, [PANELS]);
      const redis = await bench.redis();
      const files: Record<string, string> = {};
      for (let i = 0; i < TOPICS; i++) {
        files[`bench/flat${i}.sql`] =
          `/*\ninterval: ${EVERY_MS}ms\nparams:\n  panel: { type: int }\n*/\nselect f.panel, ${TICK} from ${MARK} f, tick where f.panel = :panel`;
      }
      const env = { DATABASE_URL: postgres.url, REDIS_URL: redis.url, TOPICS_DIR: await bench.topics(files) };
      const loads = [];
      for (let i = 0; i < nodes; i++) {
        const node = await bench.node(env);
        const load = await bench.load();
        const watch = {
          topics: Object.keys(files).map((name) => `bench.${name.slice(6, -4)}`),
          param: { name: 'panel', first: 0, per: 1, of: PANELS },
        };
        await load.open({ kind: 'socketio', port: node.port, count: VIEWERS / nodes, watch, sample: 1 });
        loads.push(load);
      }
      writer.run(20);
      await sleep(1_500);
      const calls = async (): Promise<number> => {
        const [row] = await postgres.query<{ calls: string | null }>(
          `select sum(calls) as calls from pg_stat_statements where query like '%${MARK} f%' and query not like '%pg_stat_statements%'`,
        );
        return Number(row?.calls ?? 0);
      };
      const seen: number[] = [];
      let deliveries = 0;
      for (let run = 0; run < 3; run++) {
        const before = await calls();
        const began = performance.now();
        const measured = await Promise.all(loads.map((load) => measure(load, bench.size(4, 2, 10), {})));
        seen.push(((await calls()) - before) / ((performance.now() - began) / 1000));
        deliveries = measured.reduce((sum, { load }) => sum + load.messages / load.seconds, 0);
      }
      rates.push(median(seen));
      rows.push({
        nodes,
        viewers: VIEWERS * TOPICS,
        channels: TOPICS * PANELS,
        'queries/s': figure(median(seen), 4),
        'deliveries/s': figure(deliveries, 4),
      });
      bench.say(`${nodes} nodes: ${figure(median(seen), 4)} queries per second`);
      await bench.stop();
    }
    const [first = NaN] = rates;
    const off = Math.max(...rates.map((rate) => Math.abs(rate / first - 1)));
    const goals: Goal[] = [
      { goal: 'flat: queries per second constant ± 2 %', seen: `± ${figure(off * 100, 2)} %`, met: off <= 0.02 },
    ];
    return { tables: [{ title: `flat: ${TOPICS} topics every ${EVERY_MS} ms`, rows }], goals };
  },
};
