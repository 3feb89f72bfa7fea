/** All static checks, two at a time; every one runs, so that one failure does not hide the next. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureInstalled } from './install.mjs';
import { capture } from './run.mjs';
import { sentence } from './trouble.mjs';

const project = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = (path) => join(project, 'node_modules', path);
const present = (...names) => names.filter((name) => existsSync(join(project, name)));

/** The longest first. */
const CHECKS = [
  ['lint (eslint)', [bin('eslint/bin/eslint.js'), '.', '--max-warnings=0']],
  ['lock file', [join(project, 'scripts', 'check-lock.mjs')]],
  ['format (prettier)', [bin('prettier/bin/prettier.cjs'), '--check', '--log-level', 'warn', '.']],
  ...present('tsconfig.json', 'client/tsconfig.json', 'web/tsconfig.json', 'bench/tsconfig.json').map((config) => [
    `types (${config})`,
    [bin('typescript/bin/tsc'), '-p', config, '--noEmit'],
  ]),
  [
    'import directions (dependency-cruiser)',
    [
      bin('dependency-cruiser/bin/dependency-cruise.mjs'),
      '--config',
      '.dependency-cruiser.cjs',
      ...present('src', 'client', 'web/src'),
    ],
  ],
];

async function check() {
  await ensureInstalled();
  const failed = [];
  const waiting = [...CHECKS];
  const worker = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const [name, args] = next;
      const started = Date.now();
      const { code, output } = await capture(process.execPath, args, { cwd: project });
      console.log(`${code === 0 ? 'ok  ' : 'FAIL'}  ${name}  ${((Date.now() - started) / 1000).toFixed(1)} s`);
      if (code === 0) continue;
      failed.push(name);
      console.log(`${output.trim()}\n`);
    }
  };
  await Promise.all([worker(), worker()]);
  if (failed.length === 0) return 0;
  console.log(`\n${failed.length} of ${CHECKS.length} checks failed: ${failed.join(', ')}`);
  return 1;
}

process.exitCode = await check().catch((error) => {
  console.error(sentence(error));
  return 1;
});
