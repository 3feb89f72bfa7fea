import type { Command } from 'commander';

type Example = readonly [line: string, about?: string];

/** What `--help` shows of each command; a test holds that none is left out, and that each can be parsed. */
export const EXAMPLES: Readonly<Record<string, readonly Example[]>> = {
  '': [
    ['pollcast init my-hub', 'a folder to begin with'],
    ['pollcast start', 'one node'],
    ['pollcast topics check', 'is every topic file right?'],
    ["pollcast ps --json | jq '.[].name'"],
    ['REDIS_URL=redis://127.0.0.1:6379 pollcast zombies'],
  ],
  init: [
    ['pollcast init', 'into this folder'],
    ['pollcast init my-hub', 'into a new one'],
  ],
  start: [
    ['pollcast start', 'an embedded database with its demo, unless a .env says otherwise'],
    ['PORT=3001 REDIS_URL=redis://127.0.0.1:6379 pollcast start', 'one node of a cluster'],
  ],
  topics: [['pollcast topics'], ["TOPICS_DIR=./topics pollcast topics --json | jq '.[].name'"]],
  'topics check': [
    ['pollcast topics check', 'exit code 1 if there is an error: for CI'],
    ['DATABASE_URL=postgres://app@db/shop pollcast topics check --json'],
  ],
  types: [
    ['pollcast types --out src/pollcast.d.ts'],
    ['pollcast types --out src/pollcast.d.ts --check', 'exit code 1 unless it is up to date: for CI'],
  ],
  nodes: [['pollcast nodes'], ['pollcast nodes --url http://10.0.0.7:3000', 'by way of that node']],
  ps: [['pollcast ps'], ['pollcast ps --json | jq \'.[] | select(.state != "running")\'']],
  viewers: [['pollcast viewers'], ["pollcast viewers --json | jq 'map(.viewers) | add'"]],
  zombies: [
    ['pollcast zombies', 'exit code 1 if there is any'],
    ['pollcast zombies --clean', 'removes them'],
    ['pollcast zombies --watch --json', 'one array a line'],
  ],
  stop: [['pollcast stop poller:sales.by_region']],
  move: [
    ['pollcast move poller:sales.by_region', 'to the next node in order'],
    ['pollcast move poller:sales.by_region --to node2'],
  ],
  cordon: [['pollcast cordon node2', 'before it is stopped']],
  uncordon: [['pollcast uncordon node2']],
  completion: [
    ['source <(pollcast completion bash)', 'in this shell'],
    ['pollcast completion bash > ~/.local/share/bash-completion/completions/pollcast', 'for good'],
    ['pollcast completion fish > ~/.config/fish/completions/pollcast.fish'],
  ],
};

/** Examples under the help of each command, and the way to that help under each complaint about it. */
export function addExamples(program: Command): void {
  const visit = (command: Command, path: string): void => {
    const name = `${program.name()} ${path}`.trim();
    command.showHelpAfterError(`(see \`${name} --help\`)`);
    const examples = EXAMPLES[path] ?? [];
    if (examples.length > 0) command.addHelpText('after', drawn(examples));
    for (const sub of command.commands) visit(sub, `${path} ${sub.name()}`.trim());
  };
  visit(program, '');
}

function drawn(examples: readonly Example[]): string {
  const width = Math.max(...examples.map(([line]) => (line.length > 50 ? 0 : line.length)));
  const lines = examples.map(([line, about]) => `  ${about ? `${line.padEnd(width)}  ${about}` : line}`);
  return [`\nExample${examples.length > 1 ? 's' : ''}:`, ...lines].join('\n');
}
