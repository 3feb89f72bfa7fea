const COLON = 0x3a;
const ZERO = 0x30;

/**
 * Netstrings (D. J. Bernstein, 1997): `<length in bytes>:<bytes>`, one after the other. Rows travel as they are: Redis can
 * put a message together, and a node take it apart, without parsing or escaping them.
 *
 * Read one by one, straight from the message: a node reads tens of thousands of them in a second, and what it does not make
 * of each, nobody has to clear away.
 */
export class Netstrings {
  #at = 0;

  constructor(private readonly message: Buffer) {}

  /** Whether all are read. */
  get ended(): boolean {
    return this.#at >= this.message.length;
  }

  /** The next one, which must be there, as text. */
  text(): string {
    const start = this.#start();
    return this.message.toString('utf8', start, this.#at);
  }

  /** The next one as a number, `NaN` if it is none. Whole numbers, which most are, cost no text. */
  number(): number {
    const start = this.#start();
    const whole = this.#digits(start, this.#at);
    return Number.isSafeInteger(whole) ? whole : Number(this.message.toString('latin1', start, this.#at));
  }

  /** Where the next one begins; it ends at `#at`. */
  #start(): number {
    const colon = this.message.indexOf(COLON, this.#at);
    if (colon < 0) throw new Error('netstring without a length');
    const end = colon + 1 + this.#digits(this.#at, colon);
    // Of a length that is no number, too.
    if (!(end <= this.message.length)) throw new Error('netstring of a wrong length');
    this.#at = end;
    return colon + 1;
  }

  /** `NaN`: something else than digits, or nothing. */
  #digits(from: number, to: number): number {
    let value = from < to ? 0 : NaN;
    for (let at = from; at < to; at++) {
      const digit = (this.message[at] as number) - ZERO;
      value = digit >= 0 && digit <= 9 ? value * 10 + digit : NaN;
    }
    return value;
  }
}
