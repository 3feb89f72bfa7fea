/**
 * The lock file must serve everybody: no address of anybody's registry in it, and no optional dependency (a platform's
 * build of a package) without an entry, which npm leaves out silently and `npm ci` then refuses.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * @param {{ packages?: Record<string, { resolved?: string, optionalDependencies?: Record<string, string> }> }} lock
 * @returns {string[]} one sentence per fault
 */
export function lockFaults(lock) {
  const packages = lock.packages ?? {};
  const faults = [];
  for (const [path, entry] of Object.entries(packages)) {
    if (entry.resolved !== undefined && /^[a-z+]+:\/\//.test(entry.resolved)) {
      faults.push(
        `${path}: has the address ${entry.resolved}; expected none (omit-lockfile-registry-resolved in .npmrc)`,
      );
    }
    for (const name of Object.keys(entry.optionalDependencies ?? {})) {
      if (!visibleFrom(path, name, packages)) {
        faults.push(
          `${path || 'package.json'}: its optional dependency ${name} has no entry; choose a version that has it`,
        );
      }
    }
  }
  return faults;
}

/** Node's look-up: beside the package, then in each node_modules above. */
function visibleFrom(path, name, packages) {
  for (let folder = path; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('node_modules') - 1))) {
    if (packages[`${folder ? `${folder}/` : ''}node_modules/${name}`]) return true;
    if (folder === '') return false;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const file = new URL('../package-lock.json', import.meta.url);
  const faults = lockFaults(JSON.parse(readFileSync(file, 'utf8')));
  for (const fault of faults) console.error(`package-lock.json: ${fault}`);
  process.exitCode = faults.length > 0 ? 1 : 0;
}
