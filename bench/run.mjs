import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureBuilt } from '../scripts/build.mjs';
import { ensureInstalled } from '../scripts/install.mjs';
import { capture, runInTerminal } from '../scripts/run.mjs';
import { sentence, Trouble } from '../scripts/trouble.mjs';

/** `npm run bench`, from nothing: installs, builds the hub (unless `--hub` names a build) and the bench, runs. */
const project = dirname(dirname(fileURLToPath(import.meta.url)));

try {
  await ensureInstalled();
  if (!process.argv.includes('--hub')) await ensureBuilt();
  const { code, output } = await capture(
    process.execPath,
    [join(project, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', join(project, 'bench', 'tsconfig.json')],
    { cwd: project },
  );
  if (code !== 0) throw new Trouble(`The TypeScript of bench does not build:\n${output.trim()}`);
  const main = join(project, 'var', 'bench', 'bench', 'main.js');
  if (!existsSync(main)) throw new Trouble(`${main} is missing after the build.`);
  process.exitCode = await runInTerminal(process.execPath, ['--enable-source-maps', main, ...process.argv.slice(2)]);
} catch (error) {
  console.error(sentence(error));
  process.exitCode = 1;
}
