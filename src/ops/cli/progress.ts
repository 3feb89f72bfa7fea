import type { Terminal } from './terminal.js';

/** What takes longer than this is told to be under way. */
const PATIENCE_MS = 300;
const CLEAR = '\r\u001b[2K';

/**
 * One line that says what is under way, written over again and again, and gone at the end. Only on terminals: a pipe or a
 * log gets nothing of it.
 */
export class Progress {
  #timer: ReturnType<typeof setTimeout> | undefined;
  #text = '';
  #shown = false;

  constructor(
    private readonly terminal: Pick<Terminal, 'error' | 'live' | 'columns'>,
    private readonly patienceMs = PATIENCE_MS,
  ) {}

  say(text: string): void {
    if (!this.terminal.live) return;
    this.#text = text.slice(0, (this.terminal.columns ?? 80) - 1);
    if (this.#shown) return this.#draw();
    this.#timer ??= setTimeout(() => this.#draw(), this.patienceMs);
  }

  /** To be called before anything else is written. */
  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#shown) this.terminal.error(CLEAR);
    this.#shown = false;
  }

  /** Says it for as long as the work takes. */
  async during<T>(text: string, work: () => Promise<T>): Promise<T> {
    this.say(text);
    try {
      return await work();
    } finally {
      this.end();
    }
  }

  #draw(): void {
    this.#shown = true;
    this.terminal.error(`${CLEAR}${this.#text}`);
  }
}
