/**
 * `npm run sim`, `npm run chaos`, `npm run soak` and `npm run countdown`, from nothing: installs, builds what they run, and runs them. Their
 * options go to the tool as they are.
 */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureInstalled } from './install.mjs';
import { runInTerminal } from './run.mjs';
import { sentence, Trouble } from './trouble.mjs';

const project = dirname(dirname(fileURLToPath(import.meta.url)));

/** Where each of them is, and whether it runs nodes from the build. */
const TOOLS = {
  sim: { file: 'test/kernel/simulation/run.ts', nodes: false },
  chaos: { file: 'test/chaos/run.ts', nodes: true },
  soak: { file: 'test/chaos/soak.ts', nodes: true },
  countdown: { file: 'examples/countdown/main.ts', nodes: true },
};

try {
  const [name, ...args] = process.argv.slice(2);
  const tool = TOOLS[name];
  if (!tool) throw new Trouble(`Expected one of ${Object.keys(TOOLS).join(', ')}; got ${name ?? 'nothing'}.`);
  await ensureInstalled();
  if (tool.nodes) await (await import('./build.mjs')).ensureBuilt();
  const loader = ['--enable-source-maps', '--import', './test/support/ts-loader.mjs'];
  process.exitCode = await runInTerminal(process.execPath, [...loader, join(project, tool.file), ...args], {
    cwd: project,
  });
} catch (error) {
  console.error(sentence(error));
  process.exitCode = 1;
}
