/**
 * Chaos for as long as one likes:
 *
 *     npm run chaos -- --minutes 30 --seed 1
 *     npm run chaos -- --rounds 20 --faults 'kill,slow queries' --races 100 --hangs 5
 *
 * The history goes to var/chaos/<seed>.jsonl; the exit code is 0 only without a violation.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { projectRoot } from '../support/project.js';
import { ChaosRun } from './chaos-run.js';
import { FAULTS } from './faults.js';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string' },
    rounds: { type: 'string' },
    seed: { type: 'string' },
    races: { type: 'string', default: '1000' },
    hangs: { type: 'string', default: '50' },
    faults: { type: 'string' },
  },
});

function whole(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (!Number.isFinite(number) || (name !== 'seed' && number < 0)) {
    console.error(`--${name}: expected a number, got ${text}`);
    process.exit(2);
  }
  return number;
}

const faults = values.faults?.split(',').map((name) => name.trim());
const known = FAULTS.map(({ name }) => name);
for (const name of faults ?? []) {
  if (known.includes(name)) continue;
  console.error(`--faults: ${name} is none of: ${known.join(', ')}`);
  process.exit(2);
}
let rejections = 0;
process.on('unhandledRejection', (reason) => {
  rejections += 1;
  console.error('unhandled rejection in the tool', reason);
});

const seed = whole('seed', values.seed) ?? Date.now() % 1_000_000;
const minutes = whole('minutes', values.minutes);
const rounds = whole('rounds', values.rounds);
console.log(`chaos from seed ${seed}`);
const began = performance.now();
const clock = (): string => `${((performance.now() - began) / 1_000).toFixed(1).padStart(7)} s  `;
const { history, violations, figures } = await ChaosRun.run({
  seed,
  minutes: minutes ?? (rounds === undefined ? 2 : undefined),
  rounds,
  races: whole('races', values.races) ?? 0,
  hangs: whole('hangs', values.hangs) ?? 0,
  faults,
  say: (line) => console.log(clock() + line),
});

const folder = join(projectRoot, 'var', 'chaos');
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, `${seed}.jsonl`), history.map((event) => `${JSON.stringify(event)}\n`).join(''));
for (const [what, figure] of Object.entries(figures)) console.log(`${what}: ${figure}`);
for (const violation of violations.slice(0, 50)) console.log(`VIOLATION ${violation}`);
console.log(`${clock()}seed ${seed}: ${history.length} events, ${violations.length} violations`);
process.exit(violations.length > 0 || rejections > 0 ? 1 : 0);
