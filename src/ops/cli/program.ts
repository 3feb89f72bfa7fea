import { Argument, Command, CommanderError } from 'commander';
import { readConfig } from '../../config.js';
import { describe, PollcastError } from '../../errors.js';
import { sleep, systemClock } from '../../kernel/clock.js';
import { packageVersion } from '../../version.js';
import type { Operator } from '../operations.js';
import { completionScript, SHELLS, type Shell } from './completion.js';
import { DEFAULT_URL, withOperator } from './connect.js';
import { addExamples } from './examples.js';
import { initFolder, nextSteps } from './init.js';
import { Progress } from './progress.js';
import { nodesTable, processesTable, slotsLine, viewersTable, zombiesTable } from './tables.js';
import { painter, type Paint, type Terminal } from './terminal.js';
import { checkFolder, faultLine, readTopics, topicsTable } from './topics.js';
import { checkTypes, typesOf, writeTypes } from './types.js';

/** Found what was looked for: zombies, faults, or a node that does not start. */
const FOUND = 1;
/** It could not be done: a wrong command line or environment, nobody answers. */
const FAILED = 2;
const WATCH_MS = 2_000;

interface Options {
  readonly json?: true;
  readonly url?: string;
}

type ZombieOptions = Options & { readonly clean?: true; readonly watch?: true };

/** Runs one command; resolves with its exit code. A node that was started goes on after that. */
export async function runCli(args: readonly string[], terminal: Terminal): Promise<number> {
  const cli = new Cli(terminal);
  try {
    await cli.program.parseAsync(args, { from: 'user' });
    return cli.exitCode;
  } catch (error) {
    // Commander has said it already; help and version that were asked for are no failure.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : FAILED;
    terminal.error(`${error instanceof PollcastError ? error.message : unexpected(error)}\n`);
    return cli.exitCode || FAILED;
  }
}

/** Everything that can go wrong is to be coded, with what to do about it. What is not, is a fault of ours. */
function unexpected(error: unknown): string {
  return `${describe(error)}\nThat should not have happened: please report it, with this command and \`pollcast --version\`.`;
}

class Cli {
  readonly program = new Command('pollcast');
  exitCode = 0;
  readonly #paint: Paint;
  readonly #progress: Progress;

  constructor(private readonly terminal: Terminal) {
    this.#paint = painter(terminal);
    this.#progress = new Progress(terminal);
    this.program
      .description('Realtime analytics from SQL: one query per interval for the whole cluster, however many watch.')
      .version(packageVersion())
      .exitOverride()
      .configureOutput({
        writeOut: (text) => terminal.out(text),
        writeErr: (text) => terminal.error(text),
        getOutHasColors: () => terminal.colour,
        getErrHasColors: () => terminal.colour,
      })
      .addHelpText('after', ABOUT);
    this.#addInit();
    this.#addStart();
    this.#addTopics();
    this.#addTypes();
    this.#addTables();
    this.#addZombies();
    this.#addCommands();
    this.#addCompletion();
    addExamples(this.program);
  }

  #addInit(): void {
    this.program
      .command('init')
      .description('write a first topic, its table, a compose file and a .env; nothing that exists is overwritten')
      .argument('[folder]', 'where; made if need be', '.')
      .action(async (folder: string) => {
        const names = await initFolder(folder);
        this.terminal.out(nextSteps(folder, names, this.#paint));
      });
  }

  #addCompletion(): void {
    this.program
      .command('completion')
      .description('print the completion of commands and options for a shell')
      .addArgument(new Argument('<shell>', 'which shell').choices(SHELLS))
      .action((shell: Shell) => this.terminal.out(completionScript(this.program, shell)));
  }

