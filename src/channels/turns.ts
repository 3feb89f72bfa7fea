/**
 * One after the other what concerns one viewer and one channel: a subscribe and the unsubscribe right behind it take
 * effect in the order in which they were sent, however long the first takes.
 */
export class Turns {
  readonly #last = new Map<string, Promise<void>>();

  async take(viewer: string, channel: string, step: () => Promise<void> | void): Promise<void> {
    const key = `${viewer} ${channel}`;
    const before = this.#last.get(key);
    const turn = (async () => {
      // Its failure was its own caller's; here only its end counts.
      await before?.catch(() => undefined);
      await step();
    })();
    this.#last.set(key, turn);
    try {
      await turn;
    } finally {
      if (this.#last.get(key) === turn) this.#last.delete(key);
    }
  }
}
