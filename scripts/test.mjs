import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureBuilt } from './build.mjs';
import { ensureInstalled } from './install.mjs';
import { runInTerminal } from './run.mjs';
import { provideAll } from './services.mjs';
import { Trouble } from './trouble.mjs';

const project = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * All tests, or those that jest's own arguments choose. The last line is `N passed, N failed`; the exit code is 0 only
 * when tests ran and all of them passed.
 */
export async function run(args) {
  await ensureInstalled();
  const [services] = await Promise.all([provideAll((line) => console.log(line)).catch(asTrouble), ensureBuilt()]);
  const folder = mkdtempSync(join(tmpdir(), 'pollcast-results-'));
  try {
    const results = join(folder, 'results.json');
    const code = await runInTerminal(
      process.execPath,
      [
        ...['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'],
        ...[join(project, 'node_modules', 'jest', 'bin', 'jest.js'), '--json', `--outputFile=${results}`, ...args],
      ],
      // With --json the report goes to stderr, and the JSON to stdout besides the file: nobody wants to see that.
      { cwd: project, env: { ...process.env, ...services }, stdio: ['inherit', 'ignore', 'inherit'] },
    );
    return verdict(code, existsSync(results) ? JSON.parse(readFileSync(results, 'utf8')) : undefined);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function verdict(code, results) {
  const passed = results?.numPassedTests ?? 0;
  // A file that breaks outside its tests (does not load, leaks a process) has no failed test, and must count as one.
  const failed = (results?.numFailedTests ?? 0) + (results?.numRuntimeErrorTestSuites ?? 0);
  const skipped = (results?.numPendingTests ?? 0) + (results?.numTodoTests ?? 0);
  if (passed + failed === 0) console.log('No test ran.');
  console.log(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  return code !== 0 || failed > 0 || passed === 0 ? code || 1 : 0;
}

function asTrouble(error) {
  throw new Trouble(error.message);
}
