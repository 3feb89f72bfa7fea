import type { ZombieSource } from './zombie-hunter.js';

/** Where features say which of their things may be left over: beside the kernel's own. */
export class ZombieSources implements Iterable<ZombieSource> {
  readonly #sources: ZombieSource[] = [];

  add(source: ZombieSource): void {
    this.#sources.push(source);
  }

  [Symbol.iterator](): Iterator<ZombieSource> {
    return this.#sources[Symbol.iterator]();
  }
}
