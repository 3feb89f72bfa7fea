import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** @returns {string} */
export function hash(parts) {
  const sum = createHash('sha256');
  for (const part of parts) sum.update(part).update('\0');
  return sum.digest('hex');
}

/** Every file below the given files and folders (those that exist), sorted. */
export function filesBelow(paths) {
  const result = [];
  const visit = (path) => {
    if (!existsSync(path)) return;
    if (!statSync(path).isDirectory()) return void result.push(path);
    for (const name of readdirSync(path)) if (name !== 'node_modules' && !name.startsWith('.')) visit(join(path, name));
  };
  paths.forEach(visit);
  return result.sort();
}

/** Changes when a file comes, goes or changes. Contents, not times: a checkout sets new times on old contents. */
export function contentHash(paths) {
  return hash(filesBelow(paths).flatMap((file) => [file, readFileSync(file)]));
}

export function readStamp(file) {
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}
