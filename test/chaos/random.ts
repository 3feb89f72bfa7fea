import { randomFrom } from '../kernel/simulation/network.js';

/** Choices that a seed determines. */
export class Choices {
  readonly next: () => number;

  constructor(seed: number) {
    this.next = randomFrom(seed);
  }

  between(low: number, high: number): number {
    return Math.floor(low + this.next() * (high - low + 1));
  }

  of<T>(list: readonly T[]): T {
    const one = list[Math.floor(this.next() * list.length)];
    if (one === undefined) throw new Error('nothing to choose from');
    return one;
  }

  shuffled<T>(list: readonly T[]): T[] {
    return list
      .map((one) => ({ one, order: this.next() }))
      .sort((a, b) => a.order - b.order)
      .map(({ one }) => one);
  }

  weighted<T extends { readonly weight: number }>(list: readonly T[]): T {
    let left = this.next() * list.reduce((sum, { weight }) => sum + weight, 0);
    return list.find(({ weight }) => (left -= weight) < 0) ?? this.of(list);
  }
}
