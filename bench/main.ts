import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { dirname, resolve } from 'node:path';
import Table from 'cli-table3';
import { scenarios } from './scenarios/index.js';
import { Bench, type Result, type Scenario } from './support/bench.js';
import { fillIn, type Report, type ScenarioReport } from './support/document.js';
import { profileInto } from './support/node.js';
import { useHub } from './support/project.js';

const HELP = `npm run bench [-- SCENARIO… [options]]

Scenarios (default: those without *; \`all\`: every one):
${scenarios.map(({ name, about, apart }) => `  ${name.padEnd(10)} ${apart ? '* ' : ''}${about}`).join('\n')}

Options:
  --quick         small sizes, few repeats: figures that only show that it works
  --full          longer turns, all sizes, 100 deaths: an hour on two cores; without it less than twenty minutes
  --json FILE     writes what was measured
  --doc FILE      puts the tables into a Markdown file, between its marks (docs/performance.md)
  --from FILE     with --doc: measures nothing, takes an earlier --json
  --panels N      fanout: N channels change in one round
  --across        fanout: the poller is on another node
  --viewers N     fanout: only this size
  --sizes N,N     variants: only these of its sizes, counted from 0
  --hub FOLDER    measures another build than dist
  --prof FOLDER   every node writes a CPU profile when it is stopped (its figures are then worth less)`;

interface Arguments {
  readonly chosen: readonly Scenario[];
  readonly flags: ReadonlyMap<string, string>;
}

function parse(args: readonly string[]): Arguments {
  const flags = new Map<string, string>();
  const names: string[] = [];
  const valued = new Set(['json', 'panels', 'viewers', 'hub', 'prof', 'sizes', 'doc', 'from']);
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] as string;
    if (!arg.startsWith('--')) names.push(arg);
    else if (valued.has(arg.slice(2))) flags.set(arg.slice(2), args[++at] ?? '');
    else if (['quick', 'full', 'across', 'help'].includes(arg.slice(2))) flags.set(arg.slice(2), '');
    else throw new Error(`unknown option ${arg}\n\n${HELP}`);
  }
  const all = names.includes('all');
  if (flags.has('quick') && flags.has('full')) throw new Error('--quick and --full: choose one of them');
  const chosen = scenarios.filter(({ name, apart }) => all || (names.length === 0 ? !apart : names.includes(name)));
  const unknown = names.filter((name) => name !== 'all' && !scenarios.some((scenario) => scenario.name === name));
  if (unknown.length > 0) throw new Error(`unknown scenario ${unknown.join(', ')}\n\n${HELP}`);
  return { chosen, flags };
}

let current: Bench | null = null;

async function runScenario(scenario: Scenario, flags: ReadonlyMap<string, string>): Promise<Result> {
  const bench = new Bench({ quick: flags.has('quick'), full: flags.has('full'), flags }, (line) =>
    console.log(`  ${line}`),
  );
  current = bench;
  try {
    return await scenario.run(bench);
  } finally {
    await bench.stop();
    current = null;
  }
}

function print({ tables, goals }: Result): void {
  for (const { title, rows } of tables) {
    const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
    const table = new Table({ head: columns, style: { head: [], border: [] } });
    for (const row of rows) table.push(columns.map((column) => row[column] ?? ''));
    console.log(`\n${title}\n${table.toString()}`);
  }
  for (const { goal, seen, met } of goals) console.log(`${met ? 'reached' : 'MISSED '}  ${goal}: ${seen}`);
}

/** A scenario without a place in the file is no reason to lose what was measured of the others. */
function document(file: string, report: Report): boolean {
  const homeless = fillIn(resolve(file), report);
  for (const name of homeless)
    console.error(`${file} has no place for ${name}: expected <!-- ${name} --> … <!-- /${name} -->`);
  return homeless.length === 0;
}

async function main(): Promise<number> {
  const { chosen, flags } = parse(process.argv.slice(2));
  if (flags.has('help')) {
    console.log(HELP);
    return 0;
  }
  const doc = flags.get('doc');
  const from = flags.get('from');
  if (from !== undefined) {
    if (doc === undefined) throw new Error('--from needs --doc: where the tables are to go');
    return document(doc, JSON.parse(readFileSync(resolve(from), 'utf8')) as Report) ? 0 : 1;
  }
  const hub = flags.get('hub');
  if (hub !== undefined) useHub(resolve(hub));
  const prof = flags.get('prof');
  if (prof !== undefined) profileInto(resolve(prof));
  const report = {
    at: new Date().toISOString(),
    node: process.version,
    cpu: `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}`,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    quick: flags.has('quick'),
    full: flags.has('full'),
    scenarios: {} as Record<string, ScenarioReport>,
  };
  let failed = 0;
  const start = Date.now();
  for (const scenario of chosen) {
    console.log(`\n== ${scenario.name}: ${scenario.about}`);
    const began = Date.now();
    const [loadBefore = NaN] = loadavg();
    let result: Result & { error?: string } = { tables: [], goals: [] };
    try {
      result = await runScenario(scenario, flags);
      print(result);
    } catch (error) {
      failed += 1;
      result = { ...result, error: String(error) };
      console.error(
        `${scenario.name} was not measured: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
      );
    }
    report.scenarios[scenario.name] = { ...result, seconds: Math.round((Date.now() - began) / 1000), loadBefore };
    const file = flags.get('json');
    if (file !== undefined) {
      mkdirSync(dirname(resolve(file)), { recursive: true });
      writeFileSync(resolve(file), `${JSON.stringify(report, null, 2)}\n`);
    }
    if (doc !== undefined)
      document(doc, {
        ...report,
        scenarios: { [scenario.name]: report.scenarios[scenario.name] as ScenarioReport },
      });
  }
  const goals = Object.values(report.scenarios).flatMap((scenario) => scenario.goals);
  const reached = goals.filter(({ met }) => met).length;
  const minutes = ((Date.now() - start) / 60_000).toFixed(1);
  console.log(`\n${reached} of ${goals.length} goals reached; ${failed} scenarios not measured; ${minutes} minutes.`);
  return failed === 0 ? 0 : 1;
}

// In order if that can be had soon; whatever is left then dies with this process.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    setTimeout(() => process.exit(1), 5_000);
    void (current?.stop() ?? Promise.resolve()).finally(() => process.exit(1));
  });
}
try {
  process.exit(await main());
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exit(1);
}
