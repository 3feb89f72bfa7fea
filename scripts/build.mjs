import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withLock } from './lock.mjs';
import { capture } from './run.mjs';
import { contentHash, filesBelow, hash, readStamp } from './stamp.mjs';
import { sentence, Trouble } from './trouble.mjs';

const project = dirname(dirname(fileURLToPath(import.meta.url)));
const inProject = (...names) => join(project, ...names);
const stampFile = inProject('dist', '.pollcast-build');

/** Builds dist (node, assets, pages) when a source has changed since the last build. */
export async function ensureBuilt() {
  if (readStamp(stampFile) === wanted()) return;
  await withLock(
    inProject('node_modules', '.cache', 'pollcast-build.lock'),
    async () => {
      const stamp = wanted();
      if (readStamp(stampFile) === stamp) return;
      console.log('Building …');
      await build(stamp);
    },
    (pid) => console.log(`Process ${pid} is building; waiting for it …`),
  );
}

function wanted() {
  const sources = [
    'src',
    'client',
    'web',
    'site',
    'docs',
    'tsconfig.json',
    'tsconfig.build.json',
    'package.json',
    'package-lock.json',
    'scripts/build.mjs',
  ];
  return hash([contentHash(sources.map((name) => inProject(name)))]);
}

/** Everything goes into a folder beside dist, which takes its place only when all of it worked. */
async function build(stamp) {
  // A sibling, so that the paths in source maps are right after the renaming.
  const next = inProject(`.dist-${process.pid}`);
  sweepDrafts();
  mkdirSync(next);
  try {
    await step('The TypeScript of src', 'typescript/bin/tsc', ['-p', 'tsconfig.build.json', '--outDir', next]);
    if (existsSync(inProject('client', 'tsconfig.json'))) await bundleClient(join(next, 'client'));
    copyAssets(next);
    makeExecutable(next);
    if (existsSync(inProject('web', 'vite.config.ts'))) {
      await step('The pages in web', 'vite/bin/vite.js', [
        ...['build', 'web', '--config', resolve(project, 'web/vite.config.ts')],
        ...['--outDir', join(next, 'web'), '--emptyOutDir', '--logLevel', 'warn'],
      ]);
    }
    if (existsSync(inProject('site', 'eleventy.config.mjs'))) {
      await step('The documentation', '@11ty/eleventy/cmd.cjs', [
        ...['--config', 'site/eleventy.config.mjs', '--output', relative(project, join(next, 'web', 'docs'))],
      ]);
    }
    writeFileSync(join(next, '.pollcast-build'), stamp);
    const old = inProject(`.dist-${process.pid}-old`);
    if (existsSync(inProject('dist'))) renameSync(inProject('dist'), old);
    renameSync(next, inProject('dist'));
    rmSync(old, { recursive: true, force: true });
  } finally {
    rmSync(next, { recursive: true, force: true });
  }
}

/** `pollcast/client` and `pollcast/react`: small modules for browsers and Node, and their types. */
async function bundleClient(folder) {
  const { build: bundle } = await import('vite');
  const entry = { index: inProject('client', 'index.ts'), react: inProject('client', 'react.ts') };
  await bundle({
    configFile: false,
    root: inProject('client'),
    logLevel: 'warn',
    build: {
      outDir: folder,
      emptyOutDir: true,
      target: 'es2022',
      minify: true,
      lib: { entry, formats: ['es'] },
      rolldownOptions: { external: ['react', 'socket.io-client'], output: { chunkFileNames: '[name].js' } },
    },
  });
  const types = ['-p', 'client/tsconfig.build.json', '--outDir', join(folder, 'types')];
  await step('The types of client', 'typescript/bin/tsc', types);
}

/** What package.json names as commands: `npx pollcast` in a checkout runs it as it lies here. */
function makeExecutable(next) {
  const { bin = {} } = JSON.parse(readFileSync(inProject('package.json'), 'utf8'));
  for (const path of Object.values(bin)) chmodSync(join(next, relative('dist', path)), 0o755);
}

/** We hold the lock, so whatever lies here was left by a build that was killed. */
function sweepDrafts() {
  for (const name of readdirSync(project)) {
    if (/^\.dist-\d+/.test(name)) rmSync(inProject(name), { recursive: true, force: true });
  }
}

async function step(what, program, args) {
  const { code, output } = await capture(process.execPath, [inProject('node_modules', program), ...args], {
    cwd: project,
  });
  if (code !== 0) throw new Trouble(`${what} does not build:\n${output.trim()}`);
}

/** Lua and SQL lie beside the code that reads them. */
function copyAssets(next) {
  for (const file of filesBelow([inProject('src')])) {
    if (!/\.(lua|sql)$/.test(file)) continue;
    const target = join(next, relative(inProject('src'), file));
    mkdirSync(dirname(target), { recursive: true });
    cpSync(file, target);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await ensureBuilt().catch((error) => {
    console.error(sentence(error));
    process.exitCode = 1;
  });
}
