import { setTimeout as sleep } from 'node:timers/promises';
import { StallingViewer } from '../load/stalled.js';
import type { LoadGenerator } from '../load/load.js';
import { figure, measure, type Bench, type Scenario } from '../support/bench.js';
import { cpuOf, rssOf } from '../support/cpu.js';
import type { HubNode } from '../support/node.js';
import { median } from '../support/stats.js';

const SLOW = 20;
/** What the system's own buffers take (some 5 MB a connection) comes before the 8 s in which nothing is taken. */
const SECONDS = 12;
const LOOK_MS = 50;
const MB = 1024 * 1024;

interface Phase {
  readonly p50: number;
  readonly p99: number;
  readonly cores: number;
  /** Most resident memory above that of before. */
  readonly grown: number;
  /** Ms until the last of them was cut; NaN: not all of them were. */
  readonly cutMs: number;
}

export const slow: Scenario = {
  name: 'slow',
  about: `${SLOW} viewers of 100 KB frames stop reading: what they cost, when they are cut, what the others notice`,
  async run(bench) {
    const postgres = await bench.postgres();
    const node = await bench.node({
      DATABASE_URL: postgres.url,
      TOPICS_DIR: await bench.topics({
        'bench/steady.sql': `/*\ninterval: 100ms\n*/\nselect (extract(epoch from statement_timestamp()) * 1000)::float8 as at, repeat('x', 1000) as text`,
        'bench/big.sql': `/*\ninterval: 200ms\n*/\nselect clock_timestamp() as at, repeat(md5(clock_timestamp()::text), 3200) as text`,
      }),
    });
    const load = await bench.load();
    const others = bench.size(1_000, 100);
    await load.open({
      kind: 'socketio',
      port: node.port,
      count: others,
      watch: { topics: ['bench.steady'] },
      sample: 1,
    });
    await sleep(2_000);
    const phases: Record<'reading' | 'stalled', Phase[]> = { reading: [], stalled: [] };
    // The first of each warms up.
    for (let run = 0; run < bench.size(4, 2); run++)
      for (const stalled of [false, true]) {
        const phase = await each(bench, node, load, stalled);
        if (run > 0) phases[stalled ? 'stalled' : 'reading'].push(phase);
      }
    const of = (name: keyof typeof phases, read: (phase: Phase) => number) => median(phases[name].map(read));
    const rows = (['reading', 'stalled'] as const).map((name) => ({
      [`${SLOW} viewers of big frames`]: name === 'reading' ? 'read them' : 'stop reading',
      others,
      'p50 ms of the others': figure(of(name, (phase) => phase.p50)),
      'p99 ms of the others': figure(of(name, (phase) => phase.p99)),
      'Node cores': figure(of(name, (phase) => phase.cores)),
      'RSS grown, MB': figure(of(name, (phase) => phase.grown / MB)),
      'last one cut after s': name === 'reading' ? '–' : figure(of(name, (phase) => phase.cutMs / 1000)),
    }));
    const change = of('stalled', ({ p99 }) => p99) / of('reading', ({ p99 }) => p99) - 1;
    const cost = of('stalled', ({ grown }) => grown) / SLOW / MB;
    const cut = of('stalled', ({ cutMs }) => cutMs / 1000);
    const goals = [
      { goal: 'slow: a viewer that stops reading costs ≤ 2 MB', seen: `${figure(cost)} MB`, met: cost <= 2 },
      {
        goal: 'slow: it is cut within 10 s of its last read (the buffers of the system included)',
        seen: `the last after ${figure(cut)} s`,
        met: cut <= 10,
      },
      {
        goal: "slow: the others' p99 changes by less than 10 %",
        seen: `${figure(change * 100)} %`,
        met: change < 0.1,
      },
    ];
    return { tables: [{ title: 'slow: viewers that stop reading', rows }], goals };
  },
};

async function each(bench: Bench, node: HubNode, load: LoadGenerator, stalled: boolean): Promise<Phase> {
  const viewers = Array.from({ length: SLOW }, () => new StallingViewer(node.port, 'bench.big'));
  await Promise.all(viewers.map((viewer) => viewer.watching()));
  await sleep(1_000);
  const [before, cutBefore, began] = [rssOf(node.pid), await cuts(node), performance.now()];
  let [most, cutMs] = [before, NaN];
  const watch = setInterval(() => {
    most = Math.max(most, rssOf(node.pid));
    void cuts(node).then((count) => {
      if (count - cutBefore >= SLOW && Number.isNaN(cutMs)) cutMs = performance.now() - began;
    });
  }, LOOK_MS * 4);
  if (stalled) for (const viewer of viewers) viewer.stall();
  const { load: seen, cpu } = await measure(load, SECONDS, { server: () => cpuOf(node.pid) });
  clearInterval(watch);
  for (const viewer of viewers) viewer.close();
  await sleep(2_000);
  return {
    p50: seen.latency.p50,
    p99: seen.latency.p99,
    cores: (cpu.server ?? NaN) / seen.seconds,
    grown: most - before,
    cutMs,
  };
}

async function cuts({ url }: HubNode): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^pollcast_slow_viewers_cut_total (\d+)$/m.exec(text)?.[1] ?? 0);
}
