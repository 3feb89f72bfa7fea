/** Those who wait for something under a key; every one of them is settled in the end. */
export class Waiters<T> {
  readonly #waiting = new Map<string, { resolve(value: T): void; reject(error: unknown): void }[]>();

  wait(key: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const list = this.#waiting.get(key);
      if (list) list.push({ resolve, reject });
      else this.#waiting.set(key, [{ resolve, reject }]);
    });
  }

  has(key: string): boolean {
    return this.#waiting.has(key);
  }

  resolve(key: string, value: T): void {
    for (const waiter of this.#take(key)) waiter.resolve(value);
  }

  reject(key: string, error: unknown): void {
    for (const waiter of this.#take(key)) waiter.reject(error);
  }

  rejectAll(error: unknown): void {
    for (const key of [...this.#waiting.keys()]) this.reject(key, error);
  }

  #take(key: string) {
    const list = this.#waiting.get(key) ?? [];
    this.#waiting.delete(key);
    return list;
  }
}
