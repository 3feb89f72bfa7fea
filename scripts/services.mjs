/**
 * Finds the programs that the tests run for real: Redis, nginx, Chromium, ffmpeg; and those that check the model: Spin, gcc. What is not installed is fetched once with
 * the system's own package tool and unpacked into a private folder: nothing is installed, no account but one's own is
 * needed, no daemon starts.
 *
 * Nothing here needs node_modules.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { withLock } from './lock.mjs';

const run = promisify(execFile);
const project = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * @typedef {object} Service
 * @property {string} bin full path of the program
 * @property {Record<string, string>} env what it needs besides the environment (library and font folders)
 */

const CATALOGUE = {
  redis: {
    variable: 'POLLCAST_TEST_REDIS_BIN',
    names: ['redis-server', 'valkey-server'],
    packages: [['redis-server'], ['valkey-server']],
    /** 7.0 brought sharded pub/sub. */
    accept: async (bin, env) => major(await output(bin, ['--version'], env), /v=(\d+)/) >= 7,
    wanted: 'Redis 7 or newer (redis-server or valkey-server)',
  },
  nginx: {
    variable: 'POLLCAST_TEST_NGINX_BIN',
    names: ['nginx'],
    packages: [['nginx']],
    accept: async (bin, env) => major(await output(bin, ['-v'], env), /nginx\/(\d+)/) >= 1,
    wanted: 'nginx',
  },
  chromium: {
    variable: 'POLLCAST_TEST_CHROMIUM_BIN',
    names: ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'],
    packages: [
      ['chromium-headless-shell', 'fonts-dejavu-core'],
      ['chromium', 'fonts-dejavu-core'],
    ],
    accept: async (bin, env) => major(await output(bin, ['--version', '--no-sandbox'], env), /(\d+)\.\d+/) >= 100,
    wanted: 'Chromium',
  },
  ffmpeg: {
    variable: 'POLLCAST_TEST_FFMPEG_BIN',
    names: ['ffmpeg'],
    packages: [['ffmpeg']],
    /** ffprobe is of the same package; the recorder's codec is not in every build. */
    accept: async (bin, env) => /libx264/.test(await output(bin, ['-hide_banner', '-encoders'], env)),
    wanted: 'ffmpeg with libx264',
  },
  spin: {
    variable: 'POLLCAST_SPIN_BIN',
    names: ['spin'],
    packages: [['spin']],
    /** Another program of that name exists. */
    accept: async (bin, env) => major(await output(bin, ['-V'], env), /Spin Version (\d+)/) >= 6,
    wanted: 'Spin 6 or newer (the model checker)',
  },
  faketime: {
    variable: 'POLLCAST_TEST_FAKETIME_BIN',
    names: ['faketime'],
    packages: [['faketime']],
    /** What is used is the library that comes with it: see test/support/faketime.ts. */
    accept: async (bin, env) => /faketime: Version/i.test(await output(bin, ['--version'], env)),
    wanted: 'faketime (a library that steps the clock of one program)',
  },
  gcc: {
    variable: 'POLLCAST_GCC_BIN',
    names: ['gcc'],
    packages: [['gcc', 'libc6-dev']],
    /** One without the C library's headers is of no use. */
    accept: async (bin, env) => {
      await output(bin, ['-fsyntax-only', '-include', 'stdio.h', '-x', 'c', '/dev/null'], env);
      return true;
    },
    wanted: 'gcc with the headers of the C library',
  },
};

/** @typedef {keyof typeof CATALOGUE} ServiceName */

/** The others are asked for by name. */
const FOR_TESTS = /** @type {ServiceName[]} */ (['redis', 'nginx', 'chromium', 'ffmpeg']);

/** @type {Map<ServiceName, Promise<Service>>} */
const found = new Map();

/**
 * The program, from the first of: its variable (`POLLCAST_TEST_REDIS_BIN`, `…_NGINX_BIN`, `…_CHROMIUM_BIN`, `…_FFMPEG_BIN`), PATH,
 * the private folder, a fetch into that.
 *
 * @param {ServiceName} name
 * @param {(line: string) => void} [say] told what takes long
 * @returns {Promise<Service>}
 */
export function provide(name, say = () => undefined) {
  let service = found.get(name);
  if (!service) found.set(name, (service = provideOnce(name, say)));
  return service;
}

