import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** The project's folder, wherever below it this file was built to. */
export const projectRoot = (() => {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
})();

let hubFolder = join(projectRoot, 'dist');

/** Measures another build of the hub than the one in `dist`. */
export function useHub(folder: string): void {
  hubFolder = folder;
}

export function hubFile(name: string): string {
  return join(hubFolder, name);
}

/** A module of the hub's build: what is measured is what runs, and the bench compiles nothing of it. */
export async function hubModule<T>(name: string): Promise<T> {
  return (await import(pathToFileURL(hubFile(name)).href)) as T;
}

/** A module of `scripts`. */
export async function scriptModule<T>(name: string): Promise<T> {
  return (await import(pathToFileURL(join(projectRoot, 'scripts', name)).href)) as T;
}

/** A program of the bench, as built: `peers/ws.js`. */
export function benchFile(name: string): string {
  return fileURLToPath(new URL(`../${name}`, import.meta.url));
}
