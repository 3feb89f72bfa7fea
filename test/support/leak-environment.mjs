import { readdirSync, readFileSync } from 'node:fs';
import { TestEnvironment } from 'jest-environment-node';

/**
 * Node's environment, which fails a test file that leaves a child process or a rejected promise behind. It looks when
 * everything of the file is over, `afterAll` included, and ends what it finds: the next file must not suffer for it.
 *
 * A rejection during a test needs nothing of ours, jest-circus reports it; one between the last test and here would
 * be lost, or end the worker in the middle of somebody else's file.
 */
export default class LeakEnvironment extends TestEnvironment {
  #before = new Set(children());
  #file;
  #rejections = [];
  #onRejection = (reason) => this.#rejections.push(reason);

  constructor(config, context) {
    super(config, context);
    this.#file = context.testPath;
    process.on('unhandledRejection', this.#onRejection);
  }

  async teardown() {
    const leaked = await lastChildren(this.#before);
    for (const { pid } of leaked) end(pid);
    // Rejections are told at the end of a turn of the event loop.
    await new Promise((wake) => setImmediate(wake));
    process.off('unhandledRejection', this.#onRejection);
    await super.teardown();
    const troubles = [
      ...leaked.map(({ pid, command }) => `left a child process behind (stop it in afterAll): ${pid} ${command}`),
      ...this.#rejections.map((reason) => `left a rejected promise unhandled: ${reason?.stack ?? reason}`),
    ];
    if (troubles.length > 0) throw new Error(`${this.#file}\n  ${troubles.join('\n  ')}`);
  }
}

/** What was asked to end may need a moment to be gone from the process table. */
async function lastChildren(before) {
  const until = Date.now() + 2_000;
  for (;;) {
    const left = children()
      .filter((pid) => !before.has(pid))
      .map((pid) => ({ pid, command: commandOf(pid) }))
      .filter(({ command }) => command !== '');
    if (left.length === 0 || Date.now() > until) return left;
    await new Promise((wake) => setTimeout(wake, 20));
  }
}

/** Linux only: elsewhere there is nothing to read, and nothing is found. */
function children() {
  try {
    return readdirSync('/proc/self/task').flatMap((task) =>
      readFileSync(`/proc/self/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}

/** Empty for one that has ended and only waits to be reaped. */
function commandOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return '';
  }
}

function end(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone by itself.
  }
}
