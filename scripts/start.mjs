import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureBuilt } from './build.mjs';
import { ensureInstalled } from './install.mjs';
import { runInTerminal } from './run.mjs';

const project = dirname(dirname(fileURLToPath(import.meta.url)));

/** One node from the environment; ends when it ends, with its exit code. */
export async function run(args) {
  await ensureInstalled();
  await ensureBuilt();
  const main = join(project, 'dist', 'main.js');
  // The channel tells the hub when this process is gone, even by SIGKILL: it must not run on unseen.
  const stdio = ['inherit', 'inherit', 'inherit', 'ipc'];
  return runInTerminal(process.execPath, ['--enable-source-maps', main, ...args], { stdio });
}
