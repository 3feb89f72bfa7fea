import { figure, type Bench, type Cell, type Goal, type Scenario } from '../support/bench.js';
import type { Peer } from '../support/children.js';
import { cpuOf } from '../support/cpu.js';
import { hubFile } from '../support/project.js';
import type { PostgresService } from '../support/services.js';
import { medianOf, spread as spreadOf, type Spread } from '../support/stats.js';
import type { RowsRun, RowsSettings } from '../peers/row-run.js';

const EVERY_MS = 1_000;
const LOOK_MS = 2_000;
/** Of a lap before the one that counts: what is made once (compiled code, connections, buffers) is no cost of rows. */
const WARM_ROWS = 1_000;

/** One run of one contender. */
interface Run {
  readonly lateness: Spread;
  readonly response: Spread;
  readonly seconds: number;
  readonly node: number;
  readonly postgres: number;
  readonly heap: RowsRun['heap'];
  readonly rssPeak: number;
}

const CONTENDERS = [
  { name: 'row worker', peer: 'rows' },
  { name: 'UPDATE per row', peer: 'each-row' },
] as const;

export const rows: Scenario = {
  name: 'rows',
  about: 'a small process for each row, three steps a row; beside one UPDATE for each row and process',
  apart: true,
  async run(bench) {
    const size = bench.size({ rows: 20_000, atATime: 10_000 }, { rows: 2_000, atATime: 1_000 });
    // What is written is to be there after a crash: a commit waits for the disk, as it does where people keep such rows.
    const postgres = await bench.postgres({ fsync: true });
    const table: Record<string, Cell>[] = [];
    const goals: Goal[] = [];
    for (const inStep of [true, false]) {
      const turns = new Map<string, Run[]>(CONTENDERS.map(({ name }) => [name, []]));
      for (let round = 0; round < bench.size(3, 1); round++) {
        for (const { name, peer } of CONTENDERS) {
          const settings = { atATime: size.atATime, everyMs: EVERY_MS, lookMs: LOOK_MS, spread: !inStep };
          turns.get(name)?.push(await once(bench, postgres, peer, size.rows, settings));
        }
      }
      bench.say(`${inStep ? 'in step' : 'spread'}: ${bench.size(3, 1)} turns each`);
      for (const [name, runs] of turns) table.push(row(inStep, name, runs));
      goals.push(...goalsOf(inStep, turns));
    }
    return {
      tables: [{ title: `rows: ${size.rows} rows, ${size.atATime} at a time, 3 steps of 1 s each`, rows: table }],
      goals,
    };
  },
};

async function once(
  bench: Bench,
  postgres: PostgresService,
  name: string,
  count: number,
  given: Omit<RowsSettings, 'hub' | 'databaseUrl'>,
): Promise<Run> {
  await postgres.query(`drop table if exists counters`);
  await postgres.query(`create table counters (id bigint primary key, value int not null)`);
  const peer = await bench.peer(name, { ...given, hub: hubFile(''), databaseUrl: postgres.url });
  await lap(peer, postgres, WARM_ROWS);
  const { cpu, ...run } = await lap(peer, postgres, count);
  await peer.kill('SIGKILL');
  const [left] = await postgres.query<{ wrong: number }>(
    'select count(*)::int as wrong from counters where value <> 0',
  );
  if (left?.wrong !== 0) throw new Error(`expected all rows at 0, got ${left?.wrong ?? '?'} others`);
  const { seconds, heap, rssPeak } = run;
  return { lateness: spreadOf(run.lateness), response: spreadOf(run.response), seconds, heap, rssPeak, ...cpu };
}

/** The peer's clock runs before there is anything to find; to put the rows there is not what is measured. */
async function lap(
  peer: Peer,
  postgres: PostgresService,
  count: number,
): Promise<RowsRun & { readonly cpu: { readonly node: number; readonly postgres: number } }> {
  const run = finished(peer, count);
  await postgres.query(`truncate counters`);
  await postgres.query(`insert into counters select i, 3 from generate_series(1, ${count}) i`);
  await postgres.query(`analyze counters`);
  const before = { node: cpuOf(peer.pid), postgres: postgres.cpu() };
  await run.written;
  const cpu = { node: cpuOf(peer.pid) - before.node, postgres: postgres.cpu() - before.postgres };
  return { ...(await run.told), cpu };
}

/** Tells it to begin. `written`: all are at 0, and the work that is measured has ended; `told`: how it went, which costs time to tell. */
function finished(peer: Peer, count: number): { readonly written: Promise<unknown>; readonly told: Promise<RowsRun> } {
  const gone = new Promise<never>((_, reject) => {
    peer.process.once('exit', () => reject(new Error(`the peer ended:\n${peer.lines.join('\n')}`)));
  });
  // Known only to those who still wait.
  gone.catch(() => undefined);
  const heard = (): Promise<unknown> => new Promise((resolve) => peer.process.once('message', resolve));
  const written = Promise.race([gone, heard()]);
  const told = written.then(() => Promise.race([gone, heard()])) as Promise<RowsRun>;
  peer.tell({ writes: count * 3 });
  return { written, told };
}

const mb = (bytes: number): number => figure(bytes / 2 ** 20);

function row(inStep: boolean, name: string, runs: readonly Run[]): Record<string, Cell> {
  const of = (read: (run: Run) => number): number => figure(medianOf(runs, read));
  return {
    due: inStep ? 'in step' : 'spread',
    '': name,
    seconds: of(({ seconds }) => seconds),
    'Node CPU s': of(({ node }) => node),
    'Postgres CPU s': of(({ postgres }) => postgres),
    'response p50 ms': of(({ response }) => response.p50),
    'p95 ms': of(({ response }) => response.p95),
    'max ms': of(({ response }) => response.max),
    'lateness p50 ms': of(({ lateness }) => lateness.p50),
    ' p95 ms': of(({ lateness }) => lateness.p95),
    ' max ms': of(({ lateness }) => lateness.max),
    'heap MB before': mb(medianOf(runs, ({ heap }) => heap[0])),
    'at its peak': mb(medianOf(runs, ({ heap }) => heap[1])),
    after: mb(medianOf(runs, ({ heap }) => heap[2])),
    'RSS MB peak': mb(medianOf(runs, ({ rssPeak }) => rssPeak)),
  };
}

function goalsOf(inStep: boolean, turns: ReadonlyMap<string, readonly Run[]>): Goal[] {
  const [ours = [], theirs = []] = CONTENDERS.map(({ name }) => turns.get(name) ?? []);
  const how = inStep ? 'in step' : 'spread';
  const cpu = (runs: readonly Run[]): number => medianOf(runs, ({ node, postgres }) => node + postgres);
  const part = cpu(ours) / cpu(theirs);
  const p95 = medianOf(ours, ({ response }) => response.p95);
  const most = inStep ? 150 : 5;
  const left = medianOf(ours, ({ heap: [before, , after] }) => after / before);
  return [
    {
      goal: `rows, ${how}: CPU of Node and Postgres ≤ 1/8 of one UPDATE per row`,
      seen: `1/${figure(1 / part)}`,
      met: part <= 1 / 8,
    },
    { goal: `rows, ${how}: due → written p95 ≤ ${most} ms`, seen: `${figure(p95)} ms`, met: p95 <= most },
    { goal: `rows, ${how}: heap back to within 10 %`, seen: `${figure((left - 1) * 100)} % above`, met: left <= 1.1 },
  ];
}
