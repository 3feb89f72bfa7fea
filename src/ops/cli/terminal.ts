import Table from 'cli-table3';

/** Where a command reads from and writes to: a terminal, a pipe, or a test. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  out(text: string): void;
  error(text: string): void;
  readonly colour: boolean;
  /** Whether what `error` writes can be written over, to show progress. */
  readonly live?: boolean;
  /** Width, when it is a terminal. */
  readonly columns?: number;
  /** Fires on Ctrl-C, once `interruptible` was called. */
  readonly signal: AbortSignal;
  interruptible(): void;
}

const CODES = { bold: '1', dim: '2', red: '31', green: '32', yellow: '33' } as const;
export type Paint = (colour: keyof typeof CODES, text: string) => string;

export function painter({ colour }: Pick<Terminal, 'colour'>): Paint {
  return (name, text) => (colour ? `\u001b[${CODES[name]}m${text}\u001b[0m` : text);
}

const BARE = Object.fromEntries(
  'top top-mid top-left top-right bottom bottom-mid bottom-left bottom-right left left-mid mid mid-mid right right-mid'
    .split(' ')
    .map((part) => [part, '']),
);

/** Columns of text under headings, without a frame, so that `grep` and `awk` get along with it. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[], paint: Paint): string {
  const drawn = new Table({
    head: headings.map((heading) => paint('bold', heading)),
    chars: { ...BARE, middle: '  ' },
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [], compact: true },
  });
  drawn.push(...rows.map((row) => [...row]));
  return `${drawn
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')}\n`;
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
] as const;

/** Ms → the two largest units: `3d4h`, `5m20s`, `0.4s`. */
export function age(ms: number): string {
  if (ms < 10_000) return `${(Math.max(0, ms) / 1_000).toFixed(1)}s`;
  const first = UNITS.findIndex(([, size]) => ms >= size);
  const [unit, size] = UNITS[first] ?? UNITS[3];
  const [nextUnit, nextSize] = UNITS[first + 1] ?? ['', 0];
  const rest = nextSize > 0 ? Math.floor((ms % size) / nextSize) : 0;
  return `${Math.floor(ms / size)}${unit}${rest > 0 ? `${rest}${nextUnit}` : ''}`;
}
