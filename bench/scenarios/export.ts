import { execFile } from 'node:child_process';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { io, type Socket } from 'socket.io-client';
import { figure, type Bench, type Goal, type Scenario } from '../support/bench.js';
import { cpuOf, rssOf } from '../support/cpu.js';
import type { HubNode } from '../support/node.js';
import type { PostgresService } from '../support/services.js';
import { median, spread } from '../support/stats.js';

const ROUNDS = 3;
const LEAST_SPEED = 0.5;
const MOST_GROWTH_MB = 150;
const RSS_EVERY_MS = 50;

/** Of the topic that somebody else watches meanwhile: its result changes each time. */
const FRAME_MS = 100;
const CALM_MS = 3_000;

const SELECT = 'SELECT id, at, region, customer, amount, note FROM sales ORDER BY id';

interface View {
  readonly state: string;
  readonly id: string;
  readonly rows: number;
  readonly bytes?: number;
  readonly error?: { readonly message: string };
}

interface Run {
  readonly seconds: number;
  readonly bytes: number;
  /** Of the hub; absent of psql. */
  readonly cpu?: number;
  /** Peak of its resident memory above what it was before, in MB. */
  readonly growthMb?: number;
  /** From each frame that somebody else watches to the next, in ms; absent of psql. */
  readonly gaps?: readonly number[];
}

export const exporting: Scenario = {
  name: 'export',
  about: 'csv of a million rows (--full: 5) beside psql \\copy of the same statement to a file; xlsx of a tenth',
  apart: true,
  async run(bench) {
    const rows = bench.size(1_000_000, 100_000, 5_000_000);
    const postgres = await bench.postgres();
    await fill(postgres, rows);
    bench.say(`${rows} rows are there`);
    const topic = (most: number) =>
      `/*\ninterval: 1m\nkey: [id]\n*/\n${SELECT.replace('ORDER', `WHERE id <= ${most} ORDER`)}`;
    const node = await bench.node({
      DATABASE_URL: postgres.url,
      TOPICS_DIR: await bench.topics({
        'bench/sales.sql': topic(rows),
        'bench/part.sql': topic(rows / 10),
        'bench/warm.sql': topic(1_000),
        'bench/clock.sql': `/*\ninterval: ${FRAME_MS}ms\n*/\nSELECT extract(epoch FROM clock_timestamp()) AS at`,
      }),
    });
    const socket = await connected(bench, node);
    const watcher = await watch(await connected(bench, node));
    const folder = await mkdtemp(join(tmpdir(), 'pollcast-bench-export-'));
    bench.defer(() => rm(folder, { recursive: true, force: true }));
    for (const format of ['csv', 'xlsx', 'pdf']) await hubExports(node, socket, 'bench.warm', format, watcher);
    const calm = watcher.gaps(await sleep(CALM_MS, performance.now()));

    const seen = new Map<string, Run[]>([
      ['psql \\copy', []],
      ['pollcast csv', []],
    ]);
    for (let round = 0; round < bench.size(ROUNDS, 1); round++) {
      seen.get('psql \\copy')?.push(await psqlCopies(postgres, join(folder, 'copy.csv'), rows));
      seen.get('pollcast csv')?.push(await hubExports(node, socket, 'bench.sales', 'csv', watcher));
      bench.say(
        `round ${round + 1}: ${[...seen].map(([name, runs]) => `${name} ${figure(runs.at(-1)?.seconds ?? NaN)} s`).join(', ')}`,
      );
    }
    const [copied, exported] = [seen.get('psql \\copy') ?? [], seen.get('pollcast csv') ?? []];
    // Whoever is fast because rows are missing is not fast.
    if (exported.some(({ bytes }, i) => bytes !== copied[i]?.bytes)) throw new Error('the two files are not alike');
    seen.set('pollcast xlsx', [await hubExports(node, socket, 'bench.part', 'xlsx', watcher)]);

    const table = [...seen].map(([name, runs]) => {
      const count = name === 'pollcast xlsx' ? rows / 10 : rows;
      const seconds = median(runs.map((run) => run.seconds));
      return {
        program: name,
        rows: count,
        runs: runs.length,
        MB: figure(median(runs.map((run) => run.bytes)) / 1e6),
        seconds: figure(seconds),
        'rows/s': figure(count / seconds),
        'hub CPU s': name.startsWith('psql') ? '–' : figure(median(runs.map((run) => run.cpu ?? NaN))),
        'MB of RSS more': name.startsWith('psql') ? '–' : figure(Math.max(...runs.map((run) => run.growthMb ?? NaN))),
      };
    });
    const speed = median(copied.map((run) => run.seconds)) / median(exported.map((run) => run.seconds));
    const growth = Math.max(...exported.map((run) => run.growthMb ?? NaN));
    const goals: Goal[] = [
      { goal: `export: csv ≥ ${LEAST_SPEED} of psql's speed`, seen: String(figure(speed)), met: speed >= LEAST_SPEED },
      {
        goal: `export: RSS grows by ≤ ${MOST_GROWTH_MB} MB`,
        seen: `${figure(growth)} MB`,
        met: growth <= MOST_GROWTH_MB,
      },
    ];
    const others = [['nothing', calm] as const, ...[...seen].map(([name, runs]) => [name, gapsOf(runs)] as const)]
      .filter(([, gaps]) => gaps.length > 0)
      .map(([name, gaps]) => {
        const { count, p50, p95, max } = spread(gaps);
        return {
          'while the node makes': name,
          frames: count,
          'p50 ms': figure(p50),
          'p95 ms': figure(p95),
          'max ms': figure(max),
        };
      });
    return {
      tables: [
        { title: `export: ${rows} rows`, rows: table },
        { title: `export: between two frames of a topic of ${FRAME_MS} ms on the same node`, rows: others },
      ],
      goals,
    };
  },
};

