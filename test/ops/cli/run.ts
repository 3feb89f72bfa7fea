import { runCli } from '../../../src/ops/cli/program.js';
import type { Terminal } from '../../../src/ops/cli/terminal.js';

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

/** One command, in this process, and all that it wrote. */
export async function cli(args: readonly string[], terminal: Partial<Terminal> = {}): Promise<Outcome> {
  const out: string[] = [];
  const errors: string[] = [];
  const code = await runCli(args, {
    env: {},
    out: (text) => void out.push(text),
    error: (text) => void errors.push(text),
    colour: false,
    signal: new AbortController().signal,
    interruptible: () => undefined,
    ...terminal,
  });
  return { code, out: out.join(''), error: errors.join('') };
}
