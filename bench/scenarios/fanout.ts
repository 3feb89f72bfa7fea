import { setTimeout as sleep } from 'node:timers/promises';
import type { LoadGenerator } from '../load/load.js';
import { figure, LoadErrors, measure, type Bench, type Goal, type Result, type Scenario } from '../support/bench.js';
import { cpuOf, shareOf } from '../support/cpu.js';
import { medianOf } from '../support/stats.js';
import { TICK } from '../support/writer.js';

/** Rows of this much filling make frames of 1 KB. */
const PADDING = 880;
/** Deliveries per second that each size is driven at, so that all of them load the machine alike. */
const DELIVERIES = 25_000;
const SHORTEST_MS = 50;
const NAP_MS = 5;

const PEERS = { ws: 'ws', raw: 'limit: net.write of one frame', socketio: 'socket.io' } as const;

interface Variant {
  readonly panels: number;
  readonly across: boolean;
}

/** One server with its viewers, that can be let run for a while. */
interface Contestant {
  readonly name: string;
  readonly pid: number;
  readonly load: LoadGenerator;
  run(): void;
  pause(): Promise<void> | void;
}

interface Run {
  readonly perMillion: number;
  /** The part of it in the operating system's kernel: the writes themselves. */
  readonly inKernel: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

export const fanout: Scenario = {
  name: 'fanout',
  about: '1 KB frames to many viewers of one node, beside a bare ws loop and plain Socket.IO',
  async run(bench) {
    const only = bench.options.flags.get('viewers');
    const sizes = only === undefined ? bench.size([1_000, 5_000, 10_000], [1_000]) : [Number(only)];
    const panels = bench.options.flags.get('panels');
    const across = bench.options.flags.has('across');
    const results: Result[] = [];
    if (panels === undefined && !across) {
      for (const viewers of sizes) results.push(await race(bench, viewers, { panels: 1, across: false }));
    }
    // Without a wish, all three forms are run.
    const rest = panels === undefined && !across;
    const size = only === undefined ? bench.size(5_000, 1_000) : Number(only);
    if (panels !== undefined || rest)
      results.push(await race(bench, size, { panels: Number(panels ?? 5), across: false }));
    if (across || rest) results.push(await race(bench, size, { panels: 1, across: true }));
    return { tables: results.flatMap(({ tables }) => tables), goals: results.flatMap(({ goals }) => goals) };
  },
};

async function race(bench: Bench, viewers: number, variant: Variant): Promise<Result> {
  const { panels, across } = variant;
  const everyMs = Math.max(SHORTEST_MS, Math.round((viewers * panels * 1000) / DELIVERIES));
  const title = `fanout: ${viewers} viewers, ${panels} channel${panels > 1 ? 's' : ''} every ${everyMs} ms${across ? ', poller on another node' : ''}`;
  bench.say(title);
  const contestants = [
    await theHub(bench, viewers, everyMs, variant),
    ...(across
      ? [await theAdapter(bench, viewers, everyMs, 'classic'), await theAdapter(bench, viewers, everyMs, 'sharded')]
      : [
          await aPeer(bench, 'ws', viewers, everyMs, panels),
          await aPeer(bench, 'raw', viewers, everyMs, panels),
          await aPeer(bench, 'socketio', viewers, everyMs, panels),
        ]),
  ];
  const runs = new Map<string, Run[]>(contestants.map(({ name }) => [name, []]));
  const seconds = bench.size(1.5, 1.5, 4);
  for (let round = 0; round < 3; round++) {
    for (const contestant of contestants) runs.get(contestant.name)?.push(await oneRun(contestant, seconds, bench));
  }
  const rows = contestants.map(({ name }) => {
    const seen = runs.get(name) ?? [];
    return {
      server: name,
      runs: seen.length,
      'CPU s per million': figure(medianOf(seen, (run) => run.perMillion)),
      'in the kernel': `${figure(100 * medianOf(seen, (run) => run.inKernel), 2)} %`,
      'deliveries/s': figure(medianOf(seen, (run) => run.perSecond)),
      'p50 ms': figure(medianOf(seen, (run) => run.p50)),
      'p99 ms': figure(medianOf(seen, (run) => run.p99)),
    };
  });
  for (const { load } of contestants) await load.close();
  await bench.stop();
  return { tables: [{ title, rows }], goals: goalsOf(title, runs, variant) };
}

/** Only one runs at a time; the others hold their connections and say nothing. */
async function oneRun({ pid, load, run, pause }: Contestant, seconds: number, bench: Bench): Promise<Run> {
  run();
  await sleep(500);
  try {
    const { load: seen, cpu } = await measure(load, seconds, {
      server: () => cpuOf(pid),
      user: () => shareOf(pid).user,
      kernel: () => shareOf(pid).kernel,
    });
    const { server = NaN, user = NaN, kernel = NaN } = cpu;
    return {
      perMillion: (server / seen.messages) * 1e6,
      inKernel: kernel / (user + kernel),
      perSecond: seen.messages / seen.seconds,
      p50: seen.latency.p50,
      p99: seen.latency.p99,
    };
  } catch (error) {
    if (error instanceof LoadErrors) bench.say(`  a run does not count: ${error.message}`);
    throw error;
  } finally {
    await pause();
    await sleep(300);
  }
}

function goalsOf(title: string, runs: ReadonlyMap<string, readonly Run[]>, { panels, across }: Variant): Goal[] {
  const cost = (name: string) => medianOf(runs.get(name) ?? [], (run) => run.perMillion);
  const goal = (peer: string, most: number): Goal => {
    const ratio = cost('pollcast') / cost(peer);
    return { goal: `${title}: CPU ≤ ${most} of ${peer}`, seen: String(figure(ratio)), met: ratio <= most };
  };
  if (across) return [goal('socket.io, classic adapter', 0.55), goal('socket.io, sharded adapter', 0.55)];
  if (panels > 1) return [goal('socket.io', 0.35)];
  return [goal('ws', 0.95), goal('socket.io', 0.5)];
}

async function theHub(
  bench: Bench,
  viewers: number,
  everyMs: number,
  { panels, across }: Variant,
): Promise<Contestant> {
  const postgres = await bench.postgres();
  const writer = await bench.writer(postgres.url);
  const files: Record<string, string> = {};
  if (panels === 1) files['bench/panel0.sql'] = topic(everyMs, '');
  // One topic with a parameter: its channels are asked, published and delivered in one round.
  else files['bench/panels.sql'] = topic(everyMs, 'params:\n  panel: { type: int }\n');
  const env: Record<string, string> = { DATABASE_URL: postgres.url, TOPICS_DIR: await bench.topics(files) };
  if (across) env.REDIS_URL = (await bench.redis()).url;
  const watch =
    panels === 1
      ? { topics: ['bench.panel0'] }
      : { topics: ['bench.panels'], param: { name: 'panel', first: 0, per: panels, of: panels } };
  if (across) {
    // Its first viewer makes that node the poller's.
    const poller = await bench.node(env);
    const first = await bench.load();
    await first.open({ kind: 'socketio', port: poller.port, count: 1, watch, sample: 1 });
  }
  const node = await bench.node(env);
  const load = await bench.load();
  const { seconds } = await load.open({
    kind: 'socketio',
    port: node.port,
    count: viewers,
    watch,
    sample: 20,
    napMs: NAP_MS,
  });
  bench.say(`  pollcast: ${viewers} viewers let in within ${seconds.toFixed(1)} s`);
  return {
    name: 'pollcast',
    pid: node.pid,
    load,
    run: () => writer.run(Math.min(10, everyMs / 5)),
    pause: () => writer.pause(),
  };
}

function topic(everyMs: number, header: string): string {
  return `/*\ninterval: ${everyMs}ms\n${header}*/\nselect ${TICK}, repeat('x', ${PADDING}) as padding${header === '' ? '' : ', :panel as panel'}\nfrom tick`;
}

async function aPeer(
  bench: Bench,
  name: keyof typeof PEERS,
  viewers: number,
  everyMs: number,
  panels: number,
): Promise<Contestant> {
  const peer = await bench.peer(name === 'socketio' ? 'socketio' : 'ws', {
    everyMs,
    padding: PADDING,
    panels,
    raw: name === 'raw',
  });
  const load = await bench.load();
  const watch = { topics: Array.from({ length: panels }, (_, i) => `bench.panel${i}`) };
  await load.open({
    kind: name === 'socketio' ? 'socketio' : 'ws',
    port: peer.port,
    count: viewers,
    watch,
    sample: 20,
    napMs: NAP_MS,
  });
  return {
    name: PEERS[name],
    pid: peer.pid,
    load,
    run: () => peer.tell('run'),
    pause: () => peer.tell('pause'),
  };
}

async function theAdapter(
  bench: Bench,
  viewers: number,
  everyMs: number,
  adapter: 'classic' | 'sharded',
): Promise<Contestant> {
  const redis = await bench.redis();
  const settings = { everyMs, padding: PADDING, panels: 1, adapter, redisUrl: redis.url };
  const sender = await bench.peer('socketio', settings);
  const deliverer = await bench.peer('socketio', settings);
  const load = await bench.load();
  await load.open({
    kind: 'socketio',
    port: deliverer.port,
    count: viewers,
    watch: { topics: ['bench.panel0'] },
    sample: 20,
    napMs: NAP_MS,
  });
  return {
    name: `socket.io, ${adapter} adapter`,
    pid: deliverer.pid,
    load,
    run: () => sender.tell('run'),
    pause: () => sender.tell('pause'),
  };
}
