/**
 * Waits between tries: doubling from `firstMs` to `mostMs`, each anywhere between half and the whole of it, so that the
 * viewers of a node that went away do not all come back at once.
 */
export class Backoff {
  #tries = 0;

  constructor(
    private readonly firstMs: number,
    private readonly mostMs: number,
    private readonly random: () => number = Math.random,
  ) {}

  nextMs(): number {
    const wholeMs = Math.min(this.mostMs, this.firstMs * 2 ** this.#tries);
    this.#tries += 1;
    return wholeMs * (0.5 + this.random() / 2);
  }

  reset(): void {
    this.#tries = 0;
  }
}
