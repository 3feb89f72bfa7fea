import { readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** Who runs the server. Undefined ids: this process's own. */
export interface Account {
  uid?: number;
  gid?: number;
}

/**
 * Postgres refuses to run as root; then it runs as `nobody`, an account that every Unix has. No account is created
 * and none is asked for.
 */
export function serverAccount(): Account {
  if (process.getuid?.() !== 0) return {};
  try {
    const entry = /^nobody:[^:]*:(\d+):(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8'));
    if (entry) return { uid: Number(entry[1]), gid: Number(entry[2]) };
  } catch {
    // No readable passwd file (a scratch image): the number that nearly all systems give to nobody will do.
  }
  return { uid: 65534, gid: 65534 };
}

/**
 * May `account` get to `path` through every folder above it, and read it? Only asked for a foreign account, which
 * counts as "other" everywhere: it owns nothing in a checkout. A checkout below a folder with mode 0700 is the usual case.
 */
export function reachableBy(account: Account, path: string): boolean {
  if (account.uid === undefined) return true;
  try {
    if ((statSync(path).mode & 0o004) === 0) return false;
    return traversableBy(account, dirname(path));
  } catch {
    return false;
  }
}

/** May `account` enter `folder` and every folder above it? */
export function traversableBy(account: Account, folder: string): boolean {
  if (account.uid === undefined) return true;
  const parent = dirname(folder);
  return (statSync(folder).mode & 0o001) !== 0 && (parent === folder || traversableBy(account, parent));
}
