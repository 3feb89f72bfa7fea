/**
 * Checks the model of lease, fence, pulse, takeover and publish (model/takeover.pml): as it is, all that it promises must
 * hold; with any one of its safeguards taken out, a certain promise must break, or the model would prove nothing.
 *
 * `node scripts/model.mjs [--faults N]`: 2 faults take seconds, 3 take minutes and 3 GB of memory.
 *
 * Needs no node_modules.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { capture } from './run.mjs';
import { provide } from './services.mjs';
import { Trouble, sentence } from './trouble.mjs';

const MODEL = join(dirname(dirname(fileURLToPath(import.meta.url))), 'model', 'takeover.pml');
/** MB. More states than fit would be a model that has grown out of hand. */
const MEMORY = { 1: 1_000, 2: 1_000, 3: 4_000 };
const DEPTH = 100_000;

/** What is taken out, and the promise that must break then. The letters are those of the model. */
const MUTATIONS = [
  ['NOFENCE', 'C', 'without the fence viewers see the past after the present'],
  ['NOFENCE', 'D', 'without the fence the last result can be lost'],
  ['NOCLOCK', 'B', 'without the clock in the fence it falls back when the last one was lost'],
  ['NODEADLINE', 'A', 'without a look at the deadline two nodes query'],
  ['NOCAS', 'A', 'without comparing the grant two nodes take over'],
  ['NOEXPIRY', 'D', 'without an end of leases a node that hangs is never replaced'],
  ['NOPULSE', 'D', 'without the pulse and the end of leases a dead node is never replaced'],
  ['NOFORGET', 'D', 'trusting the last answer after a publish without one loses a result'],
];

async function check(faults) {
  const say = (line) => console.log(line);
  const have = (name) =>
    provide(name, say).catch((error) => {
      throw new Trouble(error.message);
    });
  const tools = { spin: await have('spin'), gcc: await have('gcc') };
  const results = [];
  const judge = async (what, defines, expected) => {
    const started = performance.now();
    const { states, broken, output } = await explore(tools, [`FAULTS=${faults}`, ...defines], MEMORY[faults]);
    const passed = broken === expected;
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(`${passed ? 'ok  ' : 'FAIL'}  ${what}  (${states} states, ${seconds} s)`);
    if (!passed) console.log(`      expected ${expected ?? 'no violation'}, got ${broken ?? 'none'}\n${output}`);
    results.push(passed);
  };
  await judge('A, B, C and D hold', [], undefined);
  for (const [mutation, property, what] of MUTATIONS) {
    await judge(`${mutation}: ${what} (${property})`, [mutation, `PROPERTIES=${property}`], 'a violation');
  }
  const failed = results.filter((passed) => !passed).length;
  console.log(`\n${results.length - failed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

/** Searches every state there is, up to the first violation. */
async function explore({ spin, gcc }, defines, memory) {
  const folder = mkdtempSync(join(tmpdir(), 'pollcast-model-'));
  const env = { ...process.env, ...spin.env, ...gcc.env };
  // A private compiler comes with a C library whose shared form is for another place.
  const linking = gcc.env.LD_LIBRARY_PATH === undefined ? [] : ['-static'];
  const step = (file, args) => capture(file, args, { cwd: folder, env });
  try {
    const generated = await step(spin.bin, [
      `-P${gcc.bin} -E -x c`,
      ...defines.map((name) => `-D${name}`),
      '-a',
      MODEL,
    ]);
    if (generated.code !== 0) throw new Trouble(`spin does not take ${MODEL}:\n${generated.output}`);
    const flags = ['-O2', '-w', '-DSAFETY', '-DCOLLAPSE', `-DMEMLIM=${memory}`, ...linking];
    const compiled = await step(gcc.bin, [...flags, '-o', 'pan', 'pan.c']);
    if (compiled.code !== 0) throw new Trouble(`gcc does not compile what spin wrote:\n${compiled.output}`);
    const { output } = await step(join(folder, 'pan'), [`-m${DEPTH}`, '-n']);
    return { ...verdict(output), output };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Only a whole search without an error is one: running out of memory or depth is no proof. */
function verdict(output) {
  const states = Number(/^\s*(\d+) states, stored/m.exec(output)?.[1] ?? 0);
  const error = /^pan:\d+: (.*?) \(at depth/m.exec(output)?.[1];
  if (error?.startsWith('assertion violated')) return { states, broken: 'a violation' };
  const whole = /errors: 0$/m.test(output) && !/Search not completed|max search depth/.test(output);
  return { states, broken: whole ? undefined : (error ?? 'a search that was not finished') };
}

async function main() {
  const { values } = parseArgs({ options: { faults: { type: 'string', default: '2' } } });
  if (!(values.faults in MEMORY)) throw new Trouble(`--faults: expected 1, 2 or 3, got ${values.faults}`);
  return check(values.faults);
}

process.exitCode = await main().catch((error) => {
  console.error(sentence(error));
  console.log('0 passed, 1 failed');
  return 1;
});
