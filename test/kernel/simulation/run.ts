/**
 * More runs than a test suite has time for, or one again:
 *
 *     npm run sim -- --runs 2000 --seed 1
 *     npm run sim -- --seed -1707903626 --path 54:0:3
 */
import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { scenarios } from './scenarios.js';
import { World } from './world.js';

const { values } = parseArgs({
  options: { runs: { type: 'string' }, seed: { type: 'string' }, path: { type: 'string' } },
});
const seed = values.seed === undefined ? Date.now() | 0 : Number(values.seed);
const numRuns = Number(values.runs ?? 200);
const began = performance.now();
/** Those of a search for the smallest example included. */
let runs = 0;
const result = await fc.check(
  fc.asyncProperty(scenarios, async (scenario) => {
    runs += 1;
    const violations = await new World(scenario).run();
    if (violations.length > 0) throw new Error(violations.join('\n'));
  }),
  { numRuns, seed, path: values.path, endOnFailure: false },
);
const seconds = ((performance.now() - began) / 1_000).toFixed(1);
if (result.failed) {
  console.error(`--seed ${result.seed} --path ${result.counterexamplePath} after ${result.numShrinks} shrinks`);
  console.error(JSON.stringify(result.counterexample));
  console.error(result.errorInstance);
}
console.log(`${runs} runs in ${seconds} s from seed ${seed}: ${result.failed ? 'violated' : 'no violation'}`);
console.log(result.failed ? `\n${runs - 1} passed, 1 failed` : `\n${runs} passed, 0 failed`);
process.exitCode = result.failed ? 1 : 0;