  #addStart(): void {
    this.program
      .command('start')
      .description('start one node from the environment')
      .action(async () => {
        this.exitCode = FOUND;
        const { runNode } = await import('../../main.js');
        await runNode(readConfig(this.terminal.env));
        this.exitCode = 0;
      });
  }

  #addTopics(): void {
    const topics = this.program
      .command('topics')
      .description('list the topics of TOPICS_DIR')
      .option('--json', 'as an array of objects')
      .action(async ({ json }: Options) => {
        const { rows, faults } = await readTopics(readConfig(this.terminal.env).topicsDir);
        this.#print(rows, topicsTable, json);
        const broken = new Set(faults.filter(({ severity }) => severity === 'error').map(({ file }) => file)).size;
        if (broken > 0) this.terminal.error(`Files with errors: ${broken}. See \`pollcast topics check\`.\n`);
      });
    topics
      .command('check')
      .description('parse each file and ask the database to plan it; exit code 1 if there is an error')
      .option('--json', 'faults as an array of objects')
      .action((_options: unknown, command: Command) => this.#checkTopics(command.optsWithGlobals<Options>().json));
  }

  async #checkTopics(json?: true): Promise<void> {
    const faults = await checkFolder(
      readConfig(this.terminal.env),
      (line) => this.terminal.error(`${line}\n`),
      this.#progress,
    );
    const errors = faults.filter(({ severity }) => severity === 'error').length;
    if (errors > 0) this.exitCode = FOUND;
    this.#print(
      faults,
      (_rows, paint) => {
        const lines = faults.map((fault) => faultLine(fault, paint));
        return [...lines, `Errors: ${errors}. Warnings: ${faults.length - errors}.`, ''].join('\n');
      },
      json,
    );
  }

  #addTypes(): void {
    this.program
      .command('types')
      .description('TypeScript types of every topic, from what the database says of its columns')
      .option('--out <file>', 'write them there, for example src/pollcast.d.ts; else to the output')
      .option('--check', 'write nothing: exit code 1 unless the file of --out is up to date')
      .action(async ({ out, check }: { out?: string; check?: true }) => {
        if (check && out === undefined) {
          throw new PollcastError(
            'BAD_REQUEST',
            '--check: expected --out FILE beside it, got none: which file is meant?',
          );
        }
        this.exitCode = FOUND;
        const tell = (line: string): void => this.terminal.error(`${line}\n`);
        const text = await typesOf(readConfig(this.terminal.env), this.#paint, tell, this.#progress);
        if (out === undefined) this.terminal.out(text);
        else if (check) this.terminal.out(`${await checkTypes(out, text)}\n`);
        else this.terminal.out(`${await writeTypes(out, text)}\n`);
        this.exitCode = 0;
      });
  }

  #addTables(): void {
    this.#table('nodes', 'the nodes of the cluster', (operator) => operator.nodes(), nodesTable);
    connected(this.program.command('ps'))
      .description('the processes: who runs what, under which fence; and how many recorder slots are used')
      .option('--json', 'the processes as an array of objects')
      .action(async ({ url, json }: Options) => {
        const [rows, nodes] = await this.#ask('Asking', url, async (operator) => [
          await operator.processes(),
          json ? [] : await operator.nodes(),
        ]);
        this.#print(rows, processesTable, json);
        this.terminal.out(slotsLine(nodes, rows));
      });
    this.#table(
      'viewers',
      'the channels that are watched, and by how many',
      (operator) => operator.viewers(),
      viewersTable,
    );
  }

  #table<T>(
    name: string,
    description: string,
    read: (operator: Operator) => Promise<readonly T[]>,
    draw: (rows: readonly T[], paint: Paint, now: number) => string,
  ): void {
    connected(this.program.command(name).description(description))
      .option('--json', 'as an array of objects')
      .action(async ({ url, json }: Options) => {
        this.#print(await this.#ask('Asking', url, read), draw, json);
      });
  }

  #addZombies(): void {
    connected(this.program.command('zombies'))
      .description('what should not exist any more, with its evidence; exit code 1 if there is any')
      .option('--clean', 'remove them: fenced, and never what has a living owner; exit code 1 if any is left')
      .option('--watch', 'look again every two seconds, until Ctrl-C')
      .option('--json', 'as an array of objects; with --watch, one array a line')
      .action(({ url, ...options }: ZombieOptions) =>
        withOperator(this.terminal.env, url, (operator) => this.#huntZombies(operator, options)),
      );
  }

  async #huntZombies(operator: Operator, { clean, watch, json }: ZombieOptions): Promise<void> {
    const { terminal } = this;
    if (watch) terminal.interruptible();
    for (;;) {
      const rows = await this.#progress.during('Looking for zombies …', () =>
        clean ? operator.cleanZombies() : operator.zombies(),
      );
      this.exitCode = rows.some((row) => !('removed' in row && row.removed)) ? FOUND : 0;
      if (json && watch) terminal.out(`${JSON.stringify(rows)}\n`);
      else this.#print(rows, zombiesTable, json);
      if (!watch) return;
      await sleep(systemClock, WATCH_MS, terminal.signal);
      if (terminal.signal.aborted) return;
    }
  }

  #addCommands(): void {
    const command = (signature: string, description: string): Command =>
      connected(this.program.command(signature).description(description));
    const say = (text: string): void => this.terminal.out(`${text}\n`);

    command('stop <name>', 'end a process; a poller that is still watched comes back').action(
      async (name: string, { url }: Options) => {
        await this.#ask(`Stopping ${name}`, url, (operator) => operator.stop(name));
        say(`Stopped ${name}.`);
      },
    );
    command('move <name>', 'hand a process to another node')
      .option('--to <node>', 'which one; else the next in order')
      .action(async (name: string, { url, to }: Options & { to?: string }) => {
        const node = await this.#ask(`Moving ${name}`, url, (operator) => operator.move(name, to));
        say(`${name} is on ${node} now.`);
      });
    for (const cordoned of [true, false]) {
      const what = cordoned ? 'place no more processes on a node' : 'place processes on a node again';
      command(`${cordoned ? 'cordon' : 'uncordon'} <node>`, what).action(async (node: string, { url }: Options) => {
        await this.#ask('Asking', url, (operator) => operator.cordon(node, cordoned));
        say(cordoned ? `${node} is cordoned: it gets no more processes.` : `${node} takes processes again.`);
      });
    }
  }

  /** Asks the cluster or a node; on a terminal it is told what takes long. */
  #ask<T>(what: string, url: string | undefined, use: (operator: Operator) => Promise<T>): Promise<T> {
    return this.#progress.during(`${what} …`, () => withOperator(this.terminal.env, url, use));
  }

  #print<T>(
    rows: readonly T[],
    draw: (rows: readonly T[], paint: Paint, now: number) => string,
    json: true | undefined,
  ): void {
    this.terminal.out(json ? `${JSON.stringify(rows, null, 2)}\n` : draw(rows, this.#paint, Date.now()));
  }
}

function connected(command: Command): Command {
  return command.option(
    '--url <url>',
    `ask the node at this address, also when REDIS_URL is set (default: ${DEFAULT_URL})`,
  );
}

const ABOUT = `
Settings come from the environment, and from a .env in this folder. With REDIS_URL set, commands read the cluster itself and
work even when no node is alive; otherwise they ask the node at --url, with ADMIN_TOKEN if that is set.`;
