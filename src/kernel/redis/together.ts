interface Waiting<Q, A> {
  readonly question: Q;
  readonly resolve: (answer: A) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Questions of one turn of the event loop, asked in one go: thousands that come at once cost a few round trips instead of
 * one each, and one that comes alone waits for nobody. Each has its own answer; when the asking fails, all of it fail alike.
 */
export class Together<Q, A> {
  #waiting: Waiting<Q, A>[] = [];

  constructor(
    /** Answers in the order of the questions. */
    private readonly askAll: (questions: readonly Q[]) => Promise<readonly A[]>,
    /** Questions that go together at most. */
    private readonly most: number,
  ) {}

  ask(question: Q): Promise<A> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length === 0) setImmediate(() => this.#flush());
      this.#waiting.push({ question, resolve, reject });
    });
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (let at = 0; at < waiting.length; at += this.most) void this.#settle(waiting.slice(at, at + this.most));
  }

  async #settle(part: readonly Waiting<Q, A>[]): Promise<void> {
    try {
      const answers = await this.askAll(part.map(({ question }) => question));
      if (answers.length !== part.length) throw new Error(`${part.length} questions, ${answers.length} answers`);
      part.forEach(({ resolve }, i) => resolve(answers[i] as A));
    } catch (error) {
      for (const { reject } of part) reject(error);
    }
  }
}