/**
 * All that the tests need, and the variables that hand them to child processes, so that nobody has to look again.
 *
 * @param {(line: string) => void} [say]
 * @returns {Promise<Record<string, string>>}
 */
export async function provideAll(say) {
  /** @type {Record<string, string>} */
  const env = {};
  // One after the other: they share a package tool, whose downloads are parallel already.
  for (const name of FOR_TESTS) {
    const service = await provide(name, say);
    env[CATALOGUE[name].variable] = service.bin;
    env[`${CATALOGUE[name].variable}_ENV`] = JSON.stringify(service.env);
  }
  return env;
}

async function provideOnce(name, say) {
  const entry = CATALOGUE[name];
  const given = process.env[entry.variable];
  if (given) {
    const env = JSON.parse(process.env[`${entry.variable}_ENV`] ?? '{}');
    if (await accepts(entry, given, env)) return { bin: given, env };
    throw new Error(`${entry.variable} should name ${entry.wanted}; ${given} is not, or does not run.`);
  }
  for (const bin of onPath(entry.names)) if (await accepts(entry, bin, {})) return { bin, env: {} };

  const home = join(cacheFolder(), `${name}-${platformId()}`);
  const cached = () => privateService(entry, home);
  const early = await cached();
  if (early) return early;
  return withLock(
    `${home}.lock`,
    async () => (await cached()) ?? (await fetchInto(home, name, say)),
    (pid) => say(`${name}: process ${pid} is fetching it; waiting …`),
  );
}

async function accepts(entry, bin, env) {
  try {
    return await entry.accept(bin, env);
  } catch {
    return false; // it does not run: as good as not there
  }
}

async function output(bin, args, env) {
  const { stdout, stderr } = await run(bin, args, { env: { ...process.env, ...env }, timeout: 20_000 });
  return `${stdout}${stderr}`;
}

function major(text, pattern) {
  return Number(pattern.exec(text)?.[1] ?? 0);
}

function onPath(names) {
  // Debian keeps servers in sbin, which an ordinary account has not on its PATH.
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/local/sbin', '/usr/sbin'].filter(Boolean);
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).filter((file) => existsSync(file));
}

// ── the private folder ───────────────────────────────────────────────────────────────────────────────────────────

function cacheFolder() {
  const wanted = process.env.XDG_CACHE_HOME ? process.env.XDG_CACHE_HOME : join(homedir(), '.cache');
  for (const folder of [join(wanted, 'pollcast'), join(project, 'node_modules', '.cache', 'pollcast')]) {
    try {
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, '.writable'), '');
      return folder;
    } catch {
      // A home that is read-only or missing is normal in containers: the next folder.
    }
  }
  throw new Error(`Neither ${wanted} nor node_modules can be written to: set XDG_CACHE_HOME to a folder that can.`);
}

/** Libraries of one system version do not run on another. */
function platformId() {
  let system = process.platform;
  try {
    const release = readFileSync('/etc/os-release', 'utf8');
    const field = (name) => new RegExp(`^${name}="?([^"\n]*)"?$`, 'm').exec(release)?.[1] ?? '';
    system = `${field('ID')}${field('VERSION_ID')}`;
  } catch {
    // Not Linux.
  }
  return `${system}-${process.arch}`;
}

async function privateService(entry, home) {
  if (!existsSync(join(home, 'complete'))) return undefined;
  const root = join(home, 'root');
  const env = privateEnv(root);
  for (const name of entry.names) {
    for (const bin of [`usr/lib/chromium/${name}`, `usr/bin/${name}`, `usr/sbin/${name}`].map((p) => join(root, p))) {
      if (existsSync(bin) && (await accepts(entry, bin, env))) return { bin, env };
    }
  }
  return undefined;
}

function privateEnv(root) {
  const folders = libraryFolders(root);
  /** @type {Record<string, string>} */
  const env = { LD_LIBRARY_PATH: [...folders, process.env.LD_LIBRARY_PATH].filter(Boolean).join(':') };
  const fonts = join(root, 'etc', 'fonts');
  if (existsSync(fonts)) Object.assign(env, { FONTCONFIG_PATH: fonts, FONTCONFIG_SYSROOT: root });
  const headers = join(root, 'usr', 'include');
  if (existsSync(headers)) {
    // A compiler finds its own parts beside itself, but those of the C library and the linker only where it is told.
    const own = readdirSync(headers).filter((name) => /-linux-/.test(name));
    env.C_INCLUDE_PATH = [headers, ...own.map((name) => join(headers, name))].join(':');
    env.LIBRARY_PATH = folders.join(':');
    env.COMPILER_PATH = join(root, 'usr', 'bin');
  }
  return env;
}

