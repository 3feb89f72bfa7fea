import { parseRow, rowEnd } from './csv.js';
import type { KeyTexts } from './record.js';

/** Where a column of the key stands in a row. */
export interface KeyPlace {
  readonly place: number;
  /** One number may be written in several ways: 1 and 1.0, 0 and -0. */
  readonly number: boolean;
}

export interface CutterOptions {
  /** Empty: no key, and a piece may end behind any row. */
  readonly key: readonly KeyPlace[];
  /** A piece ends at the first place where it may after it has this many rows, or bytes. */
  readonly rows: number;
  readonly bytes: number;
  /** The first row is the header, and not counted. */
  readonly header: boolean;
}

/** What to do next with the rows: write them to the piece under way, or end it. */
export type Step =
  | { readonly kind: 'data'; readonly data: Buffer; readonly rows: number }
  | { readonly kind: 'cut'; readonly after: KeyTexts };

/**
 * Cuts a stream of CSV rows, ordered by their key, into pieces. A piece never ends between two rows of the same key:
 * whoever goes on behind that key would lose the second.
 */
export class Cutter {
  #rest: Buffer = Buffer.alloc(0);
  #rows = 0;
  #bytes = 0;
  #header: boolean;
  #closing = false;
  /** The key of the last row, once the piece is full. */
  #edge: KeyTexts | null = null;

  constructor(private readonly options: CutterOptions) {
    this.#header = options.header;
  }

  /** Rows of the piece under way. */
  get rows(): number {
    return this.#rows;
  }

  /** The piece under way is to end as soon as it may. */
  close(): void {
    this.#closing = true;
  }

  *feed(chunk: Buffer): Iterable<Step> {
    const data = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    let start = 0;
    let from = 0;
    let rows = 0;
    for (let end = rowEnd(data, 0); end >= 0; end = rowEnd(data, from)) {
      if (this.#edge !== null && this.#isBeyond(data, from, end)) {
        if (from > start) yield { kind: 'data', data: data.subarray(start, from), rows };
        yield { kind: 'cut', after: this.#edge };
        start = from;
        rows = 0;
        this.#rows = 0;
        this.#bytes = 0;
        this.#edge = null;
        this.#closing = false;
      }
      if (this.#header) this.#header = false;
      else {
        rows += 1;
        this.#rows += 1;
        this.#bytes += end - from;
        if (this.#edge === null && this.#isFull()) this.#edge = this.#keyOf(data, from, end);
      }
      from = end;
    }
    if (from > start) yield { kind: 'data', data: data.subarray(start, from), rows };
    this.#rest = data.subarray(from);
  }

  #isFull(): boolean {
    return this.#closing || this.#rows >= this.options.rows || this.#bytes >= this.options.bytes;
  }

  #isBeyond(data: Buffer, from: number, end: number): boolean {
    const { key } = this.options;
    const texts = this.#keyOf(data, from, end);
    return key.length === 0 || key.some(({ number }, i) => !isSame(texts[i] ?? null, this.#edge?.[i] ?? null, number));
  }

  #keyOf(data: Buffer, from: number, end: number): KeyTexts {
    const { key } = this.options;
    if (key.length === 0) return [];
    const row = parseRow(data, from, end - 1);
    return key.map(({ place }) => row[place] ?? null);
  }
}

/** As the database compares them: whoever goes on behind a key goes on behind all that is equal to it. */
function isSame(a: string | null, b: string | null, number: boolean): boolean {
  return a === b || (number && a !== null && b !== null && plain(a) === plain(b));
}

function plain(text: string): string {
  const short = /^-?\d+\.\d+$/.test(text) ? text.replace(/\.?0+$/, '') : text;
  return short === '-0' ? '0' : short;
}
