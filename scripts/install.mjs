import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withLock } from './lock.mjs';
import { capture } from './run.mjs';
import { hash, readStamp } from './stamp.mjs';
import { Trouble } from './trouble.mjs';

const project = dirname(dirname(fileURLToPath(import.meta.url)));
const stampFile = join(project, 'node_modules', '.pollcast-install');

/** Installs exactly what the lock file says, when node_modules is not that already. */
export async function ensureInstalled() {
  if (isInstalled()) return;
  // Beside node_modules, not in it: npm ci removes that folder first.
  await withLock(
    join(project, '.pollcast-install.lock'),
    async () => {
      if (isInstalled()) return;
      console.log('Installing the dependencies (once) …');
      await install();
      // Only now: an interrupted install must be seen as none.
      writeFileSync(stampFile, wanted());
    },
    (pid) => console.log(`Process ${pid} is installing the dependencies; waiting for it …`),
  );
}

function isInstalled() {
  if (readStamp(stampFile) === wanted()) return true;
  if (!npmAgrees()) return false;
  writeFileSync(stampFile, wanted());
  return true;
}

/**
 * npm's own note of what it installed, written when it was done: an install by hand need not be repeated. A package
 * for other platforms may be missing, one for this platform may not.
 */
function npmAgrees() {
  const note = join(project, 'node_modules', '.package-lock.json');
  if (!existsSync(note)) return false;
  const there = JSON.parse(readFileSync(note, 'utf8')).packages ?? {};
  const locked = JSON.parse(readFileSync(join(project, 'package-lock.json'), 'utf8')).packages ?? {};
  const listed = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8'));
  for (const field of ['dependencies', 'devDependencies', 'optionalDependencies']) {
    // A package.json that was changed without its lock is for npm ci to refuse, with its own words.
    if (sorted(listed[field]) !== sorted(locked['']?.[field])) return false;
  }
  return Object.entries(locked).every(
    ([path, entry]) => path === '' || there[path]?.version === entry.version || (entry.optional && !forHere(entry)),
  );
}

function sorted(ranges = {}) {
  return JSON.stringify(Object.entries(ranges).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function forHere({ os, cpu, libc }) {
  return Boolean(os?.includes(process.platform) && cpu?.includes(process.arch) && !libc);
}

function wanted() {
  const files = ['package-lock.json', 'package.json', '.npmrc'].map((name) => join(project, name));
  const texts = files.filter((file) => existsSync(file)).map((file) => readFileSync(file));
  return hash([...texts, process.platform, process.arch, process.versions.modules]);
}

async function install() {
  const args = ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--prefer-offline'];
  const { file, prefix } = npm();
  const options = { cwd: project, env: cleanEnv() };
  // The output is shown only when it matters: npm is talkative about things nobody can change here.
  const { code, output } = await capture(file, [...prefix, ...args, '--loglevel=error'], options);
  if (code === 0) return;
  throw new Trouble(explain(output));
}

/** The npm that started us; else the one on PATH. */
function npm() {
  const started = process.env.npm_execpath;
  if (started && /npm-cli\.[cm]?js$/.test(started)) return { file: process.execPath, prefix: [started] };
  return { file: process.platform === 'win32' ? 'npm.cmd' : 'npm', prefix: [] };
}

/** Settings of the npm around us (`npm test --omit=dev`, a global prefix, NODE_ENV) must not change what is installed. */
function cleanEnv() {
  const env = { ...process.env };
  delete env.NODE_ENV;
  for (const name of Object.keys(env)) {
    if (/^npm_config_(omit|production|ignore_scripts|global|prefix|include|only|dry_run)$/i.test(name))
      delete env[name];
  }
  return env;
}

function explain(output) {
  const tail = output.trim().split('\n').slice(-15).join('\n');
  if (/ENOSPC|no space left/i.test(output)) {
    return 'No space left on the disk: the dependencies need about 400 MB. Free some space and try again.';
  }
  if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ECONNRESET|ENETUNREACH|network/i.test(output)) {
    return `The npm registry cannot be reached: check the network, or \`npm config get registry\`, and try again.\n${tail}`;
  }
  if (/EACCES|EPERM|EROFS/.test(output)) {
    return `No permission to write node_modules in ${project}: change its owner, or use a copy of your own.\n${tail}`;
  }
  return `npm ci failed; its last lines:\n${tail}`;
}