/** About 100 bytes a row, with what quoting has to look at. */
async function fill(postgres: PostgresService, rows: number): Promise<void> {
  await postgres.query(`
    create table sales as
    select i as id, timestamptz '2026-01-01' + i * interval '1 s' as at, (array['EU', 'US', 'APAC'])[i % 3 + 1] as region,
           'customer ' || i % 50000 as customer, (i % 100000) / 100.0 as amount,
           case when i % 10 = 0 then 'says "thank you", twice' when i % 7 = 0 then null else md5(i::text) end as note
      from generate_series(1, ${rows}) as i`);
  await postgres.query('alter table sales add primary key (id)');
  await postgres.query('vacuum analyze sales');
}

async function psqlCopies(postgres: PostgresService, file: string, rows: number): Promise<Run> {
  const began = performance.now();
  const command = `\\copy (${SELECT.replace('ORDER', `WHERE id <= ${rows} ORDER`)}) to '${file}' with (format csv, header)`;
  await promisify(execFile)('psql', ['-X', '-q', '-v', 'ON_ERROR_STOP=1', postgres.url, '-c', command]).catch(
    (error: unknown) => {
      const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
      throw missing ? new Error('there is no psql on the PATH to compare with', { cause: error }) : error;
    },
  );
  const seconds = (performance.now() - began) / 1000;
  const { size } = await stat(file);
  await rm(file);
  return { seconds, bytes: size };
}

async function connected(bench: Bench, node: HubNode): Promise<Socket> {
  const socket = io(node.url, { transports: ['websocket'] });
  bench.defer(async () => void socket.close());
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('connect_error', reject);
  });
  return socket;
}

interface Watcher {
  /** Between the frames that came since then (of `performance.now()`). */
  gaps(since: number): number[];
}

/** Somebody who watches another topic on the same node. */
async function watch(socket: Socket): Promise<Watcher> {
  const times: number[] = [];
  socket.on('frame', () => times.push(performance.now()));
  const answer = (await socket.emitWithAck('subscribe', { topic: 'bench.clock' })) as { ok: boolean; error?: unknown };
  if (!answer.ok) throw new Error(`refused: ${JSON.stringify(answer.error)}`);
  return {
    gaps(since) {
      const seen = times.filter((at) => at >= since);
      return seen.slice(1).map((at, i) => at - (seen[i] ?? at));
    },
  };
}

function gapsOf(runs: readonly Run[]): number[] {
  return runs.flatMap(({ gaps = [] }) => gaps);
}

/** From the request to the announcement that the file is there. */
async function hubExports(
  node: HubNode,
  socket: Socket,
  topic: string,
  format: string,
  watcher: Watcher,
): Promise<Run> {
  const before = rssOf(node.pid);
  let peak = before;
  const look = setInterval(() => (peak = Math.max(peak, rssOf(node.pid))), RSS_EVERY_MS);
  const cpuBefore = cpuOf(node.pid);
  const over = new Promise<View>((resolve) => {
    socket.on('export', (view: View) => {
      if (!['pending', 'processing'].includes(view.state)) resolve(view);
    });
  });
  const began = performance.now();
  try {
    const answer = (await socket.emitWithAck('export:request', { topic, format })) as { ok: boolean; error?: unknown };
    if (!answer.ok) throw new Error(`refused: ${JSON.stringify(answer.error)}`);
    const view = await over;
    const seconds = (performance.now() - began) / 1000;
    const gaps = watcher.gaps(began);
    if (view.state !== 'ready') throw new Error(`${format} of ${topic}: ${view.state} ${view.error?.message ?? ''}`);
    await socket.emitWithAck('export:dismiss', { id: view.id });
    return {
      seconds,
      bytes: view.bytes ?? 0,
      cpu: cpuOf(node.pid) - cpuBefore,
      growthMb: (peak - before) / 2 ** 20,
      gaps,
    };
  } finally {
    clearInterval(look);
    socket.off('export');
  }
}