/** Every folder with shared libraries, at most four levels down (lib/x86_64-linux-gnu/pulseaudio). */
function libraryFolders(root) {
  const result = [];
  const visit = (folder, depth) => {
    let holds = false;
    for (const item of readdirSync(folder, { withFileTypes: true })) {
      if (item.isDirectory() && depth > 0) visit(join(folder, item.name), depth - 1);
      else if (/\.so(\.|$)/.test(item.name)) holds = true;
    }
    if (holds) result.push(folder);
  };
  for (const start of ['lib', 'usr/lib'].map((p) => join(root, p))) if (existsSync(start)) visit(start, 3);
  return result;
}

async function fetchInto(home, name, say) {
  const entry = CATALOGUE[name];
  const troubles = [];
  if (existsSync('/usr/bin/apt-get')) {
    say(`${name}: not installed; fetching a private copy with apt (once) …`);
    for (const packages of entry.packages) {
      try {
        await aptExtract(home, packages);
        const service = await privateService(entry, home);
        if (service) return service;
        troubles.push(`${packages[0]}: unpacked, but it is not ${entry.wanted}, or does not run`);
      } catch (error) {
        if (error.code === 'ENOSPC') throw new Error(`No space left on the disk of ${home}: free about 1 GB.`);
        troubles.push(`${packages[0]}: ${summary(error)}`);
      }
    }
  } else troubles.push('no apt-get on this system');
  throw new Error(
    `The tests need ${entry.wanted}, which is neither on PATH nor could be fetched (${troubles.join('; ')}). ` +
      `Install it, or set ${entry.variable} to its full path.`,
  );
}

/**
 * Lets apt resolve and download what the system lacks, with its state in a folder of its own, and unpacks that. The
 * folder appears under its final name only when it is whole.
 */
async function aptExtract(home, packages) {
  const draft = `${home}.${process.pid}`;
  const state = join(draft, 'apt');
  rmSync(draft, { recursive: true, force: true });
  try {
    for (const folder of ['lists/partial', 'cache/archives/partial'])
      mkdirSync(join(state, folder), { recursive: true });
    const options = [
      `Dir::State=${state}`,
      `Dir::Cache=${join(state, 'cache')}`,
      'Dir::State::status=/var/lib/dpkg/status',
      'APT::Sandbox::User=',
      'Debug::NoLocking=1',
      'Acquire::Retries=3',
      'APT::Update::Post-Invoke::=',
      'APT::Update::Post-Invoke-Success::=',
    ].flatMap((option) => ['-o', option]);
    const apt = (...args) =>
      run('apt-get', [...options, '-q', ...args], {
        env: { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' },
        maxBuffer: 64 * 1024 * 1024,
      });
    await apt('update');
    // --reinstall: a package that is installed but hidden (not on PATH) still has to be downloaded.
    await apt('-y', '--no-install-recommends', '--reinstall', '--download-only', 'install', ...packages);
    const archives = join(state, 'cache', 'archives');
    const root = join(draft, 'root');
    mkdirSync(root);
    for (const file of readdirSync(archives).filter((f) => f.endsWith('.deb'))) {
      await run('dpkg-deb', ['-x', join(archives, file), root]);
    }
    rmSync(state, { recursive: true, force: true });
    writeFileSync(join(draft, 'complete'), packages.join(' '));
    rmSync(home, { recursive: true, force: true });
    renameSync(draft, home);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

function summary(error) {
  const text = String(error.stderr || error.message);
  if (/No space left/i.test(text)) return 'no space left on the disk';
  const line = text.split('\n').find((candidate) => /^E:/.test(candidate)) ?? text.split('\n')[0];
  return line.replace(/^E:\s*/, '').slice(0, 200);
}

if (process.argv[1] && basename(process.argv[1]) === 'services.mjs' && statSync(process.argv[1]).isFile()) {
  for (const name of FOR_TESTS) {
    const { bin } = await provide(name, console.error);
    console.log(`${name}: ${bin}`);
  }
}
